import errno
import itertools
import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import fakes
from tests.fakes import QUERIES, VIDEOS
from tests.shell import Shell
from vtg_eval.cli import main
from vtg_eval.video import entry_folder
from vtg_eval.video.entry_file import write_entry

TOTAL = VIDEOS * QUERIES


def lines(folder: Path) -> int:
    path = folder / "journal.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    while lines(folder) < count and process.poll() is None:
        time.sleep(0.005)


def test_a_run_ends_in_a_table_and_the_folders_path(shell: Shell) -> None:
    code, out, err = shell.run()
    assert code == 0, err
    assert "| fake_vtg test, strict@2 " in out
    assert "| floor: whole video " in out
    assert "| ceiling of the frames " in out
    folder = shell.home / out.rpartition("run folder: ")[2].strip()
    assert (folder / "results.json").is_file()
    assert folder.name.startswith("model-fake_vtg-strict@2-")
    assert err.splitlines() == [
        f"model on fake_vtg: {TOTAL} samples",
        err.splitlines()[1],
    ]
    assert f"{TOTAL} of {TOTAL} done" in err


def test_a_killed_run_is_finished_to_the_same_bytes(shell: Shell) -> None:
    delay = ("--engine-arg", "delay=0.02")
    assert shell.run("--out", "whole", *delay)[0] == 0
    folder, chance = shell.home / "killed", random.Random()
    kills = 0
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        with shell.start("--out", "killed", *delay) as process:
            wait_for(folder, int(TOTAL * share), process)
            time.sleep(chance.uniform(0, 0.04))
            kills += process.poll() is None
            process.kill()
    assert kills >= 3
    assert shell.run("--out", "killed", *delay)[0] == 0
    assert (folder / "results.json").read_bytes() == (
        shell.home / "whole" / "results.json"
    ).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_message_of_an_interrupted_run_names_the_next_step(shell: Shell, number: int) -> None:
    with shell.start("--out", "run", "--engine-arg", "delay=0.2") as process:
        wait_for(shell.home / "run", 3, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    answered = lines(shell.home / "run")
    assert 3 <= answered < TOTAL
    assert f"{answered} of {TOTAL} answered; run the same command again to finish." in err
    assert "Traceback" not in err


def test_a_second_process_is_refused_the_folder(shell: Shell) -> None:
    args = ("--out", "run", "--engine-arg", "delay=0.2")
    with shell.start(*args) as first:
        wait_for(shell.home / "run", 1, first)
        code, _, err = shell.run(*args)
        first.kill()
    assert code == 2
    assert "Another vtg-eval process" in err


def test_the_end_tells_what_the_time_went_into_and_what_was_reused(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--out", "run", "--engine-arg", "cached=4", "--engine-arg", "delay=0.01")
    code, out, err = shell.run(*arguments)
    assert (code, err.count("no hits")) == (0, 0)
    assert re.search(r"\ntime: \d+\.\d s", out)
    assert f"\nframes: {VIDEOS} videos decoded, 0 from the store" in out
    assert f"\nprompts: 57% of {7 * TOTAL} tokens computed before" in out
    (session,) = json.loads((shell.home / "run/manifest.json").read_text())["sessions"]
    usage = session["usage"]
    assert (usage["answers"], usage["repeats"]) == (TOTAL, TOTAL - VIDEOS)
    assert usage["seconds"] > 0.01 * TOTAL

    monkeypatch.setattr("vtg_eval.run.usage.MANY_REPEATS", 5)
    code, out, err = shell.run("--out", "again", "--engine-arg", "cached=0")
    assert f"\nframes: 0 videos decoded, {VIDEOS} from the store" in out
    assert "no hits, although" in " ".join(err.split())


def test_json_alone_goes_to_standard_output(shell: Shell) -> None:
    code, out, _ = shell.run("--json", "-", "--limit", "6")
    table = json.loads(out)
    assert code == 0
    assert (table["task"], table["n_expected"], table["subset"]["of"]) == ("fake_vtg", 6, TOTAL)


def test_the_table_states_a_limit(shell: Shell) -> None:
    _, out, _ = shell.run("--limit", "6")
    assert f"SUBSET 6 of {TOTAL}" in out
    assert "the first 6" in out


def test_a_plan_starts_nothing(shell: Shell) -> None:
    code, out, err = shell.run("--plan", "--engine-arg", "refuse=true")
    assert code == 0, err
    assert f"{TOTAL} samples, {TOTAL} left to ask on {VIDEOS} videos" in out
    assert not (shell.home / "runs").exists()
    plan: Any = json.loads(shell.run("--plan", "--json", "-")[1])
    assert plan["left"]["samples"] == TOTAL
    assert plan["left"]["frames"] > VIDEOS
    assert plan["left"]["seconds"] is None
    assert "time: not known" in out


def test_a_plan_tells_the_time_by_an_earlier_run(shell: Shell) -> None:
    slow = ("--engine-arg", "delay=0.02")
    assert shell.run("--limit", "8", *slow)[0] == 0
    plan: Any = json.loads(shell.run("--plan", "--json", "-", *slow)[1])
    assert 0.02 * TOTAL <= plan["left"]["seconds"] < 0.2 * TOTAL
    out = shell.run("--plan", "--devices", "3", "--limit", "9", *slow)[1]
    assert re.search(r"time: about [\d:]+ on 1, .* on 3, .* engines, .* by the run of", out, re.S)
    assert max(map(len, out.split("run folder")[0].splitlines())) <= 80


def test_a_run_keeps_its_plan_and_has_nothing_left_when_it_is_finished(shell: Shell) -> None:
    plan: Any = json.loads(shell.run("--plan", "--json", "-")[1])
    shell.run("--out", "run")
    (session,) = json.loads((shell.home / "run/manifest.json").read_text())["sessions"]
    assert session["planned"] == plan["left"]
    shell.run()
    assert json.loads(shell.run("--plan", "--json", "-")[1])["left"]["samples"] == 0


def test_failed_samples_set_the_exit_status(shell: Shell) -> None:
    code, out, err = shell.run("--engine-arg", 'fail=["v1/1"]')
    assert code == 1
    assert "failures: " in out
    assert "error 1" in out
    assert "1 of 32 samples failed" in err


def test_logits_that_are_not_finite_are_reported_and_not_asked_again(shell: Shell) -> None:
    arguments = ("--engine-arg", 'diverged=["v1/1", "v2/0"]')
    code, out, err = shell.run(*arguments)
    assert code == 1
    assert "non_finite_model 2" in out
    assert "on 2 of 32 samples its logits are NaN or infinite" in err
    started = fakes.FakeEngine.started
    assert shell.run(*arguments)[0] == 1
    assert fakes.FakeEngine.started == started


def test_missing_videos_are_refused_or_left_out(shell: Shell) -> None:
    root = shell.home / "cache" / "data" / "fake_vtg"
    fakes.TASK.prepare(root)
    (root / "videos" / "v2.txt").unlink()
    (root / "videos" / "v2.txt").mkdir()  # `prepare` does not write it again
    code, _, err = shell.run()
    assert code == 2
    assert "1 of 8 videos are missing" in err
    code, out, _ = shell.run("--allow-subset")
    assert code == 0
    assert f"SUBSET {TOTAL - QUERIES} of {TOTAL}" in out


@pytest.mark.parametrize("plan", [[], ["--plan"]], ids=["run", "plan"])
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--tasks", "fake_vtx"], 'Did you mean "fake_vtg"?'),
        (["--tasks", "fake_vtg,nothing"], 'There is no task "nothing"'),
        (["--tasks", ","], "Name one or more tasks"),
        (["--model", "nowhere"], 'There is no model "nowhere"'),
        (["--model", "baseline:whole-video"], "leave out --engine"),
        (["--engine", "fak"], 'Did you mean "fake"?'),
        (["--engine-arg", "x"], "not KEY=VALUE"),
        (["--engine-arg", "dealy=1"], 'no argument "dealy"'),
        (["--dtype", "float8"], "--dtype float8 is unknown"),
        (["--batch-size", "0"], "'0' is not a whole number from 1 to 4096"),
        (["--batch-size", "-1"], "'-1' is not a whole number"),
        (["--batch-size", "9" * 5000], "is not a whole number from 1 to 4096"),
        (["--seed", "-1"], "'-1' is not a whole number from 0"),
        (["--limit", "0"], "not a whole number from 1"),
        (["--decoder", "fak"], 'Did you mean "fake"?'),
        (["--protocol", "strict@9"], 'Did you mean "strict@2"?'),
        (["--protocol", "qvhighlights@1"], "qvhighlights@1"),
        (["--split", "tets"], 'Did you mean "test"?'),
        (["--data-root", "nowhere"], "The data root nowhere is not a folder"),
        (["--out", "model/config.json"], "config.json is a file"),
        (["--out", "model/config.json/run"], "config.json is a file"),
        (["--out", "model"], "model is no run folder, but holds config.json"),
        (["--json", "model"], "model cannot be written"),
        (["--json", "nowhere/out.json"], "nowhere/out.json cannot be written"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_a_mistake_is_named_before_anything_starts(
    shell: Shell, args: list[str], message: str, plan: list[str]
) -> None:
    files, started = {*shell.home.rglob("*")}, fakes.FakeEngine.started
    code, out, err = shell.run(*args, *plan)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert fakes.FakeEngine.started == started
    cache = shell.home / "cache"  # a generated benchmark stays
    left = {path for path in shell.home.rglob("*") if cache not in (path, *path.parents)}
    assert left <= files


def frame_files(shell: Shell) -> list[Path]:
    return sorted((shell.home / "cache" / "frames").glob("*/*.frames"))


def test_the_limit_of_the_frame_store_changes_neither_folder_nor_results(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell.run("--out", "run", "--frames-limit", "0")[0] == 0
    assert frame_files(shell) == []
    results = (shell.home / "run" / "results.json").read_bytes()
    assert shell.run("--out", "run", "--frames-limit", "20KB")[0] == 0  # the same run
    monkeypatch.setenv("VTG_EVAL_FRAMES_LIMIT", "20KB")
    for number in range(3):
        assert shell.run("--out", f"run{number}", "--workers", "1")[0] == 0
        assert (shell.home / f"run{number}" / "results.json").read_bytes() == results
    assert 0 < sum(path.stat().st_size for path in frame_files(shell)) <= 20_000


@pytest.mark.parametrize("size", ["80", "-1GB", "much", "1e9GB", "GB", "9" * 5000 + "GB"])
def test_a_limit_that_is_no_size_is_refused(
    shell: Shell, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = shell.run(f"--frames-limit={size}")
    assert code == 2
    assert "is not a size such as 80GiB" in err
    monkeypatch.setenv("VTG_EVAL_FRAMES_LIMIT", size)
    code, _, err = shell.run()
    assert code == 2
    assert "VTG_EVAL_FRAMES_LIMIT" in err
    assert len(err) < 200
    assert not (shell.home / "runs").exists()


@pytest.mark.parametrize("keep", [0, 20, -1], ids=["emptied", "in the header", "by one byte"])
def test_stored_frames_that_are_cut_short_do_not_change_the_results(
    shell: Shell, keep: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert shell.run("--out", "whole")[0] == 0
    paths = frame_files(shell)
    assert len(paths) == VIDEOS
    for path in paths:
        path.write_bytes(path.read_bytes()[:keep])
    assert shell.run("--out", "again")[0] == 0
    assert caplog.text.count("is decoded again") == VIDEOS
    assert (shell.home / "again" / "results.json").read_bytes() == (
        shell.home / "whole" / "results.json"
    ).read_bytes()
    assert shell.run("--out", "third")[0] == 0
    assert caplog.text.count("is decoded again") == VIDEOS


@pytest.mark.parametrize("after", [0, 3])
def test_a_disk_that_is_full_of_frames_does_not_change_the_results(
    shell: Shell,
    after: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert shell.run("--out", "whole", "--frames-limit", "0")[0] == 0
    numbers = itertools.count(1)

    def fill(path: Path, *entry: Any) -> None:
        write_entry(path, *entry)
        if next(numbers) > after:
            os.truncate(path, 100)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(entry_folder, "write_entry", fill)
    assert shell.run("--out", "full")[0] == 0
    assert "No space left on device" in caplog.text
    assert len(frame_files(shell)) == after
    assert (shell.home / "full" / "results.json").read_bytes() == (
        shell.home / "whole" / "results.json"
    ).read_bytes()


@pytest.mark.parametrize("plan", [[], ["--plan"]], ids=["run", "plan"])
def test_a_full_disk_is_found_before_the_run(
    shell: Shell, plan: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5_000_000))
    code, out, err = shell.run("--out", "run", *plan)
    assert (code, out) == (2, "")
    assert "run has no room for the run: 5 MB are free and about 17 MB are needed" in err
    assert not (shell.home / "run").exists()


@pytest.mark.parametrize("plan", [[], ["--plan"]], ids=["run", "plan"])
def test_the_folder_of_another_run_is_refused(shell: Shell, plan: list[str]) -> None:
    assert shell.run("--out", "run", "--limit", "2")[0] == 0
    code, _, err = shell.run("--out", "run", *plan)
    assert code == 2
    assert "run was begun with other settings: limit" in err


def test_a_run_is_scored_again_from_its_folder(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run("--out", "run")
    assert main(["score", "run", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("run/results.json").read_text())
    assert main(["score", "run", "--protocol", "timelens@1"]) == 0
    assert "| fake_vtg test, timelens@1 " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "nowhere is not a run folder"),
        ([], "Name a run's folder"),
        (["run", "--split", "test"], "Name a run's folder"),
        (["--task", "fake_vtg"], "both --task and --predictions"),
    ],
    ids=str,
)
def test_the_error_for_unusable_input_of_score_is_clear(
    shell: Shell, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    assert main(["score", *args]) == 2
    assert message in capsys.readouterr().err


def test_damaged_lines_of_a_journal_are_named_and_asked_again(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shell.home / "run"
    assert shell.run("--out", str(folder), "--quiet")[0] == 0
    before, path = (folder / "results.json").read_bytes(), folder / "journal.jsonl"
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*whole[:3], whole[3][:40] + b"\n", b"\0" * 9 + b"\n", *whole[5:]]))
    for command in (["score"], ["compare", str(folder)], ["report"], ["leaderboard", "add"]):
        status = main([*command, str(folder)])
        err = capsys.readouterr().err
        assert f"damaged lines in {path}: 2; samples without an answer: 2." in err, command
        assert status == {"compare": 0, "report": 0, "score": 1}.get(command[0], 2)

    code, _, err = shell.run("--out", str(folder), "--quiet")
    assert (code, err.count("\n")) == (0, 1)
    assert "damaged lines in the journal: 2. Their samples are asked again." in err
    assert (folder / "results.json").read_bytes() == before
    assert main(["score", str(folder)]) == 0
    assert "damaged" not in capsys.readouterr().err
