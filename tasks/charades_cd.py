"""Charades-CD: the moments of Charades-STA split anew by their positions."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.captions import CaptionsTask
from vtg_eval.task import load_card


class CharadesCD(CaptionsTask):
    """In test_ood the positions of moments differ from those in train, in test_iid they do not."""

    card = load_card(Path(__file__).with_suffix(".toml"))
    annotation = MappingProxyType(
        {
            "test_ood": "charades_test_ood.json",
            "test_iid": "charades_test_iid.json",
            "val": "charades_val.json",
        }
    )
    duration_key = "video_duration"
    video_folders = ("videos", "Charades_v1_480", "Charades_v1")
    moment_bounds = (5.0, 10.0)
    video_bounds = (25.0, 35.0)


TASK = CharadesCD()
