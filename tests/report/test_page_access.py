"""The page without a mouse, by a screen reader, on small windows, in light and dark."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page as Tab

from tests.page_case import NANO, SAMPLES, TWO, answer, moment, page_of, run_of

pytestmark = pytest.mark.xdist_group("browser")

Show = Callable[..., Tab]


def test_everything_works_by_keyboard(show: Show) -> None:
    tab = show(TWO)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the samples"
    tab.keyboard.press("Enter")
    reached = []
    for _ in range(14):
        tab.keyboard.press("Tab")
        reached.append(
            tab.evaluate("document.activeElement.name || document.activeElement.id || ''")
        )
    controls = ["q", "failure", "group", "low", "high", "run", "show", "sort"]
    assert [name for name in reached if name in controls] == controls
    assert "list" in reached
    tab.locator("#list").focus()
    for key, name in (
        ("ArrowDown", "v1/1"),
        ("ArrowDown", "v2/0"),
        ("ArrowUp", "v1/1"),
        ("End", "v3/0"),
        ("ArrowDown", "v3/0"),
        ("Home", "v1/0"),
        ("PageDown", "v3/0"),
        ("PageUp", "v1/0"),
    ):
        tab.keyboard.press(key)
        active = tab.locator("#list").get_attribute("aria-activedescendant")
        assert tab.locator(f"#{active} .id").inner_text() == name
        assert tab.locator("#detail a").inner_text() == name
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "detail"
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")  # Next: Previous is disabled
    assert tab.locator("#detail a").inner_text() == "v1/1"
    assert tab.evaluate("document.activeElement.textContent") == "Next"
    tab.get_by_role("button", name="Back to the list").press("Enter")
    assert tab.evaluate("document.activeElement.id") == "list"


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window_and_text_has_contrast(
    show: Show, width: int, scheme: str
) -> None:
    long = moment("w" * 90 + "/0", (2, 6), query="Donaudampfschifffahrt" * 12, kind="k" * 70)
    run = run_of([*SAMPLES[:4], long], [answer(long.id, "x" * 500)], model="m" * 60)
    tab = show(page_of(NANO, run), width=width, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.locator("#list").focus()
    tab.keyboard.press("End")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, re.findall(r"\d+", paper))) < 3 * 128
    assert dark == (scheme == "dark")
    assert tab.evaluate(FAINT) == []


FAINT = """() => {
  // texts whose contrast with what is behind them is below 4.5 (WCAG 2, AA)
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    const style = getComputedStyle(node);
    if (!text.data.trim() || !node.checkVisibility() || /SCRIPT|STYLE/.test(node.tagName)) continue;
    if (node.disabled) continue;
    const colour = parse(node.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const [a, b] = [light(colour), light(behind(node))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(`${node.className} ${text.data.slice(0, 40)}`);
  }
  return faint;
}"""


def test_landmarks_and_labels_for_screen_readers(show: Show) -> None:
    tab = show(TWO)
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert tab.get_by_role(role).count() == 1
    assert tab.get_by_role("listbox", name="Samples").count() == 1
    option = tab.get_by_role("option", name=re.compile("A door opens.*A IoU 0.00 ?, unparsed"))
    assert option.count() == 1
    for chart in tab.locator(".chart").all():
        assert chart.evaluate("c => document.getElementById(c.getAttribute('aria-describedby'))")
    assert tab.get_by_role("status").inner_text() == "5 samples"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_reports_no_violations(show: Show, scheme: str) -> None:
    tab = show(TWO, "#sample=v1%2F0", color_scheme=scheme)
    tab.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    report = Axe().run(tab)
    assert report.response["passes"]
    assert report.response["violations"] == [], report.generate_report()
