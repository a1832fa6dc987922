"""Converters of benchmarks' train splits, and of other collections of described moments.

The source of a benchmark's sample is the name of its task, so that it is asked as in that task.
Rules of all converters: see `converters`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from vtg_eval.annotations.records import AnnotationRecord, read_lines, read_list, read_table
from vtg_eval.annotations.sentence_lines import read_lengths, read_sentence_lines
from vtg_eval.errors import DataError, UserError
from vtg_eval.types import Span

from .sample import TrainingSample, relative_video

LENGTHS = "Charades_v1_train.csv"
SHOWN = Span(0.0, 30.0)  # the part of longer videos that DiDeMo's annotators saw
CHUNK = 5.0  # seconds, DiDeMo's unit of time


def charades_sta(path: Path) -> Iterator[TrainingSample]:
    """charades_sta_train.txt (seen); durations from Charades_v1_train.csv beside it, if any."""
    durations = read_lengths(path.with_name(LENGTHS))
    for line in read_sentence_lines(path):
        yield TrainingSample(
            id=f"charades_sta/{line.id}",
            video=f"{line.video}.mp4",
            query=line.sentence,
            spans=(line.span,),
            source="charades_sta",
            duration=durations.get(line.video),
        )


def activitynet(path: Path) -> Iterator[TrainingSample]:
    """ActivityNet Captions, train.json: seconds, ids like "v_uqiMw7tQ1Cc".

    Seen: the validation files, which have the same layout.
    """
    return _captions(path, "activitynet_captions", lambda record: 1.0, "duration", ".mp4")


def tacos(path: Path) -> Iterator[TrainingSample]:
    """TACoS as microsoft/2D-TAN has it (data/TACoS/train.json): frames, "fps" and "num_frames".

    The ids are names of files, like "s34-d28.avi". Seen: val.json and test.json beside it.
    """
    return _captions(path, "tacos", _rate, "num_frames", "")


def queryd(path: Path) -> Iterator[TrainingSample]:
    """QuerYD's train split, written as JSON in this layout (seconds) by the user.

    The data set comes as pickles (captions, times) and lists of videos, and no pickle is opened
    here. So the layout of the JSON is ours.
    """
    if path.suffix == ".pkl":
        raise UserError(
            f"{path} is a pickle, which can run any code when it is opened. Write QuerYD's train "
            'split as JSON, {video: {"duration": …, "timestamps": [[start, end], …], '
            '"sentences": […]}}, and give that file.'
        )
    return _captions(path, "queryd", lambda record: 1.0, "duration", ".mp4")


def _captions(
    path: Path, source: str, rate: Callable[[AnnotationRecord], float], length: str, suffix: str
) -> Iterator[TrainingSample]:
    """Yield a sample for each sentence. rate: units of the file's times in one second."""
    for video, record in read_table(path).items():
        spans, sentences = record.spans("timestamps"), record.texts("sentences")
        if len(spans) != len(sentences):
            raise DataError(
                f"{record.where}: {len(spans)} timestamps, but {len(sentences)} sentences."
            )
        scale, whole = rate(record), record.optional_duration(length)
        for number, (span, sentence) in enumerate(zip(spans, sentences, strict=True)):
            yield TrainingSample(
                id=f"{source}/{video}/{number}",
                video=relative_video(f"{video}{suffix}", record.where),
                query=sentence.strip(),
                spans=(Span(span.start / scale, span.end / scale),),
                source=source,
                duration=None if whole is None else whole / scale,
            )


def _rate(record: AnnotationRecord) -> float:
    rate = record.seconds("fps")
    if rate <= 0:
        raise DataError(f'{record.where}: "fps" must be above 0, not {rate:g}.')
    return rate


def qvhighlights(path: Path) -> Iterator[TrainingSample]:
    """highlight_train_release.jsonl of jayleicn/moment_detr (seen)."""
    for record in read_lines(path):
        yield TrainingSample(
            id=f"qvhighlights/{record.text('qid')}",
            video=relative_video(f"{record.text('vid')}.mp4", record.where),
            query=record.text("query").strip(),
            spans=record.spans("relevant_windows"),
            source="qvhighlights",
            duration=record.optional_duration("duration"),
        )


def didemo(path: Path) -> Iterator[TrainingSample]:
    """train_data.json of LisaAnne/LocalizingMoments. Seen: val_data.json and test_data.json.

    The label is the segment that most annotators chose; of several with the same count the first
    in the file (our choice: the evaluation keeps all, and other loaders take a mean). The
    video is <video>.mp4, as the authors' script for AWS names it.
    """
    for record in read_list(path):
        yield TrainingSample(
            id=f"didemo/{record.text('annotation_id')}",
            video=relative_video(f"{record.text('video')}.mp4", record.where),
            query=record.text("description").strip(),
            spans=(_agreed(record),),
            source="didemo",
            clip=SHOWN,
            duration=record.whole("num_segments") * CHUNK,
        )


def _agreed(record: AnnotationRecord) -> Span:
    chosen = Counter(record.spans("times")).most_common(1)
    if not chosen:
        raise DataError(f'{record.where}: "times" is empty.')
    (first, last), _ = chosen[0]
    return Span(first * CHUNK, (last + 1) * CHUNK)


def hirest(path: Path) -> Iterator[TrainingSample]:
    """Moment retrieval: the part of a video that a how-to query is about.

    all_data_train.json of j-min/HiREST (seen). Videos that are not about the query, or are about
    it as a whole, have no moment and are left out.
    """
    for query, video, record in _clipped(path):
        yield TrainingSample(
            id=f"hirest/{video}/{query}",
            video=relative_video(video, record.where),
            query=query.strip(),
            spans=(record.span("bounds"),),
            source="hirest",
            duration=record.optional_duration("v_duration"),
        )


def hirest_steps(path: Path) -> Iterator[TrainingSample]:
    """Steps: each step's heading is the query, its bounds in the whole video the label.

    The same file. Headings have no context, so some are vague.
    """
    for query, video, record in _clipped(path):
        for number, step in enumerate(record.records("steps")):
            yield TrainingSample(
                id=f"hirest-steps/{video}/{query}/{number}",
                video=relative_video(video, record.where),
                query=step.text("heading").strip(),
                spans=(step.span("absolute_bounds"),),
                source="hirest-steps",
                duration=record.optional_duration("v_duration"),
            )


def _clipped(path: Path) -> Iterator[tuple[str, str, AnnotationRecord]]:
    for query, videos in read_table(path).items():
        for video in videos.table:
            record = _inner(videos, video)
            if _flag(record, "relevant") and _flag(record, "clip"):
                yield query, video, record


def _inner(videos: AnnotationRecord, video: str) -> AnnotationRecord:
    table = videos.table[video]
    if not isinstance(table, dict):
        raise DataError(f'{videos.where}: "{video}" must be an object.')
    return AnnotationRecord(f"{videos.where}, {video}", table)


def _flag(record: AnnotationRecord, key: str) -> bool:
    value = record.table.get(key)
    if not isinstance(value, bool):
        raise DataError(f'{record.where}: "{key}" must be true or false.')
    return value


def internvid_vtime(path: Path) -> Iterator[TrainingSample]:
    """The file of VideoMind's data, whose queries are rewritten from the captions.

    The layout is the one that VideoMind's loader reads (also the copy in zjuruizhechen/TVG-R1);
    the file was not seen. Times count from the start of the cropped videos that go with it.
    """
    for number, record in enumerate(read_lines(path)):
        video = record.text("vid")
        yield TrainingSample(
            id=f"internvid-vtime/{video}/{number}",
            video=relative_video(f"{video}.mp4", record.where),
            query=record.text("query").strip(),
            spans=(record.span("span"),),
            source="internvid-vtime",
            duration=record.optional_duration("duration"),
        )
