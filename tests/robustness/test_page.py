"""docs/reliability.md is current, and each promise names a test that exists."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.robustness.page import HEADING, PAGE, cases, counts

ROOT = PAGE.parents[1]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LEAST: Mapping[str, int] = {
    "checkpoints": 40,
    "videos": 120,
    "annotation files": 60,
    "predictions files": 60,
    "plug-ins": 20,
}


def test_the_counts_are_those_of_the_cases() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text[text.index(HEADING) :] == counts()


@pytest.mark.parametrize("kind", LEAST)
def test_there_are_enough_cases(kind: str) -> None:
    names = [case.name for case in cases()[kind]]
    assert len(set(names)) == len(names) >= LEAST[kind]


def test_each_promise_names_tests_that_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    promises = re.findall(r"^- .*(?:\n  .*)*", text[: text.index(HEADING)], re.MULTILINE)
    assert len(promises) > 15
    for promise in promises:
        tests = TEST.findall(promise)
        assert tests, promise
        for file, name in tests:
            assert name in _functions(ROOT / file), f"{file}::{name}"


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
