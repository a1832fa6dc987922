"""A real browser for each worker, and a check that opened files cause no messages or requests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NEEDED = "VTG_EVAL_NEED_BROWSER"  # if set, a missing browser is a failure
TIMEOUT = 180_000  # ms; long, for busy machines
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")

Visit = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        if os.environ.get(NEEDED):
            pytest.fail(f"{NEEDED} is set, but Chromium is not installed.")
        pytest.skip("Chromium is not installed.")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@dataclass
class Watched:
    """A tab, and its messages and requests, which should not occur."""

    tab: Page
    address: str
    events: list[str] = field(default_factory=list)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open a file: visit(path, "#part", width=360, color_scheme="dark").

    The test fails on a console message, an error, a dialogue, or a request except for the file.
    """
    opened: list[Watched] = []

    def open_file(path: Path, part: str = "", width: int = 1280, **context: Any) -> Page:
        size = {"width": width, "height": 900}
        tab = browser.new_context(viewport=size, **context).new_page()
        tab.set_default_timeout(TIMEOUT)
        watched = Watched(tab, path.absolute().as_uri())
        opened.append(watched)
        _watch(watched)
        tab.goto(watched.address + part)
        return tab

    yield open_file
    for watched in opened:
        watched.tab.context.close()
    assert [event for watched in opened for event in watched.events] == []


def _watch(watched: Watched) -> None:
    def note(kind: str, text: str) -> None:
        watched.events.append(f"{kind}: {text}")

    def requested(address: str) -> None:
        if address.partition("#")[0] != watched.address and not address.startswith("data:"):
            note("request", address)

    def dismiss(dialogue: Any) -> None:
        note("dialogue", dialogue.message)
        dialogue.dismiss()

    watched.tab.on("console", lambda message: note("console", message.text))
    watched.tab.on("pageerror", lambda error: note("error", str(error)))
    watched.tab.on("dialog", dismiss)
    watched.tab.on("request", lambda request: requested(request.url))
    watched.tab.on("popup", lambda popup: note("popup", popup.url))
