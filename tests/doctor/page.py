"""The generated tables of docs/doctor.md; `python -m tests.doctor.page` writes them anew."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.doctor.bugs import BUGS
from vtg_eval.adapter import Adapter
from vtg_eval.doctor.findings import FINDINGS
from vtg_eval.doctor.known_pairs import KNOWN_PAIRS

PAGE = Path(__file__).parents[2] / "docs" / "doctor.md"


def findings_table() -> str:
    """Return what the time check can find."""
    rows = [(one.name, one.meaning, one.remedy) for one in FINDINGS]
    return _table(("finding", "what it means", "what to do"), rows)


def bugs_table(families: Mapping[str, Adapter]) -> str:
    """Return the published bugs, and the families that each of them can hit."""
    rows = [
        (bug.name, bug.source, *("caught" if bug.hits(one) else "" for one in families.values()))
        for bug in BUGS
    ]
    return _table(("bug", "seen in", *families), rows)


def pairs_table() -> str:
    """Return the known combinations of packages."""
    rows = [
        (" with ".join(map(str, pair.packages)), pair.effect, pair.remedy) for pair in KNOWN_PAIRS
    ]
    return _table(("packages", "what goes wrong", "what to do"), rows)


def rewritten(text: str, heading: str, table: str) -> str:
    """Return the page with the first table below a heading replaced."""
    before, mark, after = text.partition(f"## {heading}\n")
    return before + mark + re.sub(r"(?m)^\|.*\n(?:\|.*\n)+", lambda _: table + "\n", after, count=1)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _write() -> None:
    from tests.engine_case import make_adapter
    from tests.tiny_families import tiny_families

    with tempfile.TemporaryDirectory() as folder:
        adapters = {
            name: make_adapter(family.build(Path(folder) / name))
            for name, family in tiny_families().items()
        }
    text = PAGE.read_text(encoding="utf-8")
    for heading, table in (
        ("Findings", findings_table()),
        ("Bugs that are injected in tests", bugs_table(adapters)),
        ("`doctor env`", pairs_table()),
    ):
        text = rewritten(text, heading, table)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write()
