"""CG-Bench: questions on long videos, asked on the whole video, on its clues, and for the clues."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.multiple_choice import right_letter
from vtg_eval.annotations.records import AnnotationRecord, read_list
from vtg_eval.annotations.subtitles import read_subtitles
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Cue, Group, OutputType, Sample, Span, Target

ANNOTATION = MappingProxyType({"mini": "cgbench_mini.json", "full": "cgbench.json"})
BOUNDS = (10, 20, 30, 40, 50, 60)  # minutes; each bound is in the group below it
LENGTHS = ("0 ~ 10", "10 ~ 20", "20 ~ 30", "30 ~ 40", "40 ~ 50", "50 ~ 60", "60+")


class CGBench(Task):
    """Three samples for each record; their ids differ only after the slash."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return <qid>/long_acc, <qid>/clue_acc and <qid>/miou of each record, in file order."""
        records = read_list(self.file(root, ANNOTATION[split]))
        return [sample for record in records for sample in _samples(record)]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, ("videos", "cg_videos_720p"))

    def subtitles(self, root: Path, sample: Sample) -> Sequence[Cue]:
        """Return the cues of cg_subtitles/<video>.srt, in the shown video's time."""
        path = found_video(self.folder(root), root, sample.video, ("cg_subtitles",), (".srt",))
        cues = read_subtitles(path) if path.is_file() else ()
        return tuple(_shown(cues, sample.clips)) if sample.clips else cues


def _samples(record: AnnotationRecord) -> list[Sample]:
    name, video, query = record.text("qid"), record.text("video_uid"), record.text("question")
    options, clues = record.texts("choices"), record.spans("clue_intervals")
    duration, letter = record.duration("duration"), right_letter(record, "right_answer", options)
    groups = (
        Group("duration", LENGTHS[bisect_left(BOUNDS, duration / 60)]),
        Group("domain", record.text("domain")),
        Group("sub_category", record.text("sub_category")),
    )

    def sample(
        kind: str, target: Target, asks: OutputType, length: float, clips: tuple[Span, ...] = ()
    ) -> Sample:
        return Sample(
            id=f"{name}/{kind}",
            video=video,
            query=query.strip(),
            target=target,
            duration=length,
            options=options,
            groups=(Group("kind", kind), *groups),
            clips=clips,
            asks=asks,
        )

    shown = sum(end - start for start, end in clues)
    return [
        sample("long_acc", Target(choice=letter), OutputType.CHOICE, duration),
        sample("clue_acc", Target(choice=letter), OutputType.CHOICE, shown, clues),
        sample("miou", Target(spans=clues), OutputType.SPANS, duration),
    ]


def _shown(cues: Iterable[Cue], clips: Iterable[Span]) -> Iterator[Cue]:
    """Yield each clip's parts of the cues, in the time of the clips one after the other."""
    cues = tuple(cues)
    offset = 0.0
    for clip in clips:
        for cue in cues:
            start, end = max(cue.start, clip.start), min(cue.end, clip.end)
            if start < end:
                yield Cue(start - clip.start + offset, end - clip.start + offset, cue.text)
        offset += clip.end - clip.start


TASK = CGBench()
