"""A model that thinks before it answers: the switch, what the user is told, what is recorded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from tests import fakes
from tests.tiny_families import qwen3_5
from vtg_eval.cli import main
from vtg_eval.engines.base import Completion, Request
from vtg_eval.failures import Finish
from vtg_eval.run.journal import Record, read_journal
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.prefetch import RequestStream
from vtg_eval.types import Sample, Target

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("thinking")]
REPOSITORY = Path(__file__).parents[2]
OPENED = "<think>\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3_5.build(tmp_path_factory.mktemp("thinks"))


@pytest.mark.parametrize("thinking", ["default", "on", "off"])
def test_thoughts_are_announced_and_recorded(
    thinking: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fakes.install("fakes", "tests.fakes", tmp_path / "site")
    fakes.use_home(tmp_path, monkeypatch)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{REPOSITORY}")
    folder = tmp_path / "run"
    run = ["run", "--model", str(model), "--tasks", "fake_vtg", "--engine", "transformers"]
    options = [
        "--decoder",
        "fake",
        "--unchecked-times",
        "--limit",
        "2",
        "--out",
        str(folder),
        "--thinking",
        thinking,
    ]
    assert main([*run, *options]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "--thinking off" in line]
    assert len(lines) == (thinking == "default")
    spec = json.loads((folder / "manifest.json").read_text())["spec"]
    assert spec.get("thinking", "default") == thinking
    records = read_journal(folder / "journal.jsonl").values()
    assert {record.text.startswith(OPENED) for record in records} == {thinking != "off"}


def test_an_opened_thought_is_part_of_the_answer() -> None:
    """The prompt's own mark is put before what the model wrote, so that parsers see it."""
    sample = Sample("s", "v", "it stops", Target())

    def record(text: str, finish: Finish) -> Record:
        job = VideoJob("v", Path("v"), (sample,))
        stream = RequestStream([job], None, lambda s, f: Request(s.id, "p", answer_start=OPENED))
        next(stream)
        return stream.answer(Completion("s", text, 1, 1, finish))

    assert record("3 to 5", Finish.LENGTH).text == "<think>\n3 to 5"
    assert record("", Finish.NON_FINITE).text == ""
