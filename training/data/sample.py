"""Training samples and their file format: JSON lines, one object for each sample.

    {"id": "didemo/49152", "video": "didemo/videos/a.mp4", "clip": [0, 30], "query": "…",
     "spans": [[5, 10]], "duration": 30, "source": "didemo", "split": "val",
     "reasoning": "<think>…", "options": ["red", "blue"], "choice": "B",
     "difficulty": {"mean_iou": 0.3, "deviation": 0.1, "parse_failures": 0, "rewards": [0.2, 0.4],
                    "ious": [0.2, 0.4]}}

Times are seconds. `id`, `video`, `query`, `spans` and `source` are required, the rest is optional.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from vtg_eval.annotations.records import AnnotationRecord, read_lines
from vtg_eval.errors import DataError, UserError, suggestion
from vtg_eval.files.atomic import write_text
from vtg_eval.types import OutputType, Sample, Span, Target


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How well the start checkpoint answered a sample, over its rollouts.

    mean_iou and deviation (standard deviation of the IoU): over all rollouts, an unreadable answer
    counts 0; parse_failures: share of unreadable answers; rewards, ious: one for each rollout
    (earlier versions kept no IoUs).
    """

    mean_iou: float
    deviation: float = 0.0
    parse_failures: float = 0.0
    rewards: tuple[float, ...] = ()
    ious: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingSample:
    """One query about one video, with its label.

    `video` is a path below the folder of videos, with forward slashes. `clip` is the part of the
    file that is shown (seconds, of the file), None for all of it; `spans` and `duration` are in
    the time of the shown part, as in the data set: neither sorted nor clamped. `reasoning` is the
    whole answer to learn, with its tags. `options` (without letters) and `choice` (the letter of
    the right one) are for questions.

    `source` is the data set. If it is the name of a task, the sample is asked as in that task's
    `split` (None: the train split), and with the subtitles of the task's video `video_id` (None:
    without subtitles).
    """

    id: str
    video: str
    query: str
    spans: tuple[Span, ...]
    source: str
    clip: Span | None = None
    split: str | None = None
    video_id: str | None = None
    duration: float | None = None
    reasoning: str | None = None
    options: tuple[str, ...] = ()
    choice: str | None = None
    difficulty: Difficulty | None = None

    def to_sample(self) -> Sample:
        """Return the sample in evaluation's form, so that an adapter builds the same prompt."""
        return Sample(
            id=self.id,
            video=self.video_id or self.video,
            query=self.query,
            target=Target(spans=self.spans, choice=self.choice),
            duration=self.duration,
            options=self.options,
            clips=() if self.clip is None else (self.clip,),
            asks=self.asks,
        )

    @property
    def asks(self) -> OutputType:
        """The type of the answer."""
        if not self.options:
            return OutputType.SPANS
        return OutputType.BOTH if self.spans else OutputType.CHOICE


KEYS = tuple(field.name for field in fields(TrainingSample))
DIFFICULTY_KEYS = tuple(field.name for field in fields(Difficulty))


def read_samples(path: Path) -> Iterator[TrainingSample]:
    """Yield the samples of a file; raises DataError with the file, line and key."""
    try:
        yield from map(sample_from, read_lines(path))
    except OSError as exc:
        raise UserError(f"The training data {path} cannot be read: {exc.strerror}.") from exc


def load_samples(paths: Iterable[Path]) -> tuple[TrainingSample, ...]:
    """Return all samples of some files; raises DataError for an id that occurs twice."""
    samples: dict[str, TrainingSample] = {}
    for path in paths:
        for sample in read_samples(path):
            if sample.id in samples:
                raise DataError(f'{path}: the id "{sample.id}" occurs twice.')
            samples[sample.id] = sample
    return tuple(samples.values())


def write_samples(path: Path, samples: Iterable[TrainingSample]) -> int:
    """Write a new file, as a whole or not at all; return the number of samples.

    Raises UserError where the file exists, two samples have the same id, or writing fails.
    """
    require_new(path)
    return replace_samples(path, samples)


def require_new(path: Path) -> None:
    """Raise UserError where the file exists."""
    if path.exists():
        raise UserError(f"{path} exists already. Remove it or name another file.")


def replace_samples(path: Path, samples: Iterable[TrainingSample]) -> int:
    """Do as `write_samples`, but replace an existing file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines: dict[str, str] = {}
    for sample in samples:
        if sample.id in lines:
            raise UserError(f'{path}: two samples have the id "{sample.id}".')
        lines[sample.id] = sample_json(sample) + "\n"
    write_text(path, "".join(lines.values()))
    return len(lines)


def sample_from(record: AnnotationRecord) -> TrainingSample:
    """Return the sample of a record; raises DataError for a malformed one."""
    _check_keys(record, KEYS)
    sample = TrainingSample(
        id=_non_empty(record, "id"),
        video=_video(record),
        query=_non_empty(record, "query"),
        spans=record.spans("spans"),
        source=record.text("source"),
        clip=_clip(record),
        duration=_duration(record),
        split=_optional(record, "split"),
        video_id=_optional(record, "video_id"),
        reasoning=_optional(record, "reasoning"),
        options=() if record.table.get("options") is None else record.texts("options"),
        choice=_optional(record, "choice"),
        difficulty=_difficulty(record),
    )
    _check_target(sample, record.where)
    return sample


def relative_video(path: str, where: str) -> str:
    """Return a data set's path of a video as a path below the folder of videos.

    A leading "/" or "./" is removed; raises DataError for a path that leads out of the folder.
    """
    parts = [part for part in PurePosixPath(path.strip()).parts if part != "/"]
    if not parts or ".." in parts or "\0" in path:
        raise DataError(f'{where}: "{path[:60]}" is not a path below the folder of videos.')
    return str(PurePosixPath(*parts))


def _video(record: AnnotationRecord) -> str:
    video = _non_empty(record, "video")
    if video != relative_video(video, record.where):
        raise DataError(
            f'{record.where}: "video" must be a path below the folder of videos that the recipe '
            f'names ([data] videos), not "{video[:60]}".'
        )
    return video


def _check_target(sample: TrainingSample, where: str) -> None:
    letters = sample.to_sample().letters
    if sample.options and sample.choice not in letters:
        raise DataError(
            f'{where}: "choice" is {sample.choice!r}; it must be one of {", ".join(letters)}.'
        )
    if sample.choice is not None and not sample.options:
        raise DataError(f'{where} has a "choice", but no "options".')
    if not sample.spans and not sample.options:
        raise DataError(f'{where}: "spans" is empty; only a question with options may have none.')


def _non_empty(record: AnnotationRecord, key: str) -> str:
    text = record.text(key)
    if not text.strip():
        raise DataError(f'{record.where}: "{key}" is empty.')
    return text


def _optional(record: AnnotationRecord, key: str) -> str | None:
    return None if record.table.get(key) is None else record.text(key)


def _clip(record: AnnotationRecord) -> Span | None:
    if record.table.get("clip") is None:
        return None
    clip = record.span("clip")
    if not 0 <= clip.start < clip.end:
        raise DataError(f'{record.where}: "clip" must be a part of the video, not {list(clip)}.')
    return clip


def _duration(record: AnnotationRecord) -> float | None:
    duration = record.optional_seconds("duration")
    if duration is not None and duration <= 0:
        raise DataError(f'{record.where}: "duration" must be above 0, not {duration:g}.')
    return duration


def _difficulty(record: AnnotationRecord) -> Difficulty | None:
    table = record.table.get("difficulty")
    if table is None:
        return None
    if not isinstance(table, dict):
        raise DataError(f'{record.where}: "difficulty" must be an object.')
    inner = AnnotationRecord(f"{record.where}, difficulty", table)
    _check_keys(inner, DIFFICULTY_KEYS)
    return Difficulty(
        mean_iou=_share(inner, "mean_iou"),
        deviation=_share(inner, "deviation"),
        parse_failures=_share(inner, "parse_failures"),
        rewards=tuple(AnnotationRecord.seconds(r, "rewards") for r in _each(inner, "rewards")),
        ious=tuple(_share(r, "ious") for r in _each(inner, "ious")) if "ious" in table else (),
    )


def _share(record: AnnotationRecord, key: str) -> float:
    value = record.seconds(key)
    if not 0 <= value <= 1:
        raise DataError(f'{record.where}: "{key}" must lie between 0 and 1, not {value:g}.')
    return value


def _each(record: AnnotationRecord, key: str) -> Iterator[AnnotationRecord]:
    """Yield a list's numbers as records with one number each."""
    values = record.table.get(key)
    if not isinstance(values, list):
        raise DataError(f'{record.where}: "{key}" must be a list of numbers.')
    yield from (AnnotationRecord(record.where, {key: value}) for value in values)


def _check_keys(record: AnnotationRecord, allowed: Sequence[str]) -> None:
    for key in record.table:
        if key not in allowed:
            raise DataError(f'{record.where}: there is no key "{key}". {suggestion(key, allowed)}')


def plain_sample(sample: TrainingSample) -> dict[str, Any]:
    """Return a sample as plain values, as for a digest; without `ious` where there are none."""
    table = asdict(sample)
    if sample.difficulty is not None and not sample.difficulty.ious:
        del table["difficulty"]["ious"]
    return table


def sample_json(sample: TrainingSample) -> str:
    """Return a sample as a line of JSON, without optional keys that have no value."""
    table = plain_sample(sample)
    kept = {key: value for key, value in table.items() if key == "spans" or value not in (None, ())}
    return json.dumps(kept, ensure_ascii=False, allow_nan=False)
