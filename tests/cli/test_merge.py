"""`vtg-eval run --shard` and `vtg-eval merge`, from the command to the table."""

from __future__ import annotations

import json

import pytest

from tests import fakes
from tests.charades_case import write_charades
from tests.fakes import QUERIES, VIDEOS
from tests.shell import Shell

TOTAL = VIDEOS * QUERIES


def test_shards_are_run_merged_and_printed_as_one_run(shell: Shell) -> None:
    _, table, _ = shell.run("--out", "whole")
    for number in (1, 2):
        status, out, _ = shell.run("--out", "parts", "--shard", f"{number}/2")
        assert status == 0
        assert f"fake_vtg, shard {number}/2: {TOTAL // 2} of {TOTAL // 2} samples answered" in out
        assert f"shard folder: parts/shards/{number}-of-2\n" in out
        assert "vtg-eval merge parts\n" in out
        assert "strict@2" not in out  # no table
    status, out, err = shell.call("merge", "parts")
    assert (status, err) == (0, "")
    session = ("time: ", "frames: ")  # how long it took is not of the merged run
    kept = [line for line in table.splitlines(keepends=True) if not line.startswith(session)]
    assert out == "".join(kept).replace("run folder: whole", "run folder: parts")
    assert shell.results("parts") == shell.results("whole")


def test_without_out_the_merged_run_is_in_its_usual_place(shell: Shell) -> None:
    shell.run("--shard", "1/1")
    (folder,) = (shell.home / "runs").iterdir()
    assert shell.call("merge", "runs")[0] == 0
    status, out, err = shell.run()
    assert status == 0
    assert f"run folder: runs/{folder.name}" in out
    assert err == ""  # nothing was left to ask


def test_the_command_that_finishes_a_shard_is_printed(shell: Shell) -> None:
    shell.run("--out", "parts", "--shard=1/3", "--batch-size", "2")
    status, out, err = shell.call("merge", "parts")
    assert status == 1
    assert out == ""
    assert "parts: unfinished shards: 2/3 (not begun), 3/3 (not begun)." in err
    _, command, _ = err.split("\n", 3)[1:]
    assert command.startswith("vtg-eval --model model ")
    assert "--out parts --shard 2/3 --batch-size 2" in command
    assert "so there is no score yet. The run's command without --shard asks all others" in err

    assert shell.call(*command.split()[1:])[0] == 0
    assert "unfinished shards: 3/3 (not begun)." in shell.call("merge", "parts")[2]
    assert shell.run("--out", "parts")[0] == 0
    assert shell.call("merge", "parts")[0] == 0


def test_a_shard_with_failed_samples_ends_with_status_1(shell: Shell) -> None:
    status, out, err = shell.run(
        "--out", "parts", "--shard", "1/1", "--engine-arg", 'fail=["v1/2"]'
    )
    assert status == 1
    assert f"{TOTAL - 1} of {TOTAL} samples answered" in out
    assert f"1 of {TOTAL} samples failed; parts/shards/1-of-1/journal.jsonl has the reasons" in err
    status, out, err = shell.call("merge", "parts")
    assert status == 1
    assert "| fake_vtg test, strict@2 " in out
    assert f"unfinished shards: 1/1 ({TOTAL - 1} of {TOTAL})" in err


def test_json_of_a_shard_and_of_the_merge(shell: Shell) -> None:
    status, out, _ = shell.run("--out", "parts", "--shard", "1/2", "--json", "-")
    assert status == 0
    state = {"task": "fake_vtg", "folder": "parts/shards/1-of-2", "answered": 16, "asked": 16}
    assert json.loads(out) == {**state, "shard": "1/2"}
    status, out, _ = shell.call("merge", "parts", "--json", "-")
    assert status == 1
    assert json.loads(out) == {**state, "folder": "parts", "asked": 32}
    shell.run("--out", "parts", "--shard", "2/2")
    status, out, err = shell.call("merge", "parts", "--json", "-")
    assert status == 0
    assert json.loads(out) == json.loads(shell.results("parts"))
    assert "strict@2" in err


def test_a_plan_is_that_of_the_shard(shell: Shell) -> None:
    status, out, _ = shell.run("--shard", "2/8", "--plan")
    assert status == 0
    assert "fake_vtg, shard 2/8: 4 samples, 4 left to ask on 1 videos" in out
    assert "/shards/2-of-8" in out
    _, out, _ = shell.run("--shard", "2/8", "--plan", "--json", "-")
    assert (json.loads(out)["shard"], json.loads(out)["subset"]["size"]) == ("2/8", TOTAL)
    assert not (shell.home / "runs").exists()


def test_shards_of_several_tasks_are_merged_at_once(shell: Shell) -> None:
    data = write_charades(shell.home / "data")
    tasks = ("--model", "baseline:random", "--tasks", "charades_sta,fake_vtg", "--data-root")
    fakes.TASK.prepare(data)
    assert shell.call("run", *tasks, str(data), "--out", "whole")[0] == 0
    for number in (1, 2):  # there is one video of Charades
        shard = ("--out", "parts", "--shard", f"{number}/2")
        assert shell.call("run", *tasks, str(data), *shard)[0] == 0
    status, out, _ = shell.call("merge", "parts", "--data-root", str(data))
    assert status == 0
    for task in ("charades_sta", "fake_vtg"):
        assert f"run folder: parts/{task}" in out
        assert shell.results(f"parts/{task}") == shell.results(f"whole/{task}")


def test_copies_of_shards_are_merged_by_name(shell: Shell) -> None:
    for number in (1, 2):
        shell.run("--out", "parts", "--shard", f"{number}/2")
        folder = shell.home / "parts" / "shards" / f"{number}-of-2"
        folder.rename(shell.home / f"copy-{number}")
    status, _, err = shell.call("merge", "copy-1", "copy-2")
    assert status == 2
    assert "copy-1 is not in its run's folder: name the merged run's --out." in err
    assert shell.call("merge", "copy-1", "copy-2", "--out", "merged")[0] == 0
    assert shell.run("--out", "merged")[0] == 0


def test_a_run_does_not_ignore_shards_that_are_not_merged(shell: Shell) -> None:
    shell.run("--out", "parts", "--shard", "1/2")
    status, _, err = shell.run("--out", "parts")
    assert status == 2
    assert "shards of a run that are not merged: `vtg-eval merge parts` joins" in err


def test_other_commands_refuse_a_shard(shell: Shell) -> None:
    shell.run("--out", "parts", "--shard", "1/2")
    status, _, err = shell.call("score", "parts/shards/1-of-2")
    assert status == 2
    assert "parts/shards/1-of-2 is shard 1/2 of a run" in err


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0/4", "there is no shard 0/4: they are 1/4 to 4/4"),
        ("5/4", "there is no shard 5/4: they are 1/4 to 4/4"),
        ("a/b", "'a/b' is not a shard, as in 2/8"),
        ("3", "'3' is not a shard"),
        ("1/0", "'1/0' is not a shard"),
        ("1/100000", "'1/100000' is not a shard"),
    ],
)
def test_a_shard_that_cannot_be_is_refused(shell: Shell, value: str, message: str) -> None:
    status, _, err = shell.run("--shard", value)
    assert status == 2
    assert message in err


def test_a_shard_that_could_not_be_merged_is_refused_at_its_start(shell: Shell) -> None:
    assert shell.run("--out", "parts", "--shard", "1/3")[0] == 0
    status, _, err = shell.run("--out", "parts", "--shard", "1/2")
    assert status == 2
    assert "parts is divided into 3 shards already, so there is no shard 1/2" in err
    status, _, err = shell.run("--out", "parts", "--shard", "2/3", "--seed", "5")
    assert status == 2
    assert "begun with other settings: seed" in err
    assert [path.name for path in (shell.home / "parts" / "shards").iterdir()] == ["1-of-3"]
