"""Every published bug of times, injected into every family that it can hit, is caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from tests.doctor.bugs import BUGS, Bug, ChangedAdapter, ChangedProcessor, strip_stamps
from tests.doctor.page import PAGE, bugs_table, findings_table, pairs_table
from tests.tiny_families import tiny_families
from vtg_eval.adapter import Adapter, InputOptions, TimeText
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.doctor.findings import EMPTY, NOT_TOLD, Finding
from vtg_eval.doctor.input_times import Reader, declared_encoding
from vtg_eval.doctor.time_check import ClockResult, TimeCheck
from vtg_eval.engines.loading import load_config, load_processor
from vtg_eval.model_input.time_encoding import TimeRule
from vtg_eval.protocol import FrameRule, PromptRule, ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.video.pyav import PyavDecoder

pytestmark = pytest.mark.xdist_group("doctor")
PROTOCOL = ResolvedProtocol(
    "test@1", "", "", FrameRule(min_tokens=4, max_tokens=4), PromptRule(text="When: {query}")
)
FAMILIES = tiny_families()


@dataclass(frozen=True, slots=True)
class Family:
    adapter: Any
    reader: Reader
    processor: Any


Make = Callable[..., Family]


@pytest.fixture(scope="session")
def check(tmp_path_factory: pytest.TempPathFactory) -> TimeCheck:
    """The clock videos, written and decoded once for all families of the same size."""
    return TimeCheck(PyavDecoder(), tmp_path_factory.mktemp("clocks"))


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    registry = Registry.discover()

    @cache
    def folder(name: str) -> Path:
        return FAMILIES[name].build(tmp_path_factory.mktemp(name))

    @cache
    def processor(name: str) -> Any:
        return load_processor(folder(name))

    @cache
    def made(name: str, time_text: TimeText | None = None) -> Family:
        checkpoint, entry = resolve(str(folder(name)), registry, InputOptions(time_text))
        adapter: Adapter = registry.adapter(entry.name)(checkpoint)
        reader = Reader(adapter, declared_encoding(adapter), load_config(folder(name)))
        return Family(adapter, reader, processor(name))

    return made


@pytest.fixture(scope="module", params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def examine(check: TimeCheck, family: Family, bug: Bug | None = None) -> Iterator[ClockResult]:
    adapter: Any = family.adapter
    processor = family.processor
    call = bug.call if bug else None
    if bug and bug.change:
        adapter = ChangedAdapter(family.adapter, bug.change)
    # a processor that writes stamps leaves them out by itself
    if bug and bug.finding is EMPTY and adapter.time_encoding.rule is TimeRule.STAMPS:
        call = strip_stamps(family.adapter)
    if call:
        processor = ChangedProcessor(processor, call)
    return check.run(adapter, family.reader, processor, PROTOCOL)


def untrue(results: Iterator[ClockResult]) -> list[tuple[str, Finding | None, str | None]]:
    return [(one.clock, one.finding, one.error) for one in results if not one.true]


def test_without_a_bug_all_times_are_true(check: TimeCheck, make: Make, name: str) -> None:
    results = list(examine(check, make(name)))
    assert len(results) >= 8
    assert untrue(iter(results)) == []


def test_every_bug_is_caught_and_named(check: TimeCheck, make: Make, name: str) -> None:
    adapter = make(name).adapter
    missed = {}
    for bug in (bug for bug in BUGS if bug.hits(adapter)):
        family = make(name, "interleaved") if bug.images else make(name)
        named = {bug.finding, *bug.also}
        seen = []
        for result in examine(check, family, bug):
            seen.append(result.finding)
            if result.finding in named:
                break
        else:
            missed[bug.name] = seen
    assert missed == {}


def test_images_with_their_times_are_true(check: TimeCheck, make: Make, name: str) -> None:
    if getattr(make(name).adapter, "image", ""):
        assert untrue(examine(check, make(name, "interleaved"))) == []


def test_a_family_that_is_told_nothing_is_not_true(check: TimeCheck, make: Make, name: str) -> None:
    rule = make(name).adapter.time_encoding.rule
    results = list(examine(check, make(name, "none")))
    if rule in (TimeRule.ROTARY, TimeRule.STAMPS):
        assert untrue(iter(results)) == []
    else:
        assert {result.finding for result in results} == {NOT_TOLD}


def test_the_page_is_current(make: Make) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for table in (
        findings_table(),
        bugs_table({name: make(name).adapter for name in FAMILIES}),
        pairs_table(),
    ):
        assert table in page
