"""The floors of the leaderboard, against those computed from the annotation files."""

from vtg_eval.leaderboard.board import FLOORS, PUBLISHED, SHIPPED, load_board
from vtg_eval.leaderboard.floor_rows import floors_text

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.registry import Registry


@needs_benchmarks
def test_the_floors_are_current():
    registry = Registry.discover()
    benchmarks = load_board(SHIPPED, registry).published.benchmarks.values()
    committed = (SHIPPED / PUBLISHED / FLOORS).read_text(encoding="utf-8")
    assert committed == floors_text(registry, benchmarks, BENCHMARKS), (
        "run `python -m vtg_eval.leaderboard.floor_rows leaderboard/published/floors.csv DATA_ROOT`"
    )
