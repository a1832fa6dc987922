"""The generated benchmark: its annotations match the pictures to the frame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vtg_eval.errors import UserError
from vtg_eval.registry import Registry
from vtg_eval.types import Sample
from vtg_eval.video.pyav import PyavDecoder

TASK = Registry.discover().task("synth_vtg")
CARD = TASK.card


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synth")
    from vtg_eval.tasks.synth_vtg import write_video

    for scene in TASK.scenes("test")[:6]:
        write_video(scene, TASK.video_path(root, f"test-{scene.number:02d}"))
    return root


def moments(samples: list[Sample], kind: str) -> list[Sample]:
    return [sample for sample in samples if sample.group("kind") == kind]


@pytest.mark.parametrize("split", CARD.splits, ids=lambda split: split.name)
def test_counts_are_those_of_the_card(split, tmp_path: Path) -> None:
    samples = TASK.samples(tmp_path, split.name)
    assert len(samples) == split.queries
    assert len({sample.video for sample in samples}) == split.videos
    assert len({sample.id for sample in samples}) == split.queries


def test_scenes_are_the_same_each_time_and_splits_differ() -> None:
    assert TASK.samples(Path(), "test") == TASK.samples(Path(), "test")
    test = {(s.query, s.target) for s in TASK.samples(Path(), "test") if s.target.spans}
    train = {(s.query, s.target) for s in TASK.samples(Path(), "train") if s.target.spans}
    assert not test & train


def test_every_kind_of_event_and_of_clock_occurs() -> None:
    samples = list(TASK.samples(Path(), "test"))
    kinds = {sample.group("kind") for sample in samples}
    assert kinds == {"appears", "moves", "background", "repeats", "never"}
    assert {sample.group("frame rate") for sample in samples} == {"constant", "variable"}
    assert all(len(sample.target.spans) == 2 for sample in moments(samples, "repeats"))
    assert all(sample.target.spans == () for sample in moments(samples, "never"))
    for sample in samples:
        for start, end in sample.target.spans:
            assert 0 <= start < end <= sample.duration


def test_files_show_each_frame_at_its_time(folder: Path) -> None:
    for scene in TASK.scenes("test")[:6]:
        info = PyavDecoder().probe(TASK.video_path(folder, f"test-{scene.number:02d}"))
        np.testing.assert_allclose(info.times, scene.times, atol=1e-6)
        assert info.duration == pytest.approx(scene.duration, abs=1e-3)
        assert (info.height, info.width) == (scene.side, scene.side)


def test_truth_is_what_the_decoded_pictures_show(folder: Path) -> None:
    """A shape's cell changes from the first frame of its span on, and up to the last."""
    checked = 0
    for scene in TASK.scenes("test")[:6]:
        decoder = PyavDecoder()
        path = TASK.video_path(folder, f"test-{scene.number:02d}")
        info = decoder.probe(path)
        size = (scene.side, scene.side)
        picture, times = decoder.read(path, range(len(info.times)), size)
        for shape in scene.shapes:
            if shape.moves is not None or scene.background is not None:
                continue  # moving shapes may pass behind it
            x, y = (int(part * scene.side) for part in shape.place)
            patch = picture[:, y - 4 : y + 4, x - 4 : x + 4].reshape(len(times), -1).astype(int)
            seen = np.abs(patch - np.array([*scene.tint] * 64)).max(axis=1) > 60
            edges = np.append(times, info.duration)
            rises = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]).astype(int)))
            spans = [tuple(edges[pair]) for pair in rises.reshape(-1, 2)]
            truth = [scene.span(interval) for interval in shape.visible]
            np.testing.assert_allclose(spans, truth, atol=1e-3)
            checked += len(truth)
    assert checked >= 4


def test_preparing_twice_writes_nothing_new(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(type(TASK), "scenes", lambda self, split: [TASK.scene(split, 0)])
    TASK.prepare(tmp_path, "test")
    path = TASK.video_path(tmp_path, "test-00")
    first = path.stat().st_mtime_ns
    TASK.prepare(tmp_path, "test")
    assert path.stat().st_mtime_ns == first
    assert [p.name for p in path.parent.iterdir()] == ["test-00.mp4"]


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # bytes, as if the disk were full
from vtg_eval.cli import main
sys.exit(main(["data", "prepare", "synth_vtg", "--data-root", sys.argv[1]]))
"""


def test_a_full_disk_is_one_line_and_leaves_no_half_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "test-00.mp4 cannot be written: File too large." in done.stdout
    assert "run the same command again" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_videos_are_not_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = TASK.video_path(tmp_path / "root", "test-00").parent
    folder.parent.mkdir()
    folder.symlink_to(outside)
    with pytest.raises(UserError, match="is a link"):
        TASK.prepare(tmp_path / "root", "test", {"test-00"})
    assert list(outside.iterdir()) == []
