"""`vtg-train convert`: a published file becomes training samples, with lengths from its videos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vtg_eval.training import cli
from vtg_eval.training.data.conversion import convert_file, with_lengths
from vtg_eval.training.data.converters import CONVERTERS
from vtg_eval.training.data.sample import TrainingSample, load_samples

from tests.video_files import write_clock
from vtg_eval.errors import UserError
from vtg_eval.types import Span


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder with a video of 4 seconds and a broken one."""
    folder = tmp_path / "videos"
    folder.mkdir()
    write_clock(folder / "AB1.mp4", frames=24, rate=6, height=64, width=64)
    (folder / "CD2.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture
def charades(tmp_path: Path) -> Path:
    path = tmp_path / "train.txt"
    path.write_text("AB1 0.5 3##a dog.\nCD2 1 2##b\nEF3 1 2##c\n")
    return path


def test_a_file_becomes_samples_with_the_lengths_of_its_videos(
    charades: Path, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "train.jsonl"
    command = ["convert", "charades-sta", str(charades), "--out", str(out)]
    assert cli.main([*command, "--videos", str(videos)]) == 0
    shown = capsys.readouterr().out
    assert "3 samples about 3 videos; 2 have no length" in shown and "missing or broken" in shown
    assert [s.duration for s in load_samples([out])] == [pytest.approx(4.0), None, None]
    written = out.read_bytes()
    assert cli.main(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_bytes() == written


def test_a_file_that_exists_is_refused_before_any_video_is_read(
    charades: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(files: object) -> None:
        raise AssertionError("lengths were read")

    monkeypatch.setattr("vtg_eval.training.data.conversion.video_lengths", read)
    with pytest.raises(UserError, match="exists already"):
        convert_file("charades-sta", charades, charades, videos)


def test_the_length_is_that_of_the_part_that_is_shown(videos: Path) -> None:
    samples = [
        TrainingSample(str(n), "AB1.mp4", "q", (Span(0, 1),), "x", clip=clip, duration=duration)
        for n, (clip, duration) in enumerate(
            [(Span(1, 3), None), (Span(1, 30), None), (None, None), (None, 9.0)]
        )
    ]
    lengths = [sample.duration for sample in with_lengths(samples, videos)]
    assert lengths == pytest.approx([2.0, 3.0, 4.0, 9.0])


def test_the_help_names_every_layout(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["convert", "--help"])
    shown = "".join(capsys.readouterr().out.split())
    assert all(name in shown for name in CONVERTERS)


@pytest.mark.parametrize(
    ("name", "file", "more", "message"),
    [
        ("charades", "train.txt", [], 'Did you mean "charades-sta"?'),
        ("charades-sta", "none.txt", [], "cannot be read"),
        ("charades-sta", ".", [], "is a folder: name the file of annotations"),
        ("charades-sta", "empty.txt", [], "has no sample to train on"),
        ("didemo", "train.txt", [], "train.txt"),
        ("charades-sta", "train.txt", ["--videos", "none"], "none is not a folder of videos"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    name: str,
    file: str,
    more: list[str],
    message: str,
    charades: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out.jsonl"
    (tmp_path / "empty.txt").touch()
    assert cli.main(["convert", name, str(tmp_path / file), "--out", str(out), *more]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert not out.exists()


def test_a_length_that_no_video_has_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jsonl"
    row = {"vid": "x", "duration": 0, "query": "a", "span": [1, 2]}
    path.write_text(json.dumps(row) + "\n")
    out = tmp_path / "out.jsonl"
    assert cli.main(["convert", "internvid-vtime", str(path), "--out", str(out)]) == 2
    assert "line 1" in capsys.readouterr().err
    assert not out.exists()
