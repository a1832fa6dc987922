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


def make(
    root: Path,
    store: FrameStore,
    *samples: Sample,
    times: tuple[float, ...] = TIMES,
    stored: tuple[str, ...] = (),
    budget: int = 1 << 20,
) -> Album:
    task, count = SmallTask(samples), len(samples)
    return make_album(task, root, store, samples, [times] * count, [stored] * count, budget)


def numbers(album: Album, row: int = 0) -> list[int]:
    """Return the numbers that the pictures of a sample show."""
    shown = []
    for picture in album.pictures[row]:
        file = base64.b64decode(album.images[picture.image])
        with av.open(io.BytesIO(file), format="mjpeg") as container:
            frame = next(container.decode(video=0))
            array = frame.to_ndarray(format="rgb24")
        assert array.shape[1] == 160 or array.shape[1] == 96
        shown.append(read_clock(array))
    return shown


def test_pictures_are_the_frames_on_display(root: Path, store: FrameStore) -> None:
    album = make(root, store, sample("v/0"), sample("v/1"), sample("gone/0"))
    assert numbers(album) == list(SHOWN)
    assert [picture.time for picture in album.pictures[0]] == list(TIMES)
    assert [picture.shown * RATE for picture in album.pictures[0]] == pytest.approx(SHOWN)
    assert album.pictures[1] == album.pictures[0]
    assert len(album.images) == 4  # each once
    assert (album.requested, album.covered, album.absent) == (3, 3, 1)


def test_clips_are_in_the_shown_videos_time(root: Path, store: FrameStore) -> None:
    clips = (Span(2, 3), Span(4, 6))
    assert numbers(make(root, store, sample("v/0", clips), times=(0.0, 0.5, 1.0, 2.0))) == [
        *(16, 20, 32, 40)
    ]


def test_without_the_video_stored_frames_are_used(root: Path, store: FrameStore) -> None:
    rule = FrameRule(fps=2.0)
    frames = store.frames(root / "videos" / "v.mp4", rule, lambda *_: (64, 96))
    (root / "videos" / "v.mp4").unlink()
    album = make(root, store, sample("v/0"), stored=(frames.digest,))
    assert numbers(album) == [0, 8, 16, 44]  # the last ones that the model was shown by then
    for key in ("../" * 9 + "etc/passwd", "0" * 64, "", frames.digest.upper()):
        assert make(root, store, sample("v/0"), stored=(key,)).images == ()


def test_an_unreadable_video_only_loses_its_own_pictures(root: Path, store: FrameStore) -> None:
    (root / "videos" / "bad.mp4").write_bytes(b"no video")
    names = ("bad/0", "v/0")
    album = make(root, store, *map(sample, names))
    assert (album.pictures[0], len(album.pictures[1]), album.absent) == ((), 4, 1)


def test_the_budget_holds(root: Path, store: FrameStore) -> None:
    whole = sum(map(len, make(root, store, sample("v/0")).images))
    write_clock(root / "videos" / "w.mp4", 48, RATE, height=256, width=384)
    both = (sample("v/0"), sample("w/0"))
    album = make(root, store, *both, times=(0.0, 0.5, 1.0, 1.5), budget=whole)
    assert sum(map(len, album.images)) <= whole
    assert (album.requested, album.covered) == (2, 2)  # equal pictures cost nothing
    album = make(root, store, sample("v/0"), budget=whole - 1)
    assert (album.images, album.pictures, album.covered) == ((), ((),), 0)
