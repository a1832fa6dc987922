"""A run checks the times that its model is told, and refuses a model that is told false ones."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from vtg_eval.model_adapters.qwen3_vl import Qwen3VLAdapter

from tests import fakes
from tests.tiny_families import qwen3_vl
from vtg_eval.cli import main
from vtg_eval.doctor import before_run
from vtg_eval.doctor.before_run import RunTimes
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.registry import Registry
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunOptions
from vtg_eval.types import OutputType

pytestmark = pytest.mark.xdist_group("doctor")
STAMPED_PLUGIN = """
from vtg_eval.hookspecs import AdapterEntry, hookimpl

@hookimpl
def vtg_adapters():
    adapter = f"{__name__}.adapter:StampedAdapter"
    return [AdapterEntry("stamped", adapter, "", architectures=("Stamped",))]
"""
STAMPED_ADAPTER = """
from stamped_plugin.rate import FPS
from vtg_eval.model_adapters.qwen3_vl import Qwen3VLAdapter

class StampedAdapter(Qwen3VLAdapter):
    fps = FPS
"""


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3_vl.build(tmp_path_factory.mktemp("before_run"))


@pytest.fixture
def arguments(qwen3: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    fakes.install("fakes", "tests.fakes", tmp_path / "site")
    fakes.use_home(tmp_path, monkeypatch)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return ["--model", str(qwen3), "--tasks", "fake_vtg", "--engine", "fake", "--quiet"]


def times(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_text())["times"]


def spoil(monkeypatch: pytest.MonkeyPatch) -> None:
    def numbered(self: Qwen3VLAdapter, times: Any) -> dict[str, Any]:
        return {"frames_indices": [*range(len(times))], "fps": 1.0, "total_num_frames": len(times)}

    monkeypatch.setattr(Qwen3VLAdapter, "metadata", numbered)


def test_the_check_is_in_the_manifest_and_made_once(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*arguments, "--out", "one"]) == 0
    check = times(tmp_path / "one")
    assert (check["result"], check["findings"], check["reason"]) == ("true", [], "")
    assert "variable rate" in check["clocks"]
    monkeypatch.delattr(before_run, "examine")  # remembered: not made again
    assert main([*arguments, "--out", "two"]) == 0
    assert times(tmp_path / "two") == check


def test_a_model_that_is_told_false_times_is_refused(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(monkeypatch)
    started = fakes.FakeEngine.started
    for extra in ([], ["--plan"], []):
        assert main([*arguments, "--out", "run", *extra]) == 2
        err = capsys.readouterr().err
        assert "is told times that are not true. index as time: " in err
        assert "--unchecked-times" in err
    assert fakes.FakeEngine.started == started
    assert not (tmp_path / "run").exists()
    assert main([*arguments, "--out", "run", "--unchecked-times"]) == 0
    assert times(tmp_path / "run")["reason"] == "--unchecked-times"


def test_a_model_that_is_told_nothing_is_refused_with_what_to_do(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Qwen3VLAdapter, "time_encoding", TimeEncoding(TimeRule.NOTHING))
    assert main([*arguments, "--out", "run", "--time-text", "none"]) == 2
    assert "use --time-text header" in capsys.readouterr().err


def test_other_options_are_checked_anew(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*arguments, "--out", "one"]) == 0
    assert main([*arguments, "--out", "two", "--time-text", "header"]) == 0
    assert times(tmp_path / "one")["digest"] != times(tmp_path / "two")["digest"]


def test_any_changed_module_of_a_plug_in_is_checked_anew(
    arguments: list[str], qwen3: Path, tmp_path: Path
) -> None:
    package, model = tmp_path / "site" / "stamped_plugin", tmp_path / "stamped"
    fakes.install("stamped", "stamped_plugin", tmp_path / "site")
    package.mkdir()
    (package / "__init__.py").write_text(STAMPED_PLUGIN)
    (package / "adapter.py").write_text(STAMPED_ADAPTER)
    (package / "rate.py").write_text("FPS = 1e6\n")
    shutil.copytree(qwen3, model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "architectures": ["Stamped"]}))
    arguments[1] = str(model)
    assert main([*arguments, "--out", "one"]) == 0
    (package / "rate.py").write_text("FPS = 1e5\n")
    assert main([*arguments, "--out", "two"]) == 0
    assert times(tmp_path / "one")["digest"] != times(tmp_path / "two")["digest"]


def test_a_task_that_asks_for_no_times_needs_no_check(
    arguments: list[str], qwen3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch)
    registry = Registry.discover()
    options = RunOptions(model=str(qwen3), engine="fake")
    with closing(Runner(options, registry)) as runner:
        setup = runner.setup("fake_vtg")
        chosen = tuple(replace(sample, asks=OutputType.CHOICE) for sample in setup.samples)
        check = RunTimes(registry)(runner.model, replace(setup, samples=chosen))
    assert (check.result, check.reason) == ("not checked", "the task asks for no times")


def test_a_finished_run_is_not_checked(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*arguments, "--out", "run"]) == 0
    spoil(monkeypatch)
    monkeypatch.delattr(before_run, "examine")
    assert main([*arguments, "--out", "run"]) == 0


def test_an_adapter_without_a_time_encoding_is_not_checked(
    arguments: list[str], tmp_path: Path
) -> None:
    arguments[1] = "model"
    assert main([*arguments, "--decoder", "fake", "--out", "run"]) == 0
    assert times(tmp_path / "run")["reason"] == "the adapter does not say how it tells times"
