"""The leaderboard's floors are those of the annotation files."""

import os
from pathlib import Path

import pytest
from vtg_eval.leaderboard.board import FLOORS, PUBLISHED, SHIPPED, load_board
from vtg_eval.leaderboard.floor_rows import floors_text

from vtg_eval.registry import Registry

BENCHMARKS = os.environ.get("VTG_EVAL_BENCHMARKS")


@pytest.mark.skipif(not BENCHMARKS, reason="VTG_EVAL_BENCHMARKS is not set")
def test_the_floors_are_current():
    registry = Registry.discover()
    benchmarks = load_board(SHIPPED, registry).published.benchmarks.values()
    committed = (SHIPPED / PUBLISHED / FLOORS).read_text(encoding="utf-8")
    assert committed == floors_text(registry, benchmarks, Path(BENCHMARKS)), (
        "run `python -m vtg_eval.leaderboard.floor_rows leaderboard/published/floors.csv DATA_ROOT`"
    )
