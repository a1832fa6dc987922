"""The work of a worker: only on what the run is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.shell import Shell
from vtg_eval.errors import EngineError
from vtg_eval.registry import Registry
from vtg_eval.run.evaluation import Assignment, EvaluationWork
from vtg_eval.run.journal import Record
from vtg_eval.run.manifest import installed_versions
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunOptions


@pytest.mark.parametrize(
    ("spec", "versions", "said"),
    [
        ({}, {}, ""),
        ({"checkpoint": "0" * 64}, {}, "checkpoint"),
        ({}, {"transformers": "1.0"}, "transformers"),
    ],
)
def test_a_machine_answers_only_with_what_the_run_is_of(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spec: Mapping[str, Any],
    versions: Mapping[str, str],
    said: str,
) -> None:
    assert Shell(tmp_path, monkeypatch, capsys).run("--out", "one", "--limit", "1")[0] == 0
    options = RunOptions("model", engine="fake", decoder="fake", limit=1)
    runner = Runner(options, Registry.discover())
    setup = runner.setup("fake_vtg")
    plan = runner.plan(setup, tmp_path / "two")
    assignment = Assignment(
        replace(setup.spec, **spec),
        {**installed_versions(), **versions},
        plan.samples,
        tmp_path,
    )
    kept: list[Record] = []
    work = EvaluationWork(options)
    if said:
        with pytest.raises(EngineError, match=f"these are not .*: {said}. Make them the same"):
            work.answer(assignment, iter(plan.jobs), lambda engine: None, kept.append)
    else:
        work.answer(assignment, iter(plan.jobs), lambda engine: None, kept.append)
    assert len(kept) == (0 if said else 1)
