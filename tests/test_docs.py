"""Documents that are made from the code are current, and what they name is there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from vtg_eval.cli.reference import reference
from vtg_eval.registry import Registry

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other Pythons word help differently")
def test_the_command_line_page_is_current() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == reference(Registry.discover())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} in {page.name}"
