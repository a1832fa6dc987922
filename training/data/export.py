"""Data for native-video training elsewhere: ms-swift's JSON lines, verl's and EasyR1's Parquet.

The layouts are those that these projects document and load: ms-swift's "Custom dataset" page and
swift/dataset/preprocessor/core.py at 05a12dc8; verl's docs/preparation/prepare_data.rst, and
verl/utils/dataset (rl_dataset.py, vision_utils.py); EasyR1's verl/utils/dataset.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vtg_eval.errors import UserError, suggestion
from vtg_eval.files.atomic import atomic_path, explained, write_text
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.question import question, wording

from ..recipe import Recipe, SftRule
from .sample import TrainingSample
from .target_text import target_text

VIDEO_TAG = "<video>"
# what the loaders replace by a file; in a data set's own text it would ask for one more
TAGS = re.compile(r"<(?=(?:image|video|audio)>)")
ABILITY = "video temporal grounding"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exporter:
    """What turns a recipe's samples into rows of another project.

    protocol: returns what a sample is asked under. factor: px along a side of one of the model's
    visual tokens. videos: the folder of videos.
    """

    recipe: Recipe
    protocol: Callable[[TrainingSample], ResolvedProtocol]
    factor: int
    videos: Path

    def prompt(self, sample: TrainingSample) -> str:
        """Return the user's message with the tag where the video goes, and no other tag."""
        rule = self.protocol(sample).prompt
        text = question(sample.to_sample(), rule, (), lambda t: TAGS.sub("< ", t))
        first = rule.layout == "video-first"
        return f"{VIDEO_TAG}{text}" if first else f"{text}{VIDEO_TAG}"

    def messages(self, sample: TrainingSample) -> list[dict[str, str]]:
        """Return the chat that asks the sample."""
        system = self.protocol(sample).prompt.system
        head = [{"role": "system", "content": system}] if system else []
        return [*head, {"role": "user", "content": self.prompt(sample)}]

    def path(self, sample: TrainingSample) -> str:
        """Return the video's absolute path."""
        return str((self.videos / sample.video).resolve())

    def solution(self, sample: TrainingSample) -> str:
        """Return the label as JSON: what a reward needs besides the answer. Times are seconds."""
        label = {
            "id": sample.id,
            "spans": [list(span) for span in sample.spans],
            "choice": sample.choice,
            "duration": sample.duration,
        }
        return json.dumps(label, ensure_ascii=False, allow_nan=False)


def swift_lessons(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterable[Row]:
    """Yield ms-swift's rows for supervised fine-tuning."""
    rule = exporter.recipe.sft or SftRule(steps=1)
    for sample in samples:
        answer = target_text(sample, exporter.protocol(sample), rule.reasoning, rule.quantum)
        said = {"role": "assistant", "content": TAGS.sub("< ", answer)}
        yield {
            "messages": [*exporter.messages(sample), said],
            "videos": [exporter.path(sample)],
        }


def swift_questions(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterable[Row]:
    """Yield ms-swift's rows for GRPO; `solution` reaches the reward function."""
    for sample in samples:
        yield {
            "messages": exporter.messages(sample),
            "videos": [exporter.path(sample)],
            "solution": exporter.solution(sample),
        }


def verl_questions(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterable[Row]:
    """Yield verl's rows; a video is what qwen-vl-utils takes, its frames as the protocol says."""
    for index, sample in enumerate(samples):
        start, end = (None, None) if sample.clip is None else sample.clip
        yield {
            "data_source": sample.source,
            "prompt": exporter.messages(sample),
            "videos": [
                {
                    "type": "video",
                    "video": f"file://{exporter.path(sample)}",
                    "video_start": start,
                    "video_end": end,
                    **frame_arguments(exporter.protocol(sample).frames, exporter.factor),
                }
            ],
            "ability": ABILITY,
            "reward_model": {"style": "rule", "ground_truth": exporter.solution(sample)},
            "extra_info": {"split": "train", "index": index, "id": sample.id},
        }


def easyr1_questions(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterable[Row]:
    """Yield EasyR1's rows. Raises UserError where the protocol has a system message."""
    for sample in samples:
        protocol = exporter.protocol(sample)
        if protocol.prompt.system:
            raise UserError(
                f"The protocol {protocol.name} has a system message, and EasyR1's data has no "
                "place for one. Export to verl or ms-swift."
            )
        yield {
            "prompt": exporter.prompt(sample),
            "videos": [exporter.path(sample)],
            "answer": exporter.solution(sample),
        }


def frame_arguments(rule: FrameRule, factor: int) -> dict[str, float]:
    """Return the rule in the words of qwen-vl-utils. Raises UserError for frames it cannot choose.

    Its bounds on sizes are in px, and its bound on the whole video is on pairs of frames, too.
    """
    if rule.policy == "uniform":
        raise UserError('qwen-vl-utils does not know the frame policy "uniform"; take another.')
    area = factor * factor
    return {
        "fps": rule.fps,
        "min_frames": rule.min_frames,
        "max_frames": rule.max_frames,
        "min_pixels": rule.min_tokens * area,
        "max_pixels": rule.max_tokens * area,
        "total_pixels": rule.total_tokens * area,
    }


Rows = Callable[[Exporter, Iterable[TrainingSample]], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Layout:
    """One project's files: name and rows of each; `clips`: it can show a part of a video."""

    lessons: tuple[str, Rows] | None
    questions: tuple[str, Rows]
    clips: bool = False


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "ms-swift": Layout(("sft.jsonl", swift_lessons), ("rl.jsonl", swift_questions)),
        "verl": Layout(None, ("rl.parquet", verl_questions), clips=True),
        "easyr1": Layout(None, ("rl.parquet", easyr1_questions)),
    }
)


def export(
    exporter: Exporter,
    to: str,
    lessons: Sequence[TrainingSample],
    questions: Sequence[TrainingSample],
    out: Path,
) -> Mapping[Path, int]:
    """Write the files of a project into `out`; return how many rows each has.

    lessons are for supervised fine-tuning, questions for RL; a file is written for each stage
    that the recipe and the project have. Raises UserError for an unknown project, a file that is
    there already, a part of a video where the project shows whole ones only, and a protocol
    without the prompt that is needed, or with frame times or subtitles in it.
    """
    if to not in LAYOUTS:
        raise UserError(f'There is no export to "{to}". {suggestion(to, LAYOUTS)}')
    layout, recipe = LAYOUTS[to], exporter.recipe
    wanted = [(layout.lessons, lessons)] if recipe.sft else []
    wanted += [(layout.questions, questions)] if recipe.rl else []
    files = [(out / part[0], part[1], samples) for part, samples in wanted if part is not None]
    if not files:
        raise UserError(f"{to} gets no file from {recipe.name}: it has no such stage.")
    for path, _, samples in files:
        _check(exporter, to, layout, samples)
        if path.exists():
            raise UserError(f"{path} is there already. Remove it or name another folder.")
    out.mkdir(parents=True, exist_ok=True)
    return {path: _write(path, list(rows(exporter, samples))) for path, rows, samples in files}


def _check(exporter: Exporter, to: str, layout: Layout, samples: Sequence[TrainingSample]) -> None:
    if not samples:
        raise UserError("There is no sample to export.")
    for protocol, asks in dict.fromkeys((exporter.protocol(s), s.asks) for s in samples):
        words = wording(asks, protocol.prompt)
        if not words:
            raise UserError(f"The protocol {protocol.name} has no prompt that asks for {asks}.")
        if "{frame_times}" in words or protocol.prompt.subtitles != "none":
            raise UserError(
                f"{protocol.name} shows frame times or subtitles, known only when frames are read."
            )
    parts = sum(sample.clip is not None for sample in samples)
    if parts and not layout.clips:
        raise UserError(
            f"{parts} samples show a part of a file, and {to} shows whole files only. Cut the "
            "files, or export to verl."
        )


def _write(path: Path, rows: Sequence[Row]) -> int:
    """Write a file, whole or not at all; return how many rows it has."""
    if path.suffix == ".parquet":
        with explained(path), atomic_path(path) as part:
            _write_parquet(part, rows)
    else:
        lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
        write_text(path, "".join(lines))
    return len(rows)


def _write_parquet(path: Path, rows: Sequence[Row]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as exc:
        raise UserError('Parquet needs pyarrow, of the extra train (README, "Install").') from exc
    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)
