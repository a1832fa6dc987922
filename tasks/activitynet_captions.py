"""ActivityNet Captions: long videos, several described moments each."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.captions import CaptionsTask
from vtg_eval.task import load_card


class ActivityNetCaptions(CaptionsTask):
    """val_2 is what grounding papers call the test split, val_1 their validation split."""

    card = load_card(Path(__file__).with_suffix(".toml"))
    annotation = MappingProxyType({"val_1": "val.json", "val_2": "val_2.json"})
    suffixes = (".mp4", ".mkv", ".webm")
    moment_bounds = (15.0, 60.0)


TASK = ActivityNetCaptions()
