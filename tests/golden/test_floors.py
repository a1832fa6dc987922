"""The floors of Charades-STA and ActivityNet Captions, against figures of an earlier survey.

The survey rounded twice (27.849 to 27.85 to 27.9), and so does this comparison.
"""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.registry import Registry
from vtg_eval.report.floors_page import floors_page
from vtg_eval.scoring.floors import floors

pytestmark = needs_benchmarks

# R1@0.3, R1@0.5, R1@0.7, mIoU
CHARADES = {
    "whole video": (34.3, 0.4, 0.0, 27.0),
    "random": (27.9, 11.1, 3.1, 18.1),
    "constant [0, 0.45]": (48.8, 27.7, 11.9, 30.6),
}
ACTIVITYNET = {
    "whole video": (48.0, 21.2, 12.4, 34.6),
    "random": (26.9, 13.8, 4.8, 18.5),
    "constant [0.3, 0.95]": (48.2, 29.1, 7.3, 30.2),
}


def rounded(value: float) -> float:
    once = Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return float(once.quantize(Decimal("0.1"), ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("name", "published"), [("charades_sta", CHARADES), ("activitynet_captions", ACTIVITYNET)]
)
def test_floors_give_the_published_figures(name, published):
    registry = Registry.discover()
    task = registry.task(name)
    split = task.card.default_split
    samples = task.samples(BENCHMARKS, split)
    rows = floors(task.card, split, samples, registry.protocol_for(task.card, "strict@2"))
    figures = {row.name: tuple(map(rounded, row.metrics.values())) for row in rows}
    assert figures == published


def test_the_constant_with_the_best_recall_at_a_half():
    registry = Registry.discover()
    task = registry.task("charades_sta")
    samples = task.samples(BENCHMARKS, "test")
    card = replace(task.card, constant_span=None)
    *_, floor = floors(card, "test", samples, registry.protocol_for(card, "strict@2"), (0.0, 0.3))
    assert floor.name == "constant [0, 0.3]"
    assert [rounded(value) for value in floor.metrics.values()] == [40.3, 30.7, 15.2, 28.1]


def test_the_page_of_floors_is_current():
    page = Path(__file__).parents[2] / "docs" / "floors.md"
    assert page.read_text() == floors_page(Registry.discover(), BENCHMARKS), (
        "run `python -m vtg_eval.report.floors_page docs/floors.md DATA_ROOT`"
    )
