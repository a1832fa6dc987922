"""Reports about the data, as tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from vtg_eval.console.tables import text_table

from .curation import Dropped
from .leaks import LeakReport

SHOWN = 5  # splits named in one line
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
    """Return a row for each split that shares a video or a query; name the other splits."""
    shared = [s for s in report.splits if s.unseen < s.queries]
    clean = [f"{s.task} {s.split}" for s in report.splits if s.unseen == s.queries]
    rows = [
        [
            s.task,
            s.split,
            str(s.queries),
            _part(s.of_shared_videos, s.queries),
            _part(s.same_words, s.queries),
            _part(s.word_for_word, s.queries),
            _part(s.both, s.queries),
            _part(s.unseen, s.queries),
        ]
        for s in shared
    ]
    lines = [text_table(LEAK_HEADERS, rows), ""] if rows else []
    held_out = [f"{s.task} {s.split}" for s in report.splits if s.held_out]
    lines.append(f"Must not be touched: {', '.join(held_out) or 'none'}. All others are counted.")
    lines.append(f"On a video of those: {len(report.leaking)} of {report.samples} samples.")
    lines.append(f"Nothing shared with: {_names(clean)}.")
    lines.append(f"Not checked: {_names([f'{u.task} {u.name}' for u in report.unchecked])}.")
    return "\n".join(lines)


def curation_table(report: Sequence[Dropped]) -> str:
    """Return a row for each filter, in the order of the filters."""
    rows = [
        [drop.filter, str(drop.reached), _part(drop.dropped, drop.reached), ", ".join(drop.first)]
        for drop in report
    ]
    return text_table(CURATION_HEADERS, rows)


def _part(count: int, whole: int) -> str:
    return f"{count} ({count / whole:.0%})" if whole and count else str(count)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "none"
