"""What became of the data, in words: tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from .curation import Dropped
from .leaks import LeakReport

SHOWN = 5  # splits that share nothing, or could not be read, named in a line
LEAK_HEADERS = (
    "task",
    "split",
    "queries",
    "of trained videos",
    "with trained words",
    "word for word",
    "both",
    "unseen",
)
CURATION_HEADERS = ("filter", "reached it", "dropped", "first")


def leak_table(report: LeakReport) -> str:
    """Return a row for each split that shares a video or a query, and which were not checked."""
    hit = [s for s in report.splits if s.unseen < s.queries]
    clean = [f"{s.task} {s.split}" for s in report.splits if s.unseen == s.queries]
    rows = [
        [
            s.task,
            s.split,
            s.queries,
            _part(s.of_shared_videos, s.queries),
            _part(s.same_words, s.queries),
            _part(s.word_for_word, s.queries),
            _part(s.both, s.queries),
            _part(s.unseen, s.queries),
        ]
        for s in hit
    ]
    lines = [_table(rows, LEAK_HEADERS), ""] if rows else []
    lines.append(f"On a video that is scored: {len(report.leaking)} of {report.samples} samples.")
    lines.append(f"Nothing shared with: {_names(clean)}.")
    lines.append(f"Not checked: {_names([f'{u.task} {u.name}' for u in report.unchecked])}.")
    return "\n".join(lines)


def curation_table(report: Sequence[Dropped]) -> str:
    """Return a row for each filter, in its order."""
    rows = [
        [drop.filter, drop.reached, _part(drop.dropped, drop.reached), ", ".join(drop.first)]
        for drop in report
    ]
    return _table(rows, CURATION_HEADERS)


def _part(count: int, whole: int) -> str:
    return f"{count} ({count / whole:.0%})" if whole and count else str(count)


def _names(names: Sequence[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest if names else "none"


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    # ids come from data sets: a bar would end the cell
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    text: str = tabulate(cells, headers, tablefmt="github", disable_numparse=True)
    return text
