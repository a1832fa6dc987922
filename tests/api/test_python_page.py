"""docs/python.md: its examples are run in order, and it names all columns and functions."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import vtg_eval
from vtg_eval.api.settings import SETTINGS
from vtg_eval.cli import main

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("nano")]

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for of_kind, text in fenced if of_kind == kind]


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("page.py").write_text("\n".join(blocks("python")))
    names = runpy.run_path("page.py")
    run, frame = names["run"], names["frame"]
    assert len(frame) == 12 and len(names["worst"]) == 5
    assert frame["mIoU"].mean() * 100 == pytest.approx(run.metrics["mIoU"])
    named = set(re.findall(r"`([^`]+)`", PAGE[PAGE.index("| column |") :]))
    metrics = set(run.results.samples[0].values)
    columns = {re.sub(r"^group: .*", "group: NAME", name) for name in frame}
    assert columns - metrics <= named
    commands = [line for block in blocks("") for line in block.splitlines()]
    assert len(commands) == 2
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0


def test_every_name_is_on_the_page() -> None:
    public = (set(vtg_eval.__all__) - {"__version__"}) | set(SETTINGS)
    assert {name for name in public if name not in PAGE} == set()
