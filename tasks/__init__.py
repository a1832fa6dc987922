"""Benchmarks: one module and one card each. Protocols stand beside them as data."""

from collections.abc import Sequence
from pathlib import Path

from vtg_eval.hookspecs import Entry, hookimpl

HERE = Path(__file__).parent


@hookimpl
def vtg_tasks() -> Sequence[Entry]:
    """Provide the built-in benchmarks."""
    return (
        Entry("charades_sta", f"{__name__}.charades_sta:TASK", "Charades-STA: indoor activities"),
        Entry("synth_vtg", f"{__name__}.synth_vtg:TASK", "generated H.264 videos, exact truth"),
    )


@hookimpl
def vtg_protocols() -> Sequence[Path]:
    """Provide the built-in protocols."""
    return sorted((HERE / "protocols").glob("*.toml"))
