import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import fakes
from tests.fakes import QUERIES, VIDEOS, FakeEngine
from tests.run.conftest import Run
from vtg_eval.errors import UserError
from vtg_eval.failures import Finish
from vtg_eval.files.json_files import read_object, write_json
from vtg_eval.hookspecs import hookimpl
from vtg_eval.run.finished import rescore
from vtg_eval.run.journal import read_journal
from vtg_eval.run.merge import Merged, find_shards, merge
from vtg_eval.run.shards import Shard

TOTAL = VIDEOS * QUERIES


def answer(
    run: Run, folder: str, number: int, of: int = 3, limit: int | None = None, **extra: Any
) -> Path:
    """Answer a shard of the run in a folder; return the shard's folder."""
    shard = Shard(number, of)
    options = {"shard": shard, "limit": limit, "command": ("run", "--shard", str(shard))}
    outcome = run(str(shard.folder(Path(folder))), options=options, **extra)
    assert outcome.results is None
    return outcome.folder


def merged(folder: Path, *plugins: Any, into: Path | None = None) -> Merged:
    return merge(find_shards(folder), into or folder, fakes.make_registry(fakes, *plugins))


def results(folder: Path) -> bytes:
    return (folder / "results.json").read_bytes()


def ids(folder: Path) -> list[str]:
    lines = (folder / "journal.jsonl").read_text().splitlines()
    return [json.loads(line)["id"] for line in lines]


@pytest.mark.parametrize("of", [1, 3, VIDEOS + 2])
def test_merged_shards_are_the_run_byte_for_byte(run: Run, tmp_path: Path, of: int) -> None:
    whole = run("whole").folder
    for number in range(of, 0, -1):
        answer(run, "parts", number, of, batch_size=number)
    outcome = merged(tmp_path / "parts")
    assert (outcome.answered, outcome.asked, outcome.failed) == (TOTAL, TOTAL, 0)
    assert outcome.unfinished == ()
    assert results(tmp_path / "parts") == results(whole)
    assert ids(tmp_path / "parts") == [s.id for s in fakes.TASK.samples(Path(), "test")]


def test_a_merged_folder_is_an_ordinary_run(run: Run, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        answer(run, "parts", number)
    outcome = merged(tmp_path / "parts")
    assert rescore(tmp_path / "parts", fakes.make_registry(fakes)) == outcome.results
    manifest = read_object(tmp_path / "parts" / "manifest.json", "")
    assert (manifest["shard"], manifest["asked"]) == (None, None)
    assert len(manifest["sessions"]) == 3
    before, started = results(tmp_path / "parts"), FakeEngine.started
    run("parts")
    assert FakeEngine.started == started
    assert results(tmp_path / "parts") == before


def test_merging_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        answer(run, "parts", number)
    names = ("manifest.json", "journal.jsonl", "results.json")
    merged(tmp_path / "parts")
    before = [(tmp_path / "parts" / name).read_bytes() for name in names]
    merged(tmp_path / "parts")
    assert [(tmp_path / "parts" / name).read_bytes() for name in names] == before


def test_what_is_missing_is_told_and_asked_by_a_shard_or_by_the_run(
    run: Run, tmp_path: Path
) -> None:
    whole = results(run("whole").folder)
    answer(run, "parts", 1)
    second = answer(run, "parts", 2)
    journal = second / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])  # killed within the last line
    outcome = merged(tmp_path / "parts")
    assert outcome.results is None
    assert not (tmp_path / "parts" / "results.json").exists()
    count = len(ids(tmp_path / "parts"))
    assert (outcome.answered, outcome.failed) == (count, TOTAL - count)
    states = [(str(one.shard), one.asked and one.asked - one.done) for one in outcome.unfinished]
    assert states == [("2/3", 1), ("3/3", None)]
    shutil.copytree(tmp_path / "parts", tmp_path / "other")

    answer(run, "parts", 2)
    answer(run, "parts", 3)
    assert merged(tmp_path / "parts").unfinished == ()
    run("other")
    assert merged(tmp_path / "other").unfinished == ()  # though its shards are as they were

    assert results(tmp_path / "parts") == results(tmp_path / "other") == whole


def test_failed_samples_are_counted_and_tried_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = results(run("whole").folder)
    failing = ["v1/2", "v6/0"]
    for number in (1, 2, 3):
        answer(run, "parts", number, fail=failing)
    outcome = merged(tmp_path / "parts")
    assert outcome.results is not None
    assert (outcome.results.lost, outcome.failed) == (2, 2)
    assert sum((one.asked or 0) - one.done for one in outcome.unfinished) == 2
    monkeypatch.setattr(FakeEngine, "well", True)
    for number in (1, 2, 3):
        answer(run, "parts", number, fail=failing)
    assert merged(tmp_path / "parts").failed == 0
    assert results(tmp_path / "parts") == whole


def test_samples_that_fail_in_a_shard_are_told_at_its_end(run: Run) -> None:
    shard = Shard(1, 1)
    outcome = run("one", options={"shard": shard}, fail=["v1/2"], diverged=["v2/0"])
    assert (outcome.answered, outcome.asked, outcome.failed) == (TOTAL - 2, TOTAL, 2)


def test_shards_of_different_runs_are_refused_by_name(run: Run, tmp_path: Path) -> None:
    answer(run, "one", 1)
    answer(run, "two", 2, limit=9)
    shards = [*find_shards(tmp_path / "one"), *find_shards(tmp_path / "two")]
    with pytest.raises(UserError, match=r"not a shard of the same run.*limit \(before not set"):
        merge(shards, tmp_path / "merged", fakes.make_registry(fakes))
    assert not (tmp_path / "merged").exists()


def test_shards_of_three_and_of_four_are_not_merged(run: Run, tmp_path: Path) -> None:
    answer(run, "parts", 1, 3)
    answer(run, "parts", 2, 4)
    with pytest.raises(UserError, match=r"shards \(before 3, now 4\)"):
        merged(tmp_path / "parts")


def test_other_answers_are_not_replaced(run: Run, tmp_path: Path) -> None:
    folder = answer(run, "parts", 1, 1)
    merged(tmp_path / "parts")
    before = (tmp_path / "parts" / "journal.jsonl").read_bytes()
    records = read_journal(folder / "journal.jsonl")
    changed = replace(records["v3/1"], text="1.0 - 2.0")
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(changed.to_line())
    with pytest.raises(UserError, match=r"v3/1 has another answer in .*parts.*--out"):
        merged(tmp_path / "parts")
    assert (tmp_path / "parts" / "journal.jsonl").read_bytes() == before
    assert merged(tmp_path / "parts", into=tmp_path / "new").answered == TOTAL
    assert read_journal(tmp_path / "new" / "journal.jsonl")["v3/1"].text == "1.0 - 2.0"


def test_an_answer_replaces_a_failure_and_not_the_other_way_round(run: Run, tmp_path: Path) -> None:
    folder = answer(run, "parts", 1, 1)
    merged(tmp_path / "parts")
    record = read_journal(folder / "journal.jsonl")["v3/1"]
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(replace(record, finish=Finish.ERROR, text="").to_line())
    assert merged(tmp_path / "parts").answered == TOTAL
    assert merged(tmp_path / "parts", into=tmp_path / "new").answered == TOTAL - 1


def test_another_run_in_the_folder_is_refused(run: Run, tmp_path: Path) -> None:
    answer(run, "parts", 1, 1)
    run("limited", options={"limit": 5})
    with pytest.raises(UserError, match="other settings: limit"):
        merged(tmp_path / "parts", into=tmp_path / "limited")


def test_a_shard_has_no_score(run: Run, tmp_path: Path) -> None:
    folder = answer(run, "parts", 2)
    assert not (folder / "results.json").exists()
    with pytest.raises(UserError, match="is shard 2/3 of a run and has no score"):
        rescore(folder, fakes.make_registry(fakes))


def test_different_versions_are_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(run, "parts", 1, 2)
    manifest_file = answer(run, "parts", 2, 2) / "manifest.json"
    manifest = read_object(manifest_file, "")
    manifest["sessions"][0]["versions"]["av"] = "1.0"
    write_json(manifest_file, manifest)
    merged(tmp_path / "parts")
    assert "the answers are of different versions: av 1.0 and " in capsys.readouterr().err


def test_a_merge_ends_as_a_run_does(run: Run, tmp_path: Path) -> None:
    finished: list[Path] = []

    class Listener:
        @hookimpl
        def vtg_run_finished(self, folder: Path) -> None:
            finished.append(folder)

    answer(run, "parts", 1, 1)
    merged(tmp_path / "parts", Listener())
    assert finished == [tmp_path / "parts"]


def test_a_folder_without_shards_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="whole has no shards"):
        find_shards(run("whole").folder)
