import json
from pathlib import Path

import pytest

from tests import fakes
from vtg_eval.cli import main


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    main(["plugins", "--json"])
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_the_built_in_folders_are_plug_ins_like_any_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plugins = rows(capsys)
    assert {"commands", "engines", "video", "tasks", "model_adapters"} <= plugins.keys()
    tasks = plugins["tasks"]["provides"]
    assert isinstance(tasks, dict)
    assert {"charades_sta", "synth_vtg"} <= set(tasks["tasks"])
    assert "strict@2" in tasks["protocols"]


def test_the_table_has_a_row_for_each_plug_in(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    out = capsys.readouterr().out
    assert "| video " in out
    assert "decoders: pyav, decord" in out


def test_a_third_party_plug_in_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.install("fakes", "tests.fakes", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    row = rows(capsys)["fakes"]
    assert (row["package"], row["version"], row["module"]) == ("fakes", "1.0", "tests.fakes")
    assert row["provides"] == {
        "adapters": ["fake"],
        "decoders": ["fake", "faulty"],
        "engines": ["fake"],
        "tasks": ["fake_vtg"],
    }


def test_an_environment_variable_selects_the_plug_ins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VTG_EVAL_PLUGINS", "commands, tasks")
    assert rows(capsys).keys() == {"commands", "tasks"}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("raise RuntimeError('first line\\nsecond')", "RuntimeError: first line"),
        ("syntax error", "SyntaxError: invalid syntax"),
        ("import nowhere_at_all", "ModuleNotFoundError"),
    ],
)
def test_a_plug_in_that_does_not_load_is_reported_in_one_line_and_skipped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    error: str,
) -> None:
    module = f"broken_{abs(hash(content))}"
    fakes.install("broken", module, tmp_path)
    (tmp_path / f"{module}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["plugins"]) == 1
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("vtg-eval: the plug-in broken of broken is left out: ")
    assert error in line
    assert f"BROKEN: {error}" in captured.out
    assert "| tasks " in captured.out
