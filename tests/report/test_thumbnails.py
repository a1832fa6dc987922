"""Pictures: the right frame of clock videos, from the file or the store, within the budget."""

import base64
import io
from pathlib import Path

import av
import pytest

from tests.data_task import SmallTask
from tests.video_files import read_clock, write_clock
from vtg_eval.protocol import FrameRule
from vtg_eval.report.thumbnails import Album, make_album
from vtg_eval.types import Sample, Span, Target
from vtg_eval.video.frame_store import FrameStore
from vtg_eval.video.pyav import PyavDecoder

RATE = 8
TIMES = (0.0, 1.0, 2.3, 99.0)
SHOWN = (0, 8, 18, 47)  # the frames on display then; the last one for times beyond the end


def sample(name: str, clips: tuple[Span, ...] = ()) -> Sample:
    return Sample(name, name.split("/")[0], "q", Target((Span(0, 1),)), 6.0, clips=clips)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    write_clock(tmp_path / "videos" / "v.mp4", 48, RATE, height=256, width=384)
    return tmp_path


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    return FrameStore(PyavDecoder(), tmp_path / "frames")


def album(
    root: Path,
    store: FrameStore,
    *samples: Sample,
    times: tuple[float, ...] = TIMES,
    stored: tuple[str, ...] = (),
    budget: int = 1 << 20,
) -> Album:
    every = [times] * len(samples)
    kept = [stored] * len(samples)
    return make_album(SmallTask(samples), root, store, samples, every, kept, budget)


def numbers(found: Album, row: int = 0) -> list[int]:
    """Return the numbers that the pictures of a sample show."""
    shown = []
    for picture in found.pictures[row]:
        file = base64.b64decode(found.images[picture.image])
        with av.open(io.BytesIO(file), format="mjpeg") as container:
            frame = next(container.decode(video=0))
            array = frame.to_ndarray(format="rgb24")
        assert array.shape[1] == 160 or array.shape[1] == 96
        shown.append(read_clock(array))
    return shown


def test_pictures_are_the_frames_on_display(root: Path, store: FrameStore) -> None:
    found = album(root, store, sample("v/0"), sample("v/1"), sample("gone/0"))
    assert numbers(found) == list(SHOWN)
    assert [picture.time for picture in found.pictures[0]] == list(TIMES)
    assert [picture.shown * RATE for picture in found.pictures[0]] == pytest.approx(SHOWN)
    assert found.pictures[1] == found.pictures[0]
    assert len(found.images) == 4  # each once
    assert (found.wanted, found.covered, found.absent) == (3, 3, 1)


def test_clips_are_in_the_shown_videos_time(root: Path, store: FrameStore) -> None:
    clips = (Span(2, 3), Span(4, 6))
    assert numbers(album(root, store, sample("v/0", clips), times=(0.0, 0.5, 1.0, 2.0))) == [
        *(16, 20, 32, 40)
    ]


def test_without_the_video_the_stored_frames_serve(root: Path, store: FrameStore) -> None:
    rule = FrameRule(fps=2.0)
    frames = store.frames(root / "videos" / "v.mp4", rule, lambda *_: (64, 96))
    (root / "videos" / "v.mp4").unlink()
    found = album(root, store, sample("v/0"), stored=(frames.digest,))
    assert numbers(found) == [0, 8, 16, 44]  # the last ones that the model was shown by then
    for key in ("../" * 9 + "etc/passwd", "0" * 64, "", frames.digest.upper()):
        assert album(root, store, sample("v/0"), stored=(key,)).images == ()


def test_a_video_that_cannot_be_read_costs_its_pictures_only(root: Path, store: FrameStore) -> None:
    (root / "videos" / "bad.mp4").write_bytes(b"no video")
    names = ("bad/0", "v/0")
    found = album(root, store, *map(sample, names))
    assert (found.pictures[0], len(found.pictures[1]), found.absent) == ((), 4, 1)


def test_the_budget_holds(root: Path, store: FrameStore) -> None:
    whole = sum(map(len, album(root, store, sample("v/0")).images))
    write_clock(root / "videos" / "w.mp4", 48, RATE, height=256, width=384)
    both = (sample("v/0"), sample("w/0"))
    found = album(root, store, *both, times=(0.0, 0.5, 1.0, 1.5), budget=whole)
    assert sum(map(len, found.images)) <= whole
    assert (found.wanted, found.covered) == (2, 2)  # equal pictures cost nothing
    found = album(root, store, sample("v/0"), budget=whole - 1)
    assert (found.images, found.pictures, found.covered) == ((), ((),), 0)
