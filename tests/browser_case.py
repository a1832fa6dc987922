"""A real browser, one for each worker, and files opened in it that must stay quiet."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NEEDED = "VTG_EVAL_NEED_BROWSER"  # set where a missing browser is a failure
PATIENCE = 180_000  # ms; a busy machine is no failure
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        if os.environ.get(NEEDED):
            pytest.fail(f"{NEEDED} is set, and there is no Chromium.")
        pytest.skip("There is no Chromium on this machine.")
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@dataclass
class Watched:
    """A tab, and what it should not have done."""

    tab: Page
    address: str
    wrong: list[str] = field(default_factory=list)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open a file: visit(path, "#part", width=360, color_scheme="dark"). It must stay quiet: no
    message on the console, no error, no dialogue, and no request but the one for the file."""
    opened: list[Watched] = []

    def open_file(path: Path, part: str = "", width: int = 1280, **context: Any) -> Page:
        size = {"width": width, "height": 900}
        tab = browser.new_context(viewport=size, **context).new_page()
        tab.set_default_timeout(PATIENCE)
        watched = Watched(tab, path.absolute().as_uri())
        opened.append(watched)
        _watch(watched)
        tab.goto(watched.address + part)
        return tab

    yield open_file
    for watched in opened:
        watched.tab.context.close()
    assert [wrong for watched in opened for wrong in watched.wrong] == []


def _watch(watched: Watched) -> None:
    def note(kind: str, text: str) -> None:
        watched.wrong.append(f"{kind}: {text}")

    def asked(address: str) -> None:
        if address.partition("#")[0] != watched.address and not address.startswith("data:"):
            note("request", address)

    def dialogue(found: Any) -> None:
        note("dialogue", found.message)
        found.dismiss()

    watched.tab.on("console", lambda message: note("console", message.text))
    watched.tab.on("pageerror", lambda error: note("error", str(error)))
    watched.tab.on("dialog", dialogue)
    watched.tab.on("request", lambda request: asked(request.url))
    watched.tab.on("popup", lambda popup: note("popup", popup.url))
