"""TACoS: kitchen activities, with times in frames."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.captions import CaptionsTask
from vtg_eval.annotations.records import AnnotationRecord
from vtg_eval.errors import DataError
from vtg_eval.task import load_card
from vtg_eval.types import Span


class TACoS(CaptionsTask):
    """Moments and durations are numbers of frames, divided here by the frame rate."""

    card = load_card(Path(__file__).with_suffix(".toml"))
    annotation = MappingProxyType({"test": "test.json", "val": "val.json"})
    suffixes = ("", ".mp4")  # a video id ends in .avi
    moment_bounds = (10.0, 30.0)
    video_bounds = (120.0, 300.0)

    def duration(self, record: AnnotationRecord) -> float:
        """Return a video's length in seconds."""
        return record.seconds("num_frames") / _rate(record)

    def seconds(self, record: AnnotationRecord, span: Span) -> Span:
        """Return a span of frames in seconds."""
        rate = _rate(record)
        return Span(span.start / rate, span.end / rate)


def _rate(record: AnnotationRecord) -> float:
    """Return frames a second; raises DataError."""
    rate = record.seconds("fps")
    if rate <= 0:
        raise DataError(f'{record.where}: "fps" must be above 0, not {rate:g}.')
    return rate


TASK = TACoS()
