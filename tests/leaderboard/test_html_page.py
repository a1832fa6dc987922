"""The leaderboard's HTML page in a real browser: sortable by mouse and keyboard, accessible."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator
from vtg_eval.leaderboard.board import SHIPPED, load_board
from vtg_eval.leaderboard.build import built_files

from tests.browser_case import Visit
from tests.leaderboard_case import ENTRY, part_of
from vtg_eval.registry import Registry

COMMITTED = Path(__file__).parents[2] / "docs" / "leaderboard" / "index.html"

pytestmark = pytest.mark.xdist_group("browser")


def column(table: Locator, number: int) -> list[str]:
    return table.locator(f"tbody tr td:nth-child({number})").all_inner_texts()


def test_a_column_is_sorted_by_number_with_empty_cells_last(visit: Visit) -> None:
    table = visit(COMMITTED).locator("#charades_sta table").nth(0)
    heads = table.locator("th").all_inner_texts()
    metric = heads.index("R1@0.5") + 1
    head = table.get_by_role("button", name="R1@0.5", exact=True)
    for direction in ("descending", "ascending"):
        head.click()
        assert table.locator("th").nth(metric - 1).get_attribute("aria-sort") == direction
        shown = column(table, metric)
        filled = [text for text in shown if text]
        numbers = [float(text.split()[0].rstrip("*†‡≠")) for text in filled]
        assert len(numbers) > 10
        assert numbers == sorted(numbers, reverse=direction == "descending")
        assert shown[: len(filled)] == filled


def test_names_are_sorted_by_keyboard(visit: Visit) -> None:
    table = visit(COMMITTED).locator("#charades_sta table").nth(0)
    before = column(table, 1)
    table.get_by_role("button", name="model", exact=True).press("Enter")
    assert sorted(column(table, 1)) == sorted(before)
    assert column(table, 1) != before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_reports_no_violations(visit: Visit, tmp_path: Path, scheme: str) -> None:
    part = built_files(part_of(load_board(SHIPPED, Registry.discover()), ENTRY))
    (tmp_path / "index.html").write_text(part["index.html"], encoding="utf-8")
    report = Axe().run(visit(tmp_path / "index.html", color_scheme=scheme))
    assert report.response["passes"]
    assert report.response["violations"] == [], report.generate_report()
