"""The work of a worker: only on what the run is of."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.shell import Shell
from vtg_eval.engines.base import EngineOptions
from vtg_eval.errors import EngineError
from vtg_eval.registry import Registry
from vtg_eval.run.evaluation import EvaluationAssignment, EvaluationWork
from vtg_eval.run.inference import ERROR_FILE
from vtg_eval.run.journal import Record
from vtg_eval.run.manifest import installed_versions
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunOptions
from vtg_eval.run.usage import UsageMeter

NOTHING: Mapping[str, Any] = MappingProxyType({})


@pytest.fixture
def home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    assert Shell(tmp_path, monkeypatch, capsys).run("--out", "one", "--limit", "1")[0] == 0
    return tmp_path


def answer(
    home: Path,
    spec: Mapping[str, Any] = NOTHING,
    versions: Mapping[str, str] = NOTHING,
    **engine: Any,
) -> list[Record]:
    """Return a worker's records of a run with another spec and other versions than here."""
    options = RunOptions(
        "model", engine="fake", decoder="fake", limit=1, engine_options=EngineOptions(extra=engine)
    )
    runner = Runner(options, Registry.discover())
    setup = runner.setup("fake_vtg")
    plan = runner.plan(setup, home / "two")
    run = replace(setup.spec, **spec)
    packages = {**installed_versions(), **versions}
    kept: list[Record] = []
    EvaluationWork(options).answer(
        EvaluationAssignment(home / "elsewhere", run, packages, plan.samples),
        iter(plan.jobs),
        lambda engine: None,
        kept.append,
        UsageMeter(),
    )
    return kept


def test_a_worker_answers(home: Path) -> None:
    assert len(answer(home)) == 1


@pytest.mark.parametrize(
    ("spec", "versions", "message"),
    [({"checkpoint": "0" * 64}, {}, "checkpoint"), ({}, {"transformers": "1.0"}, "transformers")],
)
def test_a_machine_with_something_else_than_the_runs_is_refused(
    home: Path, spec: Mapping[str, Any], versions: Mapping[str, str], message: str
) -> None:
    with pytest.raises(EngineError, match=f"these are not .*: {message}. Make them the same"):
        answer(home, spec, versions)


def test_an_engine_fails_where_the_runs_folder_is_not(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    with pytest.raises(EngineError, match="the device is lost"):
        answer(home, crash_after=0)
    assert "the device is lost" in (home / ERROR_FILE).read_text()
