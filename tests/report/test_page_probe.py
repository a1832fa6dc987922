"""The page's section on a probe, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page as Tab

from tests.page_case import PROTOCOLS, REGISTRY, TWO
from tests.probe_case import SAMPLES, oracle, run
from vtg_eval.errors import UserError
from vtg_eval.report.page import make_page
from vtg_eval.report.page_data import Page
from vtg_eval.run.finished import FinishedRun
from vtg_eval.video.frame_store import FrameStore

pytestmark = pytest.mark.xdist_group("browser")

Show = Callable[..., Tab]
FEW = SAMPLES[:12]
PROBES = [run(oracle, text, FEW) for text in ("prepend:50%", "speed:2", "swap")]


def page_of(runs: Sequence[FinishedRun], probes: Sequence[FinishedRun] = ()) -> Page:
    store = FrameStore(REGISTRY.decoder("pyav")(), Path("no-such-folder"))
    return make_page(runs, PROTOCOLS, store, 0, probes)


def test_the_section_has_the_tables_and_the_chart(show: Show) -> None:
    tab = show(page_of([run(oracle, asked=FEW)], PROBES), "#probe")
    section = tab.locator("#probe")
    assert section.is_visible()
    assert section.locator("h3").all_inner_texts() == [
        "Does the answer move as the video does?",
        "How far are they from there?",
        "Are they still right?",
        "What is the answer where the moment is not?",
    ]
    moved = section.locator("tbody").first.locator("tr")
    names = [name.strip() for name in moved.locator("th").all_inner_texts()]
    assert names[:3] == ["prepend:50%", "speed:2", "every one"]
    assert moved.first.locator("td").first.inner_text().startswith("100.0 [")
    assert section.locator(".strip").count() == 3
    assert "of 12 samples" not in section.inner_text()  # nothing is left out
    assert tab.get_by_role("link", name="Probe").is_visible()
    violations = Axe().run(tab, context="#probe").response["violations"]
    assert [violation["id"] for violation in violations] == []
    tab.set_viewport_size({"width": 360, "height": 700})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360


def test_each_run_has_its_own_probe(show: Show) -> None:
    first = run(oracle, asked=FEW)
    other = replace(first, spec=replace(first.spec, model="other", checkpoint="d" * 64))
    theirs = [replace(p, spec=replace(p.spec, model="other", checkpoint="d" * 64)) for p in PROBES]
    tab = show(page_of([first, other], [*PROBES, *theirs[:1]]))
    names = [text.split()[-1] for text in tab.locator("#probe h3").all_inner_texts()]
    assert names == ["nano", "other"]
    assert tab.locator("#probe h4").count() == 4 + 3
    with pytest.raises(UserError, match="no probe of a run on this page"):
        page_of([first], theirs)


def test_without_probes_there_is_no_section(show: Show) -> None:
    tab = show(TWO)
    assert not tab.locator("#probe").is_visible()
    assert tab.get_by_role("link", name="Probe").count() == 0


def test_a_name_from_outside_is_text(show: Show) -> None:
    page = page_of([run(oracle, asked=FEW)], PROBES)
    (part,) = page.probes
    bad = "<img src=x onerror=alert(1)>"
    table = replace(part.tables[0], rows=((bad, bad, bad, bad),), remarks=(bad,))
    bars = (replace(part.bars[0], name=bad),)
    tab = show(replace(page, probes=(replace(part, tables=(table,), bars=bars, remarks=(bad,)),)))
    assert tab.locator("#probe img").count() == 0
    assert tab.locator("#probe").inner_text().count(bad) == 7
