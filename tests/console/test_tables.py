"""Tables: their form does not depend on what is in a cell."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.console.tables import text_table

CELLS = st.text(max_size=8)
PAIRS = st.tuples(CELLS, CELLS)


@given(headers=PAIRS, rows=st.lists(PAIRS, min_size=1, max_size=3))
def test_any_text_stays_in_its_cell(headers: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    lines = text_table(headers, rows).split("\n")
    assert len(lines) == 2 + len(rows)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}


def test_numbers_are_shown_as_they_are_written() -> None:
    assert text_table(("a", "b"), [("1.50", "x|y\u202e")]).split("\n") == [
        "| a    | b          |",
        "|------|------------|",
        r"| 1.50 | x\|y\u202e |",
    ]
