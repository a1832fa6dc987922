"""A LoRA folder on the command line: it runs as the merged checkpoint, under a name of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from tests import fakes
from tests.charades_case import write_charades
from tests.lora_folders import change_settings, write_lora, write_merged
from tests.tiny_families import qwen3_vl
from vtg_eval.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, "base", a LoRA on it, both merged, and data."""
    folder = tmp_path_factory.mktemp("lora")
    base = qwen3_vl.build(folder / "base")
    write_lora(folder / "lora", base)
    write_merged(folder / "merged", base, folder / "lora")
    write_charades(folder / "data")
    return folder


@pytest.fixture(autouse=True)
def cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTG_EVAL_CACHE", str(folder / "cache"))
    monkeypatch.chdir(folder)


FIXED = ("--tasks", "charades_sta", "--data-root", "data", "--engine", "transformers")


def answer(model: str) -> tuple[str, str]:
    """Run a model on one sample; return its name in the run's spec and its answer."""
    assert main(["--model", model, *FIXED, "--limit", "1", "--quiet", "--out", model + "-run"]) == 0
    spec = json.loads(Path(f"{model}-run", "manifest.json").read_text())["spec"]
    (record,) = Path(f"{model}-run", "journal.jsonl").read_text().splitlines()
    return spec["model"], json.loads(record)["text"]


def run_folder(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the name of the run's folder, which ends with the digest of its spec."""
    assert main(["--model", *arguments, *FIXED, "--plan", "--json", "-"]) == 0
    return Path(json.loads(capsys.readouterr().out)["folder"]).name


def test_a_lora_runs_as_the_merged_checkpoint() -> None:
    name, text = answer("lora")
    assert (name, text) == ("lora+base", answer("merged")[1])


def test_base_and_lora_are_part_of_the_identity(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree("lora", "moved")
    change_settings(folder / "moved", base_model_name_or_path="/models/elsewhere")
    shutil.copytree("base", "other")
    (folder / "other" / "chat_template.jinja").open("a").write("{# another #}")
    names = [
        run_folder(capsys, "base"),
        run_folder(capsys, "lora"),
        run_folder(capsys, "moved", "--base", "base"),
        run_folder(capsys, "moved", "--base", "other"),
    ]
    assert [name.partition("-charades")[0] for name in names] == [
        *("base", "lora_base", "moved_base", "moved_other"),
    ]
    shutil.copytree("other", "again/base")
    changed = run_folder(capsys, "lora", "--base", "again/base")
    assert changed != names[1]
    assert changed.partition("-charades")[0] == "lora_base"


def test_the_times_of_a_lora_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "time", "lora"]) == 0
    assert main(["doctor", "time", "lora", "--base", "base"]) == 0
    assert "NOT" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "base", "--base", "base"], "base is no LoRA folder"),
        (["--model", "baseline:random", "--base", "base"], "is no LoRA folder"),
        (["--model", "lora", "--base", "lora"], "holds a LoRA itself"),
        (["--model", "lora", "--base", "nothing"], 'There is no model "nothing"'),
        (["--model", "lora", "--engine", "fake"], "The engine fake does not apply LoRA"),
    ],
)
def test_what_cannot_be_run_is_refused(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fakes.install("fakes", "tests.fakes", tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert main([*arguments, "--tasks", "charades_sta", "--data-root", "data"]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1
