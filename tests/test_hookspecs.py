"""docs/plugins.md is the contract in words: it must name every hook as it is."""

import inspect
from pathlib import Path

import pytest

from vtg_eval import hookspecs
from vtg_eval.plugins.plugin import EVENTS, KINDS

DOCUMENT = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
HOOKS = [name for name in vars(hookspecs) if name.startswith("vtg_")]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_signature(hook: str) -> None:
    signature = inspect.signature(getattr(hookspecs, hook))
    assert f"{hook}{signature}".replace("'", "") in DOCUMENT


def test_every_documented_hook_exists() -> None:
    headings = [line.split("`")[1] for line in DOCUMENT.splitlines() if line.startswith("### `")]
    assert sorted(heading.partition("(")[0] for heading in headings) == sorted(HOOKS)


def test_every_hook_is_called() -> None:
    assert sorted(HOOKS) == sorted([*(kind.hook for kind in KINDS.values()), *EVENTS])
