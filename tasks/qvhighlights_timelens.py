"""QVHighlights-TimeLens: QVHighlights annotated anew, a part of TimeLens-Bench."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.captions import CaptionsTask
from vtg_eval.task import load_card


class QVHighlightsTimeLens(CaptionsTask):
    """One moment for each query; prompts cut the white space that queries hold."""

    card = load_card(Path(__file__).with_suffix(".toml"))
    annotation = MappingProxyType({"test": "qvhighlights-timelens.json"})
    spans_key = "spans"
    queries_key = "queries"
    video_folders = ("videos/qvhighlights", "videos")
    moment_bounds = (10.0, 30.0)


TASK = QVHighlightsTimeLens()
