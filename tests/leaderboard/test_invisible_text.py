"""No export of a page holds an invisible character of a model's name."""

from collections.abc import Callable

import pytest
from vtg_eval.leaderboard.documents import Document, DocumentTable, Section, TableCell
from vtg_eval.leaderboard.html_page import html
from vtg_eval.leaderboard.latex import latex
from vtg_eval.leaderboard.markdown import markdown

NAME = "model\u202eX\x1b[2J\u200b"
TABLE = DocumentTable((NAME,), ((TableCell(NAME),),))
PAGE = Document("page", NAME, (NAME,), (Section(NAME, (NAME,), TABLE),))


@pytest.mark.parametrize("render", [markdown, latex, lambda page: html([page])])
def test_invisible_characters_are_escapes(render: Callable[[Document], str]) -> None:
    text = render(PAGE)
    assert text.replace("\n", "").isprintable()
    assert "u202eX" in text
