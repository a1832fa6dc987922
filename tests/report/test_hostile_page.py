"""Fifty texts that try to run code, in every text that comes from a model or a dataset."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from urllib.parse import quote

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.page_case import answer, page_of, run_of
from vtg_eval.console.text import visible
from vtg_eval.failures import Finish
from vtg_eval.report.html_file import html_file
from vtg_eval.report.page_data import Page
from vtg_eval.run.journal import Record
from vtg_eval.types import Group, OutputType, Sample, Span, Target

pytestmark = pytest.mark.xdist_group("browser")

RUN = "window.pwned = 1"
PAYLOADS = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</SCRIPT ><script>{RUN}//",
    f"<!--<script>{RUN}</script>",
    f"--><script>{RUN}</script><!--",
    f"<!--<script></script>{RUN}",
    f"]]><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"</noscript><script>{RUN}</script>",
    f'<img src=x onerror="{RUN}">',
    f"<img src=x onerror={RUN.replace(' ', '')}>",
    f"<svg onload='{RUN}'>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin='{RUN}' attributeName=x dur=1s>",
    f"<math><mtext></mtext><img src=x onerror='{RUN}'></math>",
    f"<body onload='{RUN}'>",
    f'<iframe srcdoc="<script>parent.{RUN.split(".")[1]}</script>"></iframe>',
    f"<iframe src='javascript:parent.{RUN.split('.')[1]}'></iframe>",
    "<iframe src='https://example.org/'></iframe>",
    "<object data='https://example.org/x'></object>",
    "<embed src='https://example.org/x'>",
    "<link rel=stylesheet href='https://example.org/x.css'>",
    "<style>@import 'https://example.org/x.css';</style>",
    "<style>body{background:url(https://example.org/x)}</style>",
    "<meta http-equiv=refresh content='0;url=https://example.org/'>",
    f'<meta http-equiv=Content-Security-Policy content="script-src *"><script>{RUN}</script>',
    "<base href='https://example.org/'>",
    "<form action='https://example.org/'><input autofocus onfocus='window.pwned=1'></form>",
    f"<details open ontoggle='{RUN}'>x</details>",
    f"<video><source onerror='{RUN}'></video>",
    f"<audio src=x onerror='{RUN}'>",
    f"<select autofocus onfocus='{RUN}'>",
    f"<marquee onstart='{RUN}'>x</marquee>",
    f"<a href='javascript:{RUN}'>x</a>",
    f"javascript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f'" onmouseover="{RUN}',
    f"' autofocus onfocus='{RUN}' x='",
    f"`${{{RUN}}}`",
    f'";{RUN};//',
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    "{{code}} {{data}} }} {{",
    f"\u2028{RUN}\u2029",
    f"\x00<script\x00>{RUN}</script>",
    f"\ud800<script>{RUN}</script>\udfff",
    f"\u202e\u2066<b>{RUN}</b>",
    "__proto__ constructor toString",
)

Show = Callable[..., Tab]


def hostile(k: int, text: str) -> Sample:
    return Sample(
        id=f"{text}/{k}",
        video=text,
        query=text,
        target=Target((Span(1, 2),), "B"),
        duration=10.0,
        options=(text, "plain"),
        groups=(Group(text, text), Group("number", text)),
        asks=OutputType.BOTH,
    )


def hostile_answer(k: int, text: str) -> Record:
    record = answer(f"{text}/{k}", f"{text} 1 - 2", [0.0, 1.0])
    return record if k % 3 else replace(record, finish=Finish.ERROR, error=text, text="")


@cache
def hostile_page() -> Page:
    """Each text is a sample, an answer and a group; every other field has all of them."""
    samples = [hostile(number, text) for number, text in enumerate(PAYLOADS)]
    records = [hostile_answer(number, text) for number, text in enumerate(PAYLOADS)]
    every = " ".join(PAYLOADS)
    first = run_of(samples, records, model=every, versions={text: text for text in PAYLOADS})
    second = run_of(samples, records[::2], model=" ".join(reversed(PAYLOADS)))
    return replace(page_of(first, second), task=every, title=every, split=every)


def test_there_are_fifty() -> None:
    assert len(set(PAYLOADS)) == 50


def test_hostile_texts_add_no_markup() -> None:
    content = html_file(hostile_page())
    plain = html_file(page_of(run_of([hostile(0, "x")], [])))
    for mark in (b"<script", b"</script", b"<!--", b"<img", b"<svg", b"<style", b"<meta"):
        assert content.count(mark) == plain.count(mark), mark


def test_no_text_runs_on_the_page(show: Show) -> None:
    """The `show` fixture checks that there are no requests, windows or messages."""
    tab = show(hostile_page())
    tab.locator("summary").evaluate_all("all => all.forEach(each => (each.parentNode.open = true))")
    tab.locator("#list").focus()
    read = "node => [node.querySelector('h3').textContent, node.querySelector('pre')?.textContent]"
    for number, text in enumerate(PAYLOADS):
        title, answer_text = tab.locator("#detail").evaluate(read)
        assert title == visible(text)
        assert answer_text is None or answer_text == f"{visible(text)} 1 - 2"
        assert (answer_text is None) == (number % 3 == 0)
        tab.keyboard.press("ArrowDown")
    for name in ("q", "failure", "group"):
        tab.locator(f"#filters [name={name}]").focus()
    tab.locator("#groups button").last.click()
    assert tab.evaluate("window.pwned") is None
    assert tab.locator("script").count() == 2
    for tag in ("iframe", "object", "embed", "base", "form form", "video", "audio", "body body"):
        assert tab.locator(tag).count() == 0
    assert tab.evaluate("document.querySelectorAll('[onerror], [onload], [onfocus]').length") == 0


@pytest.mark.parametrize("k", [1, 11, 36])
def test_no_text_runs_from_the_address(show: Show, k: int) -> None:
    text = quote(PAYLOADS[k], safe="")
    tab = show(hostile_page(), f"#sample={text}&q={text}&group={text}&sort={text}&show={text}")
    expect(tab.locator("#count")).to_be_visible()
    assert tab.evaluate("window.pwned") is None


def test_the_policy_blocks_inserted_markup(browser, tmp_path) -> None:
    """If a text were inserted as markup, no script, picture or style would take effect."""
    path = tmp_path / "page.html"
    content = html_file(hostile_page())
    evil = (
        f"<script>{RUN}</script><img src=x onerror='{RUN}'>"
        "<img src='https://example.org/x.png'><p id=p style='color:red'>x</p>"
    ).encode()
    path.write_bytes(content.replace(b"<footer", evil + b"<footer"))
    tab = browser.new_page()
    requests: list[str] = []
    tab.on("requestfinished", lambda request: requests.append(request.url))
    tab.set_default_timeout(180_000)
    tab.goto(path.as_uri())
    assert tab.evaluate("window.pwned") is None
    assert tab.evaluate("getComputedStyle(document.getElementById('p')).color") != "rgb(255, 0, 0)"
    assert requests == [path.as_uri()]
    refused = tab.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return false } catch { return true } }"
    )
    assert refused
    tab.close()
