"""Take the pictures of docs/report.md: `python docs/images/screenshots.py PAGE_OF_TWO_RUNS`.

Needs Chromium and playwright (the dependency group `test`).
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent
SAMPLE = "#sample=test-01%2F0"
# name, part of the page, width and height of the window in px, colour scheme
VIEWS = (
    ("report-scores", "#scores", 1280, 760, "light"),
    ("report-plots", "#plots", 1280, 960, "light"),
    ("report-samples", SAMPLE, 1280, 860, "light"),
    ("report-samples-dark", SAMPLE, 1280, 860, "dark"),
    ("report-phone", SAMPLE, 360, 780, "dark"),
)


def main() -> None:
    """Write one PNG for each view."""
    address = Path(sys.argv[1]).absolute().as_uri()
    with sync_playwright() as driver:
        program = shutil.which("chromium")
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, part, width, height, scheme in VIEWS:
            size = {"width": width, "height": height}
            tab = browser.new_context(viewport=size, color_scheme=scheme).new_page()
            tab.set_default_timeout(600_000)
            tab.goto(address + part)
            settle(tab)
            tab.screenshot(path=FOLDER / f"{name}.png")
            tab.context.close()
        browser.close()


def settle(tab: Page) -> None:
    """Wait until the browser has drawn two more frames."""
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


if __name__ == "__main__":
    main()
