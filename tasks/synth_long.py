"""synth_long: generated videos as those of synth_vtg, but longer than any that nano was made on."""

from __future__ import annotations

from pathlib import Path

from vtg_eval.task import load_card

from .synth_scene import Setting
from .synth_vtg import HERE, RECIPE, SynthVtg


class SynthLong(SynthVtg):
    """The split `far` is longer still than the others."""

    card = load_card(HERE / "synth_long.toml")
    code = (*RECIPE, Path(__file__).name)
    settings = {  # noqa: RUF012 - declared in SynthVtg
        "train": Setting(shortest=24.0, longest=34.0, absentees=False),
        "val": Setting(shortest=24.0, longest=34.0, absentees=False),
        "test": Setting(shortest=24.0, longest=34.0, absentees=False),
        "far": Setting(shortest=34.0, longest=44.0, absentees=False),
    }


TASK = SynthLong()
