"""`vtg-eval data`, through its command."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.data_task import SmallTask, sample
from tests.video_files import X264, truncate, write_clock
from vtg_eval.cli.data import DataCommand
from vtg_eval.registry import Registry
from vtg_eval.task import SourceFile, SplitMetadata
from vtg_eval.types import Sample
from vtg_eval.video.pyav import PyavDecoder


class OneTask:
    """A registry with one task."""

    def __init__(self, task: SmallTask) -> None:
        self._task = task

    def task(self, name: str) -> SmallTask:
        return self._task

    def decoder(self, name: str) -> type[PyavDecoder]:
        return PyavDecoder


def run(task: SmallTask, *args: str) -> int:
    command = DataCommand()
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return command.run(parser.parse_args(list(args)), cast(Registry, OneTask(task)))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def task() -> SmallTask:
    return SmallTask([sample("a/0", (0, 1)), sample("b/0", (0, 3.5))])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "small" / "videos").mkdir(parents=True)
    write_clock(tmp_path / "small" / "videos" / "a.mp4", 48)
    return tmp_path


def test_check_reports_and_exits_1_while_videos_are_missing(
    task: SmallTask, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(task, "check", "small", "--data-root", str(root)) == 1
    out = capsys.readouterr().out
    assert "videos missing: 1 (b)" in out
    assert "truth beyond the annotated end by over 1 s: 1 (b/0)" in out
    write_clock(root / "small" / "videos" / "b.mp4", 48)
    assert run(task, "check", "small", "--root", str(root)) == 0
    assert "nothing is missing" in capsys.readouterr().out


def test_check_writes_every_finding_as_json(
    task: SmallTask, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(task, "check", "small", "--data-root", str(root), "--json", str(root / "out.json"))
    result: dict[str, Any] = json.loads((root / "out.json").read_text())
    assert result["complete"] is False
    missing = {"name": "videos missing", "count": 1, "serious": True, "where": ["b"]}
    assert missing in result["findings"]
    capsys.readouterr()
    run(task, "check", "small", "--data-root", str(root), "--json", "-")
    assert json.loads(capsys.readouterr().out) == result


def test_decode_detects_damage_that_the_index_does_not_show(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = SmallTask([sample("a/0", (0, 1), duration=4.0)])
    path = root / "small" / "videos" / "a.mp4"
    content = bytearray(write_clock(path, 96, options={**X264, "bf": "0"}).read_bytes())
    start = content.index(b"mdat") + 4
    end = content.index(b"moov") - 4
    middle = start + (end - start) // 3
    content[middle:end] = b"\xa5" * (end - middle)
    path.write_bytes(content)
    assert run(task, "check", "small", "--data-root", str(root)) == 0
    assert run(task, "check", "small", "--data-root", str(root), "--decode") == 1
    assert "no picture can be decoded" in capsys.readouterr().out


def test_a_cut_file_is_named_as_such(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = SmallTask([sample("a/0", (0, 1), duration=4.0)])
    whole = write_clock(root / "w.mp4", 96, container_options={"movflags": "faststart"})
    truncate(whole, root / "small" / "videos" / "a.mp4", 0.6)
    assert run(task, "check", "small", "--data-root", str(root)) == 1
    assert "videos cut short: 1 (a: a.mp4: the file is cut: 0.5 of 4.0 s" in capsys.readouterr().out


def test_prepare_names_missing_files_and_their_paths(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = SourceFile("list.txt", "https://example.org/list", "0" * 64)
    samples = [sample("a/0", (0, 1)), sample("b/0", (0, 1))]
    assert run(SmallTask(samples, (source,)), "prepare", "small", "--root", str(root)) == 1
    out = capsys.readouterr().out
    assert f"{root / 'small' / 'list.txt'}: missing. From https://example.org/list: must be" in out
    assert run(SmallTask(samples), "prepare", "small", "--data-root", str(root)) == 1
    out = capsys.readouterr().out
    assert "videos: 1 of 2 are there" in out
    assert str(root / "small" / "videos") in out


def test_prepare_gives_each_task_its_own_folder_in_a_new_root(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = SourceFile("list.txt", "https://example.org/list", "0" * 64)
    task = SmallTask([sample("a/0", (0, 1))], (source,))
    new = root / "new"
    assert run(task, "prepare", "small", "--data-root", str(new)) == 1
    assert f"{new / 'small' / 'list.txt'}: missing" in capsys.readouterr().out
    (new / "small").rmdir()
    (new / "other.txt").touch()  # files: it is the task's own folder
    assert run(task, "prepare", "small", "--data-root", str(new)) == 1
    assert f"{new / 'list.txt'}: missing" in capsys.readouterr().out


def test_prepare_succeeds_when_every_file_is_present(root: Path) -> None:
    task = SmallTask([sample("a/0", (0, 1))])
    assert run(task, "prepare", "small", "--data-root", str(root)) == 0


class TwoSplits(SmallTask):
    """A task whose second split has annotations only where its file is."""

    def __init__(self) -> None:
        super().__init__([sample("a/0", (0, 1))])
        self.card = replace(self.card, splits=(*self.card.splits, SplitMetadata("train", 1, 1)))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        if split == "train":
            self.file(root, "train.txt")
            return [sample("b/0", (0, 1))]
        return super().samples(root, split)


def test_check_reads_every_split_whose_annotations_are_there(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = TwoSplits()
    place = ("--data-root", str(root), "--json", str(root / "out.json"))
    assert run(task, "check", "small", *place) == 0
    assert "not checked, without their annotations: train" in capsys.readouterr().out
    assert json.loads((root / "out.json").read_text())["split"] == "test"
    (root / "small" / "train.txt").touch()
    assert run(task, "check", "small", *place) == 0
    out = capsys.readouterr().out
    assert "small, test: 1 queries" in out
    assert "small, train: 1 queries" in out
    assert "nothing is missing but the videos, which scoring does not need" in out
    assert [row["split"] for row in json.loads((root / "out.json").read_text())] == [
        "test",
        "train",
    ]
    assert run(task, "check", "small", *place, "--split", "train") == 1
