"""Charades-TimeLens: Charades-STA annotated anew, a part of TimeLens-Bench."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.captions import CaptionsTask
from vtg_eval.task import load_card


class CharadesTimeLens(CaptionsTask):
    """One moment for each query; prompts cut the white space that queries hold."""

    card = load_card(Path(__file__).with_suffix(".toml"))
    annotation = MappingProxyType({"test": "charades-timelens.json"})
    spans_key = "spans"
    queries_key = "queries"
    video_folders = ("videos/charades", "videos")
    moment_bounds = (5.0, 10.0)
    video_bounds = (25.0, 35.0)


TASK = CharadesTimeLens()
