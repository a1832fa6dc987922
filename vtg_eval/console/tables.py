"""Tables of text."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from vtg_eval.console.text import visible


def text_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; bars and invisible characters within a cell are escaped."""
    escaped = [[visible(cell).replace("|", "\\|") for cell in row] for row in (headers, *rows)]
    text: str = tabulate(escaped[1:], escaped[0], tablefmt="github", disable_numparse=True)
    return text
