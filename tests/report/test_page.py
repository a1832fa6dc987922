"""The page in a real browser: tables, filters, links, positions on the timeline."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.data_task import SmallTask
from tests.page_case import (
    FRAMES,
    NANO,
    OTHER,
    SAMPLES,
    TWO,
    answer,
    moment,
    multiplied,
    page_of,
    run_of,
)
from vtg_eval.console.text import visible
from vtg_eval.errors import UserError
from vtg_eval.types import OutputType, Target

pytestmark = pytest.mark.xdist_group("browser")

Show = Callable[..., Tab]


def listed(tab: Tab) -> list[str]:
    """Return the ids of the listed samples, in order."""
    return tab.locator("[role=option] .id").all_inner_texts()


def test_runs_on_two_splits_are_refused() -> None:
    other = replace(OTHER, spec=replace(OTHER.spec, split="val"))
    with pytest.raises(UserError, match="on small test and on small val"):
        page_of(NANO, other)


def where(tab: Tab, selector: str) -> tuple[float, float]:
    """Return the left and right edge of an element, px."""
    box = tab.locator(selector).bounding_box()
    assert box is not None
    return box["x"], box["x"] + box["width"]


def test_tables_have_intervals_floors_and_failure_counts(show: Show) -> None:
    tab = show(TWO)
    row = tab.locator("#scores tbody tr").first
    assert "nano" in row.inner_text()
    results = NANO.results(())
    assert results.intervals["mIoU"] == (None, None)  # three videos are too few
    assert row.locator("td").last.inner_text().strip() == f"{results.metrics['mIoU']:.1f}"
    floors = tab.locator("#scores").inner_text()  # A has a sample of unknown duration, so none
    assert "floor: whole video (B: other)" in floors
    assert "timelens@1" in tab.locator("#protocols").inner_text()
    unparsed = tab.locator("#failures tr", has_text="unparsed").locator("td")
    assert [cell.split()[0] for cell in unparsed.all_inner_texts()[:2]] == ["1", "0"]
    assert "have different samples" in tab.locator(".warning").first.inner_text()
    assert tab.title() == "nano and other on small test – vtg-eval"
    assert "sha256 cccc" in (tab.locator("#metadata").text_content() or "")


def test_scores_on_enough_videos_have_an_interval(show: Show) -> None:
    samples = [moment(f"v{n}/0", (0, 4)) for n in range(8)]
    run = run_of(samples, [answer(f"v{n}/0", f"0 - {1 + n % 4}") for n in range(8)])
    results = run.results(())
    low, high = results.intervals["mIoU"]
    last = show(page_of(run)).locator("#scores tbody tr").first.locator("td").last.inner_text()
    expected = [f"{results.metrics['mIoU']:.1f}", f"[{low:.1f}, {high:.1f}]"]
    assert last.replace("\n", " ").split(" ", 1) == expected


def test_a_run_with_durations_has_floors_and_plots_with_the_floor(show: Show) -> None:
    tab = show(page_of(OTHER))
    assert "floor: whole video" in tab.locator("#scores").inner_text()
    titles = tab.locator(".plot h3").all_inner_texts()
    assert titles == [
        "IoU of the samples",
        "R@1 over thresholds",
        "Start: predicted against true",
        "Length: predicted against true",
        "Score by length of the video",
        "Score by length of the moment",
    ]
    assert tab.locator(".chart .line.floor").count() > 3
    # no mark of the blind predictor or of the run is outside the drawing
    for chart in tab.locator(".chart").all():
        frame = chart.bounding_box()
        assert frame is not None
        for mark in chart.locator(".line, .point, .fill").all():
            box = mark.bounding_box()
            if box is not None:
                assert box["x"] >= frame["x"] - 1
                assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1


def test_the_curve_passes_through_the_recalls(show: Show) -> None:
    tab = show(page_of(OTHER))
    curve = tab.locator(".plot", has_text="R@1 over thresholds")
    curve.locator("summary").click()
    recalls = OTHER.results(()).metrics
    for threshold in ("0.3", "0.5", "0.7"):
        cells = curve.locator("tr", has_text=threshold).locator("td").all_inner_texts()
        assert cells[0] == f"{recalls[f'R1@{threshold}']:.1f} %"


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"q": "DOG"}, ["v1/0"]),
        ({"q": "never happens"}, ["v2/1"]),  # in an answer
        ({"q": "v1 sleeps"}, ["v1/1"]),
        ({"failure": "unparsed"}, ["v2/0"]),
        ({"failure": "no failure", "run": "A"}, ["v1/0", "v1/1", "v2/1"]),
        ({"failure": "false present"}, ["v2/1"]),
        ({"failure": "false present", "run": "A"}, []),
        ({"group": "thing"}, ["v2/0", "v2/1"]),
        ({"low": "0.9", "run": "A"}, ["v1/1", "v2/1"]),
        ({"low": "0.4", "high": "0.6"}, ["v1/0", "v2/0"]),
        ({"show": "A is better"}, ["v1/1", "v2/1"]),
        ({"show": "B is better"}, ["v1/0", "v2/0"]),
        ({"sort": "query, A to Z"}, ["v1/1", "v1/0", "v2/0", "v2/1", "v3/0"]),
        ({"sort": "largest gain from A to B"}, ["v2/0", "v1/0", "v1/1", "v2/1", "v3/0"]),
        ({"sort": "A: worst first"}, ["v2/0", "v3/0", "v1/0", "v1/1", "v2/1"]),
    ],
    ids=str,
)
def test_filters_and_order(show: Show, changes: dict[str, str], ids: list[str]) -> None:
    tab = show(TWO)
    for name, value in changes.items():
        control = tab.locator(f"#filters [name={name}]")
        if name in ("q", "low", "high"):
            control.fill(value)
        else:
            control.select_option(label=value)
    assert listed(tab) == ids
    status = tab.locator("#count").inner_text()
    assert status == ("5 samples" if len(ids) == 5 else f"{len(ids)} of 5 samples")
    again = show(TWO, "#" + tab.url.partition("#")[2])  # the address restores filters and order
    assert listed(again) == ids
    tab.get_by_role("button", name="Clear").click()
    assert len(listed(tab)) == 5


def test_a_failure_count_and_a_group_link_to_their_samples(show: Show) -> None:
    tab = show(TWO)
    tab.locator("#failures tr", has_text="reversed").get_by_role("button").click()
    assert listed(tab) == ["v3/0"]
    tab.locator("#groups").get_by_role("button", name="animal").click()
    assert listed(tab) == ["v1/0", "v1/1"]


@pytest.mark.parametrize("name", ["v2/0", "v1/0", "a b&c=d#e%20+?/ü‮"])
def test_a_link_opens_a_sample(show: Show, name: str) -> None:
    page = replace(TWO, samples=(*TWO.samples[:4], replace(TWO.samples[4], id="a b&c=d#e%20+?/ü‮")))
    tab = show(page, f"#sample={quote(name, safe='')}")
    assert tab.locator("#detail a").inner_text() == visible(name)
    assert tab.locator("[aria-selected=true] .id").inner_text() == visible(name)
    expect(tab.locator("#detail")).to_be_in_viewport()
    again = show(page, "#" + (tab.locator("#detail a").get_attribute("href") or "")[1:])
    assert again.locator("#detail a").inner_text() == visible(name)


def test_a_link_overrides_filters_and_follows_the_choice(show: Show) -> None:
    tab = show(TWO, "#sample=v2%2F0&group=0")
    assert tab.locator("#detail a").inner_text() == "v2/0"
    assert len(listed(tab)) == 5
    tab.locator("[role=option]", has_text="A cat").click()
    assert "sample=v1%2F1" in tab.url
    tab.evaluate("location.hash = '#sample=v1%2F0'")
    expect(tab.locator("#detail a")).to_have_text("v1/0")
    tab.evaluate("location.hash = '#sample=nobody&q=%00%ff&group=99&low=x'")
    expect(tab.locator("#count")).to_have_text(re.compile("samples"))


def test_bars_and_ticks_are_at_their_times(show: Show) -> None:
    tab = show(TWO, "#sample=v1%2F0")
    left, right = where(tab, ".timeline-row.truth .track")
    px = (right - left) / 10.0  # of a second
    for row, span in (("truth", (2, 6)), ("a", (2, 4)), ("b", (2, 6))):
        track = where(tab, f".timeline-row.{row} .track")
        assert track == (left, right)
        edges = where(tab, f".timeline-row.{row} .span")
        assert edges == pytest.approx([left + px * time for time in span], abs=0.6)
    for row, label, times in (
        ("a", "input frames, A", FRAMES),
        ("b", "input frames, B", [0.0, 5.0]),
        ("a", "model times", FRAMES[::2]),
    ):
        line = tab.locator(".timeline-row", has_text=label)
        marks = line.locator("line").evaluate_all(
            "lines => lines.map(line => line.getBoundingClientRect().x)"
        )
        assert marks == pytest.approx([left + px * time for time in times], abs=0.6), row
    ticks = tab.locator(".axis-track span").evaluate_all(
        "spans => spans.map(s => [parseFloat(s.textContent), s.getBoundingClientRect()])"
        ".map(([t, box]) => [t, box.x + box.width / 2])"
    )
    assert [time for time, _ in ticks] == [0, 2, 4, 6, 8, 10]
    for time, x in ticks:
        assert x == pytest.approx(left + px * time, abs=1)


def test_all_occurrences_are_drawn_and_invalid_spans_are_reported(show: Show) -> None:
    tab = show(TWO, "#sample=v1%2F1")
    assert tab.locator(".timeline-row.truth .span").count() == 2
    tab = show(TWO, "#sample=v2%2F1")
    assert "never happens" in tab.locator(".timeline-row.truth").inner_text()
    assert "never happens" in tab.locator(".timeline-row.a").inner_text()
    tab = show(TWO, "#sample=v3%2F0")
    assert tab.locator(".timeline-row.a .span").count() == 0
    assert "9.0 – 3.0 s" in tab.locator(".timeline-row.a").inner_text()
    assert "The end lies before the start." in tab.locator(".answer.a").inner_text()
    assert "This run does not have this sample." in tab.locator(".answer.b").inner_text()


@pytest.mark.parametrize("text", ["-5 - 99999", "1e300 - 1e301", "NaN - NaN", "99 - 100", "5 - 5"])
def test_times_beyond_the_video_stay_within_the_drawing(show: Show, text: str) -> None:
    sample = moment("v/0", (2, 6))
    tab = show(page_of(run_of([sample], [answer("v/0", text)])))
    left, right = where(tab, ".timeline-row.a .track")
    for bar in tab.locator(".timeline .span").all():
        box = bar.bounding_box()
        assert box is not None
        assert left - 1 <= box["x"] and box["x"] + box["width"] <= right + 3
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_twenty_thousand_samples_are_a_short_document(show: Show) -> None:
    tab = show(multiplied(page_of(OTHER), 5000))
    assert tab.locator("#count").inner_text() == "20,000 samples"
    assert tab.locator("[role=option]").count() < 60
    tab.locator("#list").focus()
    tab.keyboard.press("End")
    assert tab.locator("[aria-selected=true] .id").inner_text() == "v2/1+4999"
    expect(tab.locator("[aria-selected=true]")).to_be_in_viewport()
    assert tab.locator("[aria-selected=true]").get_attribute("aria-posinset") == "20000"
    tab.locator("#list").evaluate("list => { list.scrollTop = 500000 }")
    row = tab.locator("[role=option]", has_text=f"+{500000 // 62 // 4}").first
    expect(row).to_be_in_viewport()
    tab.locator("#filters [name=q]").fill("+4711")
    assert listed(tab) == ["v1/0+4711", "v1/1+4711", "v2/0+4711", "v2/1+4711"]


def test_questions_with_options_only_have_no_timeline_and_no_iou(show: Show) -> None:
    options = ("red", "blue")
    samples = [
        replace(SAMPLES[k], options=options, asks=OutputType.CHOICE, target=Target(choice="B"))
        for k in range(3)
    ]
    run = run_of(samples, [answer("v1/0", "B"), answer("v1/1", "(A) red")])
    assert isinstance(run.task, SmallTask)
    run.task.card = replace(run.task.card, metric_family="choice")
    tab = show(page_of(run))
    assert tab.locator(".plot h3").all_inner_texts() == ["Score by length of the video"]
    assert tab.locator("#filters [name=low]").count() == 0
    values = " ".join(tab.locator(".value").all_inner_texts())
    assert re.findall(r"\d\.\d\d", values) == ["1.00", "0.00", "0.00"]
    assert tab.locator(".timeline").count() == 0
    assert "right" in tab.locator(".options li", has_text="blue").inner_text()


def test_times_that_are_not_numbers_are_omitted_or_reported(show: Show) -> None:
    odd = moment("v/0", (math.nan, 6), duration=math.inf)
    frames = [0.0, math.nan, math.inf, 2.0]
    tab = show(page_of(run_of([odd, SAMPLES[0]], [answer("v/0", "1 - 2", frames)])))
    assert "no number – 6.0 s" in tab.locator(".timeline-row.truth").inner_text()
    assert tab.locator(".frame").count() == 2
