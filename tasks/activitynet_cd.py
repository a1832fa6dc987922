"""ActivityNet-CD: the moments of ActivityNet Captions split anew by their positions."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.captions import CaptionsTask
from vtg_eval.task import load_card


class ActivityNetCD(CaptionsTask):
    """In test_ood the positions of moments differ from those in train, in test_iid they do not."""

    card = load_card(Path(__file__).with_suffix(".toml"))
    annotation = MappingProxyType(
        {
            "test_ood": "anet_test_ood.json",
            "test_iid": "anet_test_iid.json",
            "val": "anet_val.json",
        }
    )
    suffixes = (".mp4", ".mkv", ".webm")
    moment_bounds = (15.0, 60.0)


TASK = ActivityNetCD()
