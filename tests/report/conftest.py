"""Pages of runs, shown in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page as Tab

from tests import page_case
from tests.browser_case import Visit
from vtg_eval.report.page_data import Page


@pytest.fixture
def show(visit: Visit, tmp_path: Path) -> Callable[..., Tab]:
    """Open a page: show(page, "#sample=a/0", width=360, color_scheme="dark")."""
    numbers = count()

    def open_page(page: Page, part: str = "", **context: Any) -> Tab:
        path = tmp_path / f"page-{next(numbers)}.html"
        page_case.written(page, path)
        return visit(path, part, **context)

    return open_page
