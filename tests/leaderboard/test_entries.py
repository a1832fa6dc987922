"""Entered runs: scored again, signed, and any later change is noticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vtg_eval.leaderboard.board import load_board
from vtg_eval.leaderboard.entries import load_entry, make_entry

from tests.folder_holder import held_elsewhere
from tests.leaderboard_case import ENTRY, board_copy, tiny_run, with_spec
from vtg_eval.cli import main
from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.registry import Registry

Add = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with data, a run and a leaderboard."""
    folder = tmp_path_factory.mktemp("origin")
    tiny_run(folder)
    board_copy(folder / "board")
    return folder


@pytest.fixture(scope="module")
def entered(origin: Path) -> Path:
    """Return the entry that the run becomes."""
    entry = make_entry(origin / "run", Registry.discover(), origin, "zero-shot")
    path = origin / f"{entry.name}.json"
    path.write_text(json.dumps(entry.to_json()))
    return path


@pytest.fixture
def run(origin: Path, tmp_path: Path) -> Path:
    """Return a copy of the run, its data beside it."""
    shutil.copytree(origin, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


@pytest.fixture
def add(run: Path, capsys: pytest.CaptureFixture[str]) -> Add:
    board = run.parent / "board"

    def call(*arguments: str) -> tuple[int, str]:
        folders = ["--data-root", str(run.parent), "--board", str(board)]
        status = main(["leaderboard", "add", str(run), *folders, *arguments])
        return status, capsys.readouterr().err

    return call


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def test_an_entry_has_the_metadata_and_figures_of_its_run(add: Add, run: Path) -> None:
    status, err = add("--setting", "zero-shot")
    assert status == 0 and "build the tables again" in err
    (path,) = (run.parent / "board" / "manifests").glob("*.json")
    entry = load_entry(path)
    manifest = json.loads((run / "manifest.json").read_text())
    results = json.loads((run / "results.json").read_text())
    assert entry.spec == manifest["spec"]
    assert entry.versions == (manifest["sessions"][0]["versions"],)
    assert (entry.model, entry.protocol) == ("baseline:whole-video", "strict@2")
    assert entry.figures.metrics == results["metrics"]
    assert entry.figures.floors == results["floors"]
    assert (entry.setting, entry.answers.count, entry.subset.size) == ("zero-shot", 3, 3)
    assert path.stem.startswith("baseline_whole-video-charades_sta-strict@2-")
    assert str(run.parent) not in path.read_text()


def test_nothing_is_added_while_another_process_changes_the_data(add: Add, run: Path) -> None:
    with held_elsewhere(run.parent / "board"):
        status, err = add()
    assert status == 2 and "Another vtg-eval process is at work in" in err
    assert not (run.parent / "board" / "manifests").exists()


def test_a_folder_without_leaderboard_data_is_not_created(run: Path, capsys: Any) -> None:
    board = run.parent / "none"
    folders = ["--data-root", str(run.parent), "--board", str(board)]
    assert main(["leaderboard", "add", str(run), *folders]) == 2
    assert "has no leaderboard data. Give another --board." in capsys.readouterr().err
    assert not board.exists()


def test_adding_again_changes_nothing(add: Add, run: Path) -> None:
    add()
    (path,) = (run.parent / "board" / "manifests").glob("*.json")
    before = path.read_bytes()
    assert add()[0] == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table["metrics"].update({"mIoU": 99.0}),
        lambda table: table["floors"]["whole video"].update({"mIoU": 1.0}),
        lambda table: table["samples"][0].update({"value": 1.0}),
        lambda table: table["intervals"].update({"mIoU": [0.0, 100.0]}),
        lambda table: table.update({"model": "another"}),
    ],
)
def test_an_edited_result_is_refused(add: Add, run: Path, change: Callable[[Any], Any]) -> None:
    edit(run / "results.json", change)
    status, err = add()
    assert status == 2
    assert "results.json differs from the journal" in err
    assert not (run.parent / "board" / "manifests").exists()


def test_an_edited_answer_is_refused(add: Add, run: Path) -> None:
    journal = run / "journal.jsonl"
    journal.write_text(journal.read_text().replace("20", "10"))
    assert "differs from the journal" in add()[1]


def test_other_answers_do_not_replace_an_entry(add: Add, run: Path) -> None:
    add()
    journal = run / "journal.jsonl"
    journal.write_text(journal.read_text().replace("0.0 to", "0.00 to"))
    status, err = add()
    assert status == 2 and "is already entered, with other answers" in err


def test_an_unfinished_run_is_refused(add: Add, run: Path) -> None:
    journal = run / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-1]))
    status, err = add()
    assert status == 2 and "1 of 3 samples have no answer. Run its command again." in err
    journal.write_text("".join(lines))
    (run / "results.json").unlink()
    assert "has no results.json" in add()[1]


def test_a_folder_that_is_not_a_run_is_refused(add: Add, run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a run folder"):
        make_entry(tmp_path / "nothing", Registry.discover(), tmp_path, "zero-shot")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t["figures"]["metrics"].update({"mIoU": 99.0}), "its figures was changed"),
        (lambda t: t["spec"].update({"model": "better"}), "its spec was changed"),
        (lambda t: t["spec"]["protocol"].update({"name": "x@1"}), "its spec was changed"),
        (lambda t: t["subset"].update({"of": 1}), "its subset was changed"),
        (lambda t: t["answers"].update({"count": 4}), "its answers was changed"),
        (lambda t: t["versions"][0].update({"numpy": "9"}), "its versions was changed"),
        (lambda t: t.update({"setting": "fine-tuned"}), "its setting was changed"),
        (lambda t: t.update({"signature": "0" * 64}), "its signature or its name"),
        (lambda t: t.update({"remark": "hello"}), "its signature or its name"),
        (lambda t: t.pop("figures"), "is not an entry"),
        (lambda t: t.update({"format": 9}), "format 9"),
    ],
)
def test_an_edited_entry_is_refused(
    entered: Path, tmp_path: Path, change: Callable[[Any], Any], named: str
) -> None:
    path = tmp_path / entered.name
    path.write_bytes(entered.read_bytes())
    assert load_entry(path).name == path.stem
    edit(path, change)
    with pytest.raises(UserError) as caught:
        load_entry(path)
    assert path.name in str(caught.value) and named in str(caught.value)


def test_an_edited_entry_stops_the_next_build(entered: Path, tmp_path: Path, capsys: Any) -> None:
    board = board_copy(tmp_path)
    path = board / "manifests" / entered.name
    path.parent.mkdir()
    path.write_bytes(entered.read_bytes())
    arguments = ["leaderboard", "build", "--board", str(board)]
    assert main(arguments) == 0
    edit(path, lambda table: table["figures"]["metrics"].update({"mIoU": 99.0}))
    assert main(arguments) == 2
    assert f"{path.name}: its figures was changed" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["task", "split", "model", "annotations", "protocol"])
def test_a_signed_entry_without_a_name_is_refused(tmp_path: Path, key: str) -> None:
    entry = replace(ENTRY, spec={k: v for k, v in ENTRY.spec.items() if k != key})
    path = tmp_path / f"{ENTRY.name}.json"
    path.write_text(json.dumps(entry.to_json()))
    with pytest.raises(UserError, match=f"is not an entry.*{key}"):
        load_entry(path)


@pytest.mark.parametrize(
    ("spec", "named"),
    [({"task": "charades"}, 'there is no task "charades"'), ({"split": "tset"}, "no split")],
)
def test_an_entry_of_an_unknown_task_or_split_stops_the_build(
    tmp_path: Path, spec: dict[str, str], named: str
) -> None:
    (board_copy(tmp_path) / "manifests").mkdir()
    path = tmp_path / "manifests" / f"{ENTRY.name}.json"
    path.write_text(json.dumps(with_spec(ENTRY, **spec).to_json()))
    with pytest.raises(UserError, match=named):
        load_board(tmp_path, Registry.discover())


def test_an_entry_under_another_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(ENTRY.to_json()))
    with pytest.raises(UserError, match="its signature or its name"):
        load_entry(path)


@pytest.mark.parametrize(
    "metrics", [{"mIoU": "<b>"}, {"mIoU": [1]}, {"mIoU": 1e9}, {"mIoU": -1.0}, {}]
)
def test_a_signed_entry_with_figures_that_are_not_percentages_is_refused(
    tmp_path: Path, metrics: Any
) -> None:
    entry = replace(ENTRY, figures=replace(ENTRY.figures, metrics=metrics))
    path = tmp_path / f"{ENTRY.name}.json"
    path.write_text(json.dumps(entry.to_json()))
    with pytest.raises(UserError, match="is not an entry"):
        load_entry(path)


def test_an_entry_that_was_signed_under_a_failure_s_former_name_is_read(tmp_path: Path) -> None:
    figures = replace(ENTRY.figures, failures={Failure.FALSE_ABSENT: 2})
    table = replace(ENTRY, figures=figures).to_json()
    table["figures"]["failures"] = {"said_never": 2}
    table["digests"]["figures"] = sha256(canonical(table["figures"]))
    table["signature"] = sha256(canonical(table["digests"]))
    path = tmp_path / f"{ENTRY.name}.json"
    path.write_text(json.dumps(table))
    assert load_entry(path).figures == figures
