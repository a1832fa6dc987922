"""Converters of the data of TVG-R1, TimeLens, TimeLens2 and Time-R1; common rules: `converters`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from string import ascii_uppercase

from vtg_eval.annotations.records import AnnotationRecord, read_lines, read_list
from vtg_eval.errors import DataError
from vtg_eval.parsing.spans import strict
from vtg_eval.types import Span

from .sample import Difficulty, TrainingSample, relative_video

LETTERED = re.compile(r"\(?([A-Z])[).:]\s*(.*)", re.ASCII | re.DOTALL)
VIDEO_TAG = "<video>"
# the end of TVG-R1's prompt; the text before it is instruction, not query
QUERY = re.compile(r"Now I give you the query: '(.*)'", re.DOTALL)
ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}
# "4jujhM5qhEc_00:00:39:000_00:01:24:700": the name of a file that is a part of a longer video
CUT = re.compile(r".+_\d\d:\d\d:\d\d:\d{3}_\d\d:\d\d:\d\d:\d{3}", re.ASCII)


def tvg_r1_rl(path: Path) -> Iterator[TrainingSample]:
    """TVG_RL.json and TVG_RL_val.json: {dataset, video, video_length, problem, choices, …}.

    "gt_frame" is the moment (seconds), "ground_truth" the right option of a question. The layout
    is the one that the training code reads (EasyR1/verl/utils/dataset_video.py and reward_score
    of zjuruizhechen/TVG-R1); the files were not seen. "problem" is the query, unchanged.
    "choices" may be an empty text; a non-empty text, which the code appends to the problem, is
    refused, because its division into options is not documented.
    """
    for number, record in enumerate(read_list(path)):
        options = _options(record)
        yield TrainingSample(
            id=f"{path.stem}/{number}",
            video=relative_video(record.text("video"), record.where),
            query=record.text("problem").strip(),
            spans=(record.span("gt_frame"),),
            source=f"tvg-r1/{record.text('dataset')}",
            duration=record.optional_duration("video_length"),  # the code reads some without
            options=options,
            choice=_choice(record, options) if options else None,
        )


def _options(record: AnnotationRecord) -> tuple[str, ...]:
    """Return the options without their letters, where all have letters in order."""
    choices = record.table.get("choices")
    if choices is None or (isinstance(choices, str) and not choices.strip()):
        return ()
    options = record.texts("choices")
    matches = [match for option in options if (match := LETTERED.fullmatch(option))]
    letters = [match[1] for match in matches]
    if letters == list(ascii_uppercase[: len(options)]):
        return tuple(match[2] for match in matches)
    return options


def _choice(record: AnnotationRecord, options: Sequence[str]) -> str:
    """Return the right letter; the file may have the letter or the option's text."""
    answer = record.text("ground_truth").strip()
    letters = ascii_uppercase[: len(options)]
    if len(answer) == 1 and answer in letters:
        return answer
    if answer in options:
        return letters[options.index(answer)]
    raise DataError(f'{record.where}: "ground_truth" is not one of the choices: `{answer[:60]}`.')


def conversations(path: Path) -> Iterator[TrainingSample]:
    """Read a JSON list, or JSON lines, of conversations with one question and one answer.

    Two layouts are supported: {"messages": [{"role", "content"}], "videos": [path]}, documented
    by ms-swift and LLaMA-Factory, and {"conversations": [{"from", "value"}], "video": path}. The
    label is the span of the answer, the answer is the reasoning text. The query is the quoted
    text in TVG-R1's prompt (of its evaluation code), else the whole question.

    TVG-R1's cold-start file (TVG_Coldstart.json) was not seen. By its authors (issue 1 of the
    repository) the training targets are the annotating model's spans, which are those in the
    answers. If it has another layout, the error names the missing key.
    """
    records = read_lines(path) if path.suffix == ".jsonl" else read_list(path)
    for number, record in enumerate(records):
        question, answer = _last_exchange(record)
        spans = tuple(Span(span.start, span.end) for span in strict(answer).spans)
        if not spans:
            raise DataError(f"{record.where}: no span in the answer `{answer[-60:]}`.")
        yield TrainingSample(
            id=f"{path.stem}/{number}",
            video=relative_video(_video(record), record.where),
            query=_query(question),
            spans=spans,
            source=path.stem,
            reasoning=answer,
        )


def _last_exchange(record: AnnotationRecord) -> tuple[str, str]:
    """Return the last question and its answer, without a system message."""
    key, role, text = ("messages", "role", "content")
    if "conversations" in record.table:
        key, role, text = ("conversations", "from", "value")
    messages = {ROLES.get(m.text(role)): m.text(text) for m in record.records(key)}
    if "user" not in messages or "assistant" not in messages:
        raise DataError(f'{record.where}: "{key}" needs a question and an answer.')
    return messages["user"], messages["assistant"].strip()


def _video(record: AnnotationRecord) -> str:
    if "videos" not in record.table:
        return record.text("video")
    videos = record.texts("videos")
    if len(videos) != 1:
        raise DataError(f'{record.where}: "videos" must have one path, not {len(videos)}.')
    return videos[0]


def _query(question: str) -> str:
    quoted = QUERY.search(question)
    return (quoted[1] if quoted else question.replace(VIDEO_TAG, "")).strip()


def timelens_100k(path: Path) -> Iterator[TrainingSample]:
    """timelens-100k.jsonl: one video a line, {source, video_path, duration, events}.

    An event is {query, span}. The layout is the one that the authors' loader reads
    (timelens/dataset/timelens_data.py of TencentARC/TimeLens); the file was not seen.
    """
    for number, record in enumerate(read_lines(path)):
        for event_number, event in enumerate(record.records("events")):
            yield _sample(f"timelens-100k/{number}/{event_number}", record, event, None)


def timelens_filtered(path: Path) -> Iterator[TrainingSample]:
    """Read the filter stage's JSON lines: {source, video_path, duration, query, span, iou, …}.

    "iou" is the IoU of one greedy answer. The layout is the one that the authors' script writes
    (training/filter of TencentARC/TimeLens); the file was not seen. Its video paths begin with
    the authors' own folder, data/TimeLens-100K/videos.
    """
    for number, record in enumerate(read_lines(path)):
        iou = record.seconds("iou")
        if not 0 <= iou <= 1:
            raise DataError(f'{record.where}: "iou" must lie between 0 and 1, not {iou:g}.')
        difficulty = Difficulty(mean_iou=iou, rewards=(iou,))
        yield _sample(f"timelens-filtered/{number}", record, record, difficulty)


def timelens2_93k(path: Path) -> Iterator[TrainingSample]:
    """TimeLens2-93K_raw_annotations.jsonl: one video a line, {video_id, annotations}.

    An annotation is {text, timestamps}, with all moments of the query. The video is <video_id>.mp4;
    its length is not in the file. Also the rows that TimeLens2 trains on: {video_path, duration,
    events} with {query, span} as events, and one row for each query, {video_path, duration, query,
    span}. The layouts are those that the authors' scripts read and write (grpo/tools and
    grpo/timelens of MCG-NJU/TimeLens2 at 2eb53e25); the files were not seen.
    """
    for number, record in enumerate(read_lines(path)):
        raw = "annotations" in record.table
        video = f"{record.text('video_id')}.mp4" if raw else record.text("video_path")
        for event_number, (query, spans) in enumerate(_events(record)):
            yield TrainingSample(
                id=f"timelens2-93k/{number}/{event_number}",
                video=relative_video(video, record.where),
                query=query.strip(),
                spans=spans,
                source="timelens2-93k",
                duration=record.optional_duration("duration"),
            )


def _events(record: AnnotationRecord) -> Iterator[tuple[str, tuple[Span, ...]]]:
    """Yield each query of a row of TimeLens2, in any of its layouts, and its moments."""
    if "annotations" in record.table:
        for event in record.records("annotations"):
            yield event.text("text"), event.spans("timestamps")
    else:
        for event in record.records("events") if "events" in record.table else (record,):
            yield event.text("query"), _spans(event)


def _sample(
    name: str, record: AnnotationRecord, event: AnnotationRecord, difficulty: Difficulty | None
) -> TrainingSample:
    return TrainingSample(
        id=name,
        video=relative_video(record.text("video_path"), record.where),
        query=event.text("query").strip(),
        spans=_spans(event),
        source=f"timelens-100k/{record.text('source')}",
        duration=record.optional_duration("duration"),
        difficulty=difficulty,
    )


def _spans(event: AnnotationRecord) -> tuple[Span, ...]:
    """Return "span", which is one [start, end] or a list of them: the authors read both."""
    value = event.table.get("span")
    several = isinstance(value, list) and any(isinstance(item, list) for item in value)
    return event.spans("span") if several else (event.span("span"),)


def time_r1(path: Path) -> Iterator[TrainingSample]:
    """train_2k5.json of xiaomi-research/time-r1 (seen), video paths below the repository.

    "difficulty" is the base model's IoU in percent, for the one answer in "pred". "video_start"
    and "video_end" are the bounds of a clip in a longer video (the authors, issue 22). A file
    whose name has such bounds is taken as the clip, any other as the longer video. The videos
    were not seen.
    """
    for number, record in enumerate(read_list(path)):
        video = relative_video(record.text("video"), record.where)
        difficulty = record.seconds("difficulty") / 100
        if not 0 <= difficulty <= 1:
            raise DataError(f'{record.where}: "difficulty" must lie between 0 and 100.')
        yield TrainingSample(
            id=f"time-r1/{number}",
            video=video,
            query=record.text("sentence").strip(),
            spans=(record.span("timestamp"),),
            source="time-r1",
            clip=None if CUT.fullmatch(PurePosixPath(video).stem) else _clip(record),
            duration=record.optional_duration("duration"),
            difficulty=Difficulty(mean_iou=difficulty, rewards=(difficulty,)),
        )


def _clip(record: AnnotationRecord) -> Span | None:
    start, end = record.optional_seconds("video_start"), record.optional_seconds("video_end")
    if start is None and end is None:
        return None
    if start is None or end is None or not 0 <= start < end:
        raise DataError(f'{record.where}: "video_start" and "video_end" must be a part of a video.')
    return Span(start, end)
