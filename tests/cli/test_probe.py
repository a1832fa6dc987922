"""`vtg-eval probe`: from the command to the table, resumed, and on finished runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import fakes
from tests.leaderboard_case import DURATIONS, LINES
from tests.shell import FAKE, Shell
from vtg_eval.files.json_files import read_object

CHANGES = ("--transformations", "trim:2s,speed:2,reverse")
FOLDERS = ("original", "trim-2s", "speed-2", "reverse")


class ProbeShell(Shell):
    """Has three Charades samples besides."""

    def fake(self, *arguments: str) -> tuple[int, str, str]:
        """Probe the fake model on the fake task."""
        return self.call("probe", *FAKE, *CHANGES, *arguments)

    def baseline(self, name: str, *arguments: str) -> tuple[int, str, str]:
        """Probe a baseline on the Charades samples."""
        model = ("--model", f"baseline:{name}", "--tasks", "charades_sta")
        return self.call("probe", *model, "--data-root", str(self.home / "data"), *arguments)


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> ProbeShell:
    data = tmp_path / "data"
    data.mkdir()
    (data / "charades_sta_test.txt").write_text(LINES)
    (data / "Charades_v1_test.csv").write_text(DURATIONS)
    return ProbeShell(tmp_path, monkeypatch, capsys)


def test_a_probe_is_a_run_for_each_transformation_and_a_table(shell: ProbeShell) -> None:
    status, out, err = shell.fake("--out", "probe")
    assert status == 0, err
    for line in ("| trim:2s ", "| speed:2 ", "| reverse ", "| every one ", "| whole video "):
        assert line in out
    assert "24 of 32 samples (no moment 8): trim:2s, speed:2, reverse" in out
    for name in FOLDERS:
        assert f"probe/{name}" in out
        assert (shell.home / "probe" / name / "results.json").is_file()
    assert "model on fake_vtg, trim:2s: " in err
    spec = read_object(shell.home / "probe" / "speed-2" / "manifest.json", "")["spec"]
    assert spec["transformation"] == {"kind": "speed", "amount": 2.0, "unit": "", "seed": 0}
    original = read_object(shell.home / "probe" / "original" / "manifest.json", "")["spec"]
    assert "transformation" not in original
    assert "transformation" not in read_object(shell.home / "probe/original/results.json", "")


def test_the_model_sees_the_transformed_video(shell: ProbeShell) -> None:
    assert shell.fake("--out", "probe")[0] == 0
    before = {record["id"]: record for record in shell.journal("probe/original")}
    for record in shell.journal("probe/speed-2"):
        old = before[record["id"]]
        assert record["frames"] != old["frames"]
        assert record["frame_times"][-1] < old["frame_times"][-1] / 2 + 0.5
    fast = read_object(shell.home / "probe" / "speed-2" / "results.json", "")
    assert fast["transformation"] == "speed:2"
    assert fast["n_expected"] == 24


def test_the_default_folder_of_the_original_is_that_of_a_run(shell: ProbeShell) -> None:
    assert shell.call("run", *FAKE, "--quiet")[0] == 0
    before = fakes.FakeEngine.started
    status, out, _ = shell.fake()
    assert status == 0
    names = sorted(path.name for path in (shell.home / "runs").iterdir())
    assert len(names) == 4
    assert any(name.startswith("model-fake_vtg-strict@2-speed-2-") for name in names)
    assert all(name in out for name in names)
    assert fakes.FakeEngine.started == before + 1  # one engine, and none for the finished run


def test_the_same_command_finishes_an_interrupted_probe(shell: ProbeShell) -> None:
    assert shell.fake("--out", "whole")[0] == 0
    failing = shell.fake("--out", "part", "--engine-arg", 'fail=["v1/1"]')
    assert failing[0] == 1
    assert "1 of 24 samples failed" in failing[2]
    path = shell.home / "whole" / "speed-2" / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    results = (path.parent / "results.json").read_bytes()
    path.write_bytes(b"".join(lines[:5]))
    assert shell.fake("--out", "whole")[0] == 0
    assert (path.parent / "results.json").read_bytes() == results
    assert len(path.read_text().splitlines()) == len(lines)


def test_finished_runs_are_compared_without_the_model(shell: ProbeShell) -> None:
    out = shell.fake("--out", "probe")[1]
    folders = [str(shell.home / "probe" / name) for name in FOLDERS]
    status, again, err = shell.call("probe", "--runs", *folders)
    assert (status, err) == (0, "")
    assert out.startswith(again.rstrip())
    table = json.loads(shell.call("probe", "--runs", *folders, "--json", "-")[1])
    assert [row["transformation"] for row in table["moved"]] == ["trim:2s", "speed:2", "reverse"]
    assert table["every_one"]["transformations"] == ["trim:2s", "speed:2"]
    status, _, err = shell.call("probe", "--runs", *folders[1:])
    assert (status, "name the original run first" in err.replace("\n", " ")) == (2, True)


def test_a_plan_starts_nothing(shell: ProbeShell) -> None:
    status, out, err = shell.fake("--plan", "--engine-arg", "refuse=true")
    assert status == 0, err
    assert out.count("fake_vtg: 24 samples, 24 left to ask") == 3
    assert "trim:2s leaves out others" in out
    assert not (shell.home / "runs").exists()


@pytest.mark.parametrize("name", ["whole-video", "random", "constant:0:0.45", "constant:0.25:0.75"])
def test_a_baseline_is_not_above_blind(shell: ProbeShell, name: str) -> None:
    status, out, err = shell.baseline(name, "--json", "-")
    assert status == 0, err
    table = json.loads(out)
    assert len(table["moved"]) == 6
    for row in table["moved"]:
        assert row["moved"]["value"] <= row["blind"]["moved"]
        assert (row["above_blind"]["value"] or 0.0) <= 0.0
    assert table["every_one"]["moved"]["value"] == 0.0
    assert [row["transformation"] for row in table["no_moment"]] == ["swap", "absent"]
    for row in table["no_moment"]:
        assert row["never"]["value"] == 0.0
        assert row["unchanged"]["value"] == 100.0


def test_a_probe_without_moments_alone_has_its_table_alone(shell: ProbeShell) -> None:
    status, out, err = shell.baseline("random", "--out", "p", "--transformations", "swap,absent")
    assert status == 0, err
    assert "| absent " in out
    assert "above blind" not in out
    assert shell.call("report", "p/original", "--probes", "p/swap", "--json", "-")[0] == 0


def test_samples_that_a_shorter_probe_lacks_are_counted(shell: ProbeShell) -> None:
    assert shell.baseline("random", "--out", "whole", "--transformations", "speed:2")[0] == 0
    short = ("--transformations", "speed:2", "--limit", "2")
    assert shell.baseline("random", "--out", "short", *short)[0] == 0
    status, out, err = shell.call("probe", "--runs", "whole/original", "short/speed-2")
    assert status == 0, err
    assert "2 of 3 samples (not in both runs 1): speed:2" in out


def test_a_transformed_run_says_so_wherever_it_is_read(shell: ProbeShell) -> None:
    assert shell.baseline("random", "--out", "probe", "--quiet")[0] == 0
    root = ("--data-root", str(shell.home / "data"))
    status, out, _ = shell.call("score", "probe/speed-2", *root)
    assert status == 0
    assert "| charades_sta test, strict@2, speed:2, SUBSET 3 of 3720" in out
    status, out, _ = shell.call("compare", "probe/original", "probe/speed-2", *root)
    assert status == 0
    assert "B has transformed videos (speed:2)" in out
    status, _, err = shell.call("leaderboard", "add", "probe/speed-2", *root)
    assert status == 2
    assert "is a probe (speed:2): its videos are not the benchmark's" in err


def test_the_page_has_a_section_on_the_probe(shell: ProbeShell) -> None:
    assert shell.fake("--out", "probe", "--quiet")[0] == 0
    folders = [f"probe/{name}" for name in FOLDERS]
    status, out, err = shell.call("report", folders[0], "--probes", *folders[1:], "--json", "-")
    assert status == 0, err
    (part,) = json.loads(out)["probes"]
    assert part["run"] == 0
    assert [bar["name"] for bar in part["bars"]] == ["trim:2s", "speed:2", "reverse", "every one"]
    assert shell.call("report", folders[1], "--json", "-")[0] == 0  # a transformed run by itself
    status, _, err = shell.call("report", folders[0], "--probes", folders[0])
    assert status == 2
    assert "is no probe of a run on this page" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tasks", "fake_vtg"], "Name --model and --tasks, or finished --runs"),
        ([*FAKE, "--transformations", "revers"], 'Did you mean "reverse"?'),
        ([*FAKE, "--transformations", "reverse,reverse"], "names one twice"),
        ([*FAKE, "--transformations", "speed:2,speed:2.0"], "names one twice"),
        ([*FAKE, "--transformations", "prepend"], "prepend:50% leaves out all 32 samples"),
        ([*FAKE, "--tasks", "fake_vtx"], 'Did you mean "fake_vtg"?'),
        ([*FAKE, "--limit", "0"], "not a whole number from 1"),
        ([*FAKE, "--json", "nowhere/out.json"], "cannot be written"),
        (["--runs", "a", "b", "--model", "x"], "--model is for making runs"),
        (["--runs", "a", "b", "--limit", "3"], "--limit is for making runs"),
        (["--runs", "a", "b", "--plan"], "--plan is for making runs"),
        (["--runs", "nowhere", "b"], "nowhere is not a run folder"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, Sequence) else None,
)
def test_a_mistake_is_named_before_anything_starts(
    shell: ProbeShell, arguments: list[str], message: str
) -> None:
    status, out, err = shell.call("probe", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (shell.home / "runs").exists()
