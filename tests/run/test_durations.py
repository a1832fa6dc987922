"""Durations and counts that the annotation lacks: from the video files, and from the card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.video_files import write_clock
from vtg_eval.cli import main

SENTENCES = "V1 0.5 1.0##a door opens.\nV1 1.0 2.0##a door closes.\nV2 0.0 1.0##he sits.\n"
LENGTHS = "id,length\nV1,2.0\nV2,2.0\n"
ANSWERS = [{"id": name, "spans": [[0.5, 1.0]]} for name in ("V1/0", "V1/1", "V2/0")]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Charades-STA with three sentences, without durations and without videos."""
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "charades_sta"
    folder.mkdir(parents=True)
    (folder / "charades_sta_test.txt").write_text(SENTENCES)
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, ANSWERS)))
    return folder


def add_videos(root: Path, *names: str) -> None:
    (root / "videos").mkdir()
    for name in names:
        write_clock(root / "videos" / f"{name}.mp4", 48)  # 2 s


def add_lengths(root: Path) -> None:
    (root / "Charades_v1_test.csv").write_text(LENGTHS)


def score(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    files = ("--task", "charades_sta", "--predictions", "answers.jsonl")
    assert main(["score", *files, *args]) == 0
    return capsys.readouterr().out


def scored(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(score(capsys, "--json", "-"))
    return results


def run(*args: str) -> int:
    return main(["--tasks", "charades_sta", "--quiet", *args])


def test_durations_of_the_files_are_as_good_as_annotated_ones(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_videos(root, "V1", "V2")
    measured = scored(capsys)
    assert set(measured["floors"]) == {"whole video", "random", "constant [0, 0.45]"}
    assert measured["no_floors"] == ""
    assert "video length" in {row["grouping"] for row in measured["groups"]}
    shutil.rmtree(root / "videos")
    add_lengths(root)
    assert scored(capsys) == measured


def test_a_line_says_why_there_are_no_floors(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_videos(root, "V1")
    reason = (
        "1 of 3 samples have no duration, neither in the annotation nor from a video file; "
        "the first is V2/0"
    )
    assert f"no floors: {reason}" in score(capsys).splitlines()
    results = scored(capsys)
    assert (results["no_floors"], results["floors"]) == (reason, {})


def test_a_file_that_is_no_video_gives_no_duration(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_videos(root, "V1")
    (root / "videos" / "V2.mp4").write_text("no video")
    assert "no floors: 1 of 3 samples" in score(capsys)


def test_baselines_answer_from_the_files_and_a_run_is_the_same_run(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_videos(root, "V1", "V2")
    assert run("--model", "baseline:random", "--out", "run") == 0
    results = json.loads(Path("run/results.json").read_text())
    assert results["failures"] == {}
    assert results["metrics"] == results["floors"]["random"]
    shutil.rmtree(root / "videos")  # the digest of the annotation does not depend on them
    assert main(["score", "run"]) == 0
    assert "no floors: 3 of 3" in capsys.readouterr().out


def test_a_baseline_without_any_duration_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--model", "baseline:random", "--out", "run") == 2
    err = capsys.readouterr().err
    assert "Baselines answer from durations, but 3 of 3 samples have no duration" in err
    assert "Traceback" not in err


def test_a_short_file_is_a_subset_wherever_it_is_scored(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_lengths(root)
    line = "A SUBSET: 3 of 3720 samples (the annotation file has another number than"
    text = score(capsys)
    assert text.startswith("| charades_sta test, strict@2, SUBSET 3 of 3720 (")
    assert line in text
    subset = scored(capsys)["subset"]
    assert (subset["size"], subset["of"]) == (3, 3720)
    for name in ("a", "b"):
        assert run("--model", "baseline:random", "--out", name) == 0
    assert json.loads(Path("a/results.json").read_text())["subset"] == subset
    assert main(["score", "a"]) == 0
    assert line in capsys.readouterr().out
    assert main(["compare", "a", "b"]) == 0
    assert "A SUBSET: B has 3 samples, the whole split 3720." in capsys.readouterr().out


def test_a_run_from_before_counts_were_held_against_the_card_is_a_subset_too(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_lengths(root)
    assert run("--model", "baseline:random", "--out", "run") == 0
    manifest = json.loads(Path("run/manifest.json").read_text())
    manifest["subset"]["of"] = 3
    Path("run/manifest.json").write_text(json.dumps(manifest))
    assert main(["score", "run"]) == 0
    assert "SUBSET 3 of 3720" in capsys.readouterr().out


def test_more_samples_than_on_the_card_are_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "charades_sta_test.txt").write_text("V1 0.5 1.0##a door opens.\n" * 3721)
    answers = [json.dumps({"id": f"V1/{n}", "spans": [[0.5, 1.0]]}) for n in range(3721)]
    Path("answers.jsonl").write_text("\n".join(answers))
    assert "NOT THE CARD'S SAMPLES: 3721 of 3720 samples" in score(capsys)
