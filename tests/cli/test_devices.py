"""`vtg-eval --devices`: several worker processes, one journal, the results of one process."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.fakes import QUERIES, VIDEOS
from tests.shell import Shell

TOTAL = VIDEOS * QUERIES


def ids(shell: Shell, folder: str) -> list[str]:
    return [record["id"] for record in shell.journal(folder)]


def test_workers_give_the_results_of_one_process(shell: Shell) -> None:
    assert shell.run("--out", "one", "--quiet")[0] == 0
    code, out, err = shell.run("--out", "two", "--devices", "2", "--workers", "2")
    assert code == 0, err
    assert "R1@0.5" in out
    assert f"{TOTAL} of {TOTAL} done" in err
    assert shell.results("two") == shell.results("one")
    assert sorted(ids(shell, "two")) == sorted(ids(shell, "one"))
    manifest = json.loads((shell.home / "two" / "manifest.json").read_text())
    assert [session["engine"]["processes"] for session in manifest["sessions"]] == [2]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (("stop_after=5", "signal=SIGKILL"), "Its exit status is -9."),
        (("crash_after=5",), "the device is lost"),
    ],
    ids=["killed", "engine failed"],
)
def test_a_lost_workers_videos_go_to_the_others(
    shell: Shell, fault: tuple[str, ...], message: str
) -> None:
    assert shell.run("--out", "one", "--quiet")[0] == 0
    marker = shell.home / "made"
    engine_args = [word for arg in (*fault, f"once={marker}") for word in ("--engine-arg", arg)]
    code, _, err = shell.run("--out", "two", "--devices", "2", *engine_args)
    assert code == 0, err
    assert message in err
    assert "Workers that go on: 1." in err
    assert shell.results("two") == shell.results("one")
    assert len(shell.journal("two")) == TOTAL


def test_without_a_worker_the_run_ends_and_is_finished_later(shell: Shell) -> None:
    code, _, err = shell.run("--out", "two", "--devices", "2", "--engine-arg", "crash_after=3")
    assert code == 1
    assert "All workers have ended." in err
    assert err.count("run the same command again") == 1
    assert "Traceback" not in err
    assert 0 < len(shell.journal("two")) < TOTAL


def test_an_engine_that_does_not_start_is_said_once(shell: Shell) -> None:
    code, _, err = shell.run("--out", "two", "--devices", "2", "--engine-arg", "refuse=true")
    assert code == 2
    assert err.count("The fake engine does not start.") == 1


def test_nothing_is_printed_after_the_end(shell: Shell) -> None:
    process = shell.start("--out", "two", "--devices", "2", "--quiet")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


def test_an_interrupted_run_is_resumed(shell: Shell) -> None:
    process = shell.start("--out", "two", "--devices", "2", "--engine-arg", "delay=0.2")
    file = shell.home / "two" / "journal.jsonl"
    while not (file.exists() and file.stat().st_size) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "run the same command again to finish" in err
    answered = len(shell.journal("two"))
    assert 0 < answered < TOTAL
    code, _, err = shell.run("--out", "two", "--devices", "2", "--engine-arg", "delay=0.2")
    assert code == 0, err
    assert len(shell.journal("two")) == TOTAL


def test_workers_end_with_a_killed_run(shell: Shell) -> None:
    process = shell.start("--out", "two", "--devices", "2", "--engine-arg", "delay=0.2")
    file = shell.home / "two" / "journal.jsonl"
    while not (file.exists() and file.stat().st_size) and process.poll() is None:
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("this system does not list child processes")
    workers = [int(pid) for pid in children.read_text().split()]
    assert len(workers) >= 2
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while any(map(_runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, workers))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--devices", "0"), "neither auto nor a number"),
        (("--devices", "auto"), "no GPU is visible"),
        (("--devices", "3", "--tensor-parallel", "2"), "--tensor-parallel needs --engine vllm"),
    ],
)
def test_devices_that_are_not_there_are_refused(
    shell: Shell, arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    code, _, err = shell.run("--out", "two", *arguments)
    assert code == 2
    assert message in err
    assert not (shell.home / "two").exists()
