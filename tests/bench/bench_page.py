"""How fast the page is with 20,000 samples and two runs. By hand, with Chromium:

PYTHONPATH=. python tests/bench/bench_page.py
"""

import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from tests.page_case import answer, moment, multiplied, page_of, run_of
from vtg_eval.report.html_file import html_file
from vtg_eval.run.finished import FinishedRun

SAMPLES, DISTINCT, RUNS = 20_000, 1_000, 7
ROW, WHEEL = 62, 200  # px: height of a row, and distance scrolled in a frame by a fast wheel
THOUGHTS = (
    "The clip shows a kitchen; someone opens the fridge and then sits down at the table. " * 6
)
DRAWN = "document.querySelector('#detail h3') && document.querySelectorAll('.plot').length >= 6"
# Scroll the list by `by` px in each of 120 frames; return the times between frames.
SCROLL = """(by) => new Promise((done) => {
  const list = document.getElementById("list");
  const gaps = [];
  let last = performance.now();
  let k = 0;
  const step = (now) => {
    gaps.push(now - last);
    last = now;
    list.scrollTop = by * k++;
    if (k <= 120) requestAnimationFrame(step); else done(gaps.slice(2));
  };
  requestAnimationFrame(step);
})"""
# Type a search and wait until it is drawn.
SEARCH = """(text) => new Promise((done) => {
  const box = document.querySelector("[name=q]");
  const start = performance.now();
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  requestAnimationFrame(() => done(performance.now() - start));
})"""


def main() -> None:
    draw = random.Random(0)
    samples = []
    for k in range(DISTINCT):
        length = round(20 + draw.random() * 160, 2)
        start = draw.random() * length * 0.7
        span = (round(start, 2), round(start + draw.random() * length * 0.3, 2))
        query = f"person number {k} opens the door and walks away"
        samples.append(moment(f"video{k}/{k}", span, duration=length, query=query))

    def run(model: str, deviation: float) -> FinishedRun:
        records = []
        for sample in samples:
            (start, end), times = sample.target.spans[0], np.arange(0, sample.duration or 0, 0.5)
            text = f"{max(0, draw.gauss(start, deviation)):.1f} - {draw.gauss(end, deviation):.1f}"
            records.append(answer(sample.id, THOUGHTS + text, times.tolist(), times[::2].tolist()))
        return run_of(samples, records, model=model)

    page = multiplied(page_of(run("close", 3), run("far", 15)), SAMPLES // DISTINCT)
    start = time.process_time()
    content = html_file(page)
    print(f"{SAMPLES:,} samples, two runs: {len(content) / 1e6:.1f} MB,", end=" ")
    print(f"put into one file in {time.process_time() - start:.1f} s of one core")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "page.html"
        path.write_bytes(content)
        program = shutil.which("chromium")
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        measure(browser, path.as_uri())
        browser.close()


def measure(browser: Browser, address: str) -> None:
    opening, by_wheel, end_to_end, first_search, next_search = [], [], [], [], []
    for _ in range(RUNS):
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.set_default_timeout(600_000)
        start = time.perf_counter()
        tab.goto(address)
        tab.wait_for_function(DRAWN)
        opening.append(time.perf_counter() - start)
        by_wheel += tab.evaluate(SCROLL, WHEEL)
        end_to_end += tab.evaluate(SCROLL, SAMPLES * ROW / 120)
        first_search.append(tab.evaluate(SEARCH, "number 1234"))
        next_search.append(tab.evaluate(SEARCH, "walks far"))
        tab.close()
    print(f"opens in {statistics.median(opening):.2f} s (slowest of {RUNS}: {max(opening):.2f} s)")
    for scroll, gaps in (("by the wheel", by_wheel), ("from end to end", end_to_end)):
        rate = 1000 / statistics.median(gaps)
        slow = sorted(gaps)[int(0.99 * len(gaps))]
        print(
            f"scrolls {scroll} at {rate:.0f} frames a second (99 % of frames within {slow:.0f} ms)"
        )
    print(
        f"searches in {statistics.median(first_search):.0f} ms, "
        f"again in {statistics.median(next_search):.0f} ms"
    )


if __name__ == "__main__":
    main()
