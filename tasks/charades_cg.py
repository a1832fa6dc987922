"""Charades-CG: new words, and known words in new compositions."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from vtg_eval.annotations.captions import CaptionsTask
from vtg_eval.task import load_card


class CharadesCG(CaptionsTask):
    """Each split has what the train split lacks: compositions, words, or neither."""

    card = load_card(Path(__file__).with_suffix(".toml"))
    annotation = MappingProxyType(
        {
            "novel_composition": "novel_composition.json",
            "novel_word": "novel_word.json",
            "test_trivial": "test_trivial.json",
        }
    )
    video_folders = ("videos", "Charades_v1_480", "Charades_v1")
    moment_bounds = (5.0, 10.0)
    video_bounds = (25.0, 35.0)


TASK = CharadesCG()
