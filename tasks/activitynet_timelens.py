"""ActivityNet-TimeLens: ActivityNet annotated anew, a part of TimeLens-Bench."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.captions import CaptionsTask
from vtg_eval.task import load_card


class ActivityNetTimeLens(CaptionsTask):
    """One moment for each query; prompts cut the white space that queries hold."""

    card = load_card(Path(__file__).with_suffix(".toml"))
    annotation = MappingProxyType({"test": "activitynet-timelens.json"})
    spans_key = "spans"
    queries_key = "queries"
    video_folders = ("videos/activitynet", "videos")
    moment_bounds = (15.0, 60.0)


TASK = ActivityNetTimeLens()
