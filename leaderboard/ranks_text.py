"""Standings as a table of text, as a paper's page shows them."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from .standings import Standing

HEAD = ("task", "dataset", "metric", "result", "rank", "among", "protocol", "what stands behind it")


def ranks_table(standings: Sequence[Standing]) -> str:
    """Return one line for each figure; ranks that are shared show their range."""
    rows = [_row(each) for each in standings]
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    text: str = tabulate(escaped, HEAD, tablefmt="github", disable_numparse=True)
    return text


def _row(each: Standing) -> tuple[str, ...]:
    left = f"; not comparable: {each.left_out}" if each.left_out else ""
    return (
        each.kind,
        each.dataset,
        each.metric,
        each.result,
        str(each.place) if each.place else "–",
        each.among + left,
        each.protocol or "not stated",
        each.mark,
    )
