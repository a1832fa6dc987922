"""The frame store returns the same frames, also after damage to the files on disk."""

from __future__ import annotations

import errno
import gc
import logging
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.video_files import read_clock, write_clock
from vtg_eval.errors import CutShortError, VideoError
from vtg_eval.protocol import FrameRule
from vtg_eval.types import Span
from vtg_eval.video.decoder import Decoder
from vtg_eval.video.entry_file import entry_bytes
from vtg_eval.video.frame_store import FrameStore, frames_key
from vtg_eval.video.frames import Frames, VideoInfo
from vtg_eval.video.pyav import PyavDecoder
from vtg_eval.video.sampling import show

ROOT = Path(__file__).parents[2]
RULE = FrameRule(fps=4.0, min_frames=2)


class CountingDecoder(Decoder):
    """PyAV; counts the probes and the frames that are read."""

    name, version = PyavDecoder.name, PyavDecoder.version

    def __init__(self) -> None:
        self.probes = 0
        self.reads = 0

    def probe(self, path: Path) -> Any:
        self.probes += 1
        return PyavDecoder().probe(path)

    def read(self, path: Path, indices: Sequence[int], size: tuple[int, int]) -> Any:
        self.reads += 1
        return PyavDecoder().read(path, indices, size)


def small(height: int, width: int, frames: int) -> tuple[int, int]:
    return height // 2, width // 2


def same_size(height: int, width: int, frames: int) -> tuple[int, int]:
    return height, width


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_clock(tmp_path / "clock.mp4", 48)


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    return FrameStore(CountingDecoder(), tmp_path / "store")


def entries(store: FrameStore) -> list[Path]:
    return sorted(store.folder.glob("*/*.frames"))


def asked(store: FrameStore) -> tuple[int, int]:
    decoder = store.decoder
    assert isinstance(decoder, CountingDecoder)
    return decoder.probes, decoder.reads


def assert_right(frames: Frames) -> None:
    assert [read_clock(picture) for picture in frames.array] == list(range(0, 48, 6))
    np.testing.assert_array_equal(frames.times, np.arange(8) / 4)


def test_a_second_read_comes_from_disk_and_is_the_same(store: FrameStore, video: Path) -> None:
    first = store.frames(video, RULE, small)
    second = store.frames(video, RULE, small)
    assert asked(store) == (1, 1)
    for frames in (first, second):
        assert_right(frames)
        assert frames.array.shape == (8, 32, 48, 3)
    np.testing.assert_array_equal(first.array, second.array)
    assert first.digest == second.digest
    assert second.decoder == store.decoder.identity
    assert second.info.duration == 2.0


def test_a_change_to_what_was_returned_does_not_reach_the_disk(
    store: FrameStore, video: Path
) -> None:
    for _ in range(2):
        store.frames(video, RULE, small).array[:] = 0
    assert_right(store.frames(video, RULE, small))


def test_the_key_depends_on_everything_that_changes_the_frames(
    store: FrameStore, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [store.frames(video, RULE, small).digest]
    keys.append(store.frames(video, RULE, same_size).digest)
    keys.append(store.frames(video, FrameRule(fps=2.0), small).digest)
    keys.append(store.frames(write_clock(tmp_path / "b.mp4", 47), RULE, small).digest)
    monkeypatch.setattr(CountingDecoder, "version", "another")
    keys.append(FrameStore(CountingDecoder(), store.folder).frames(video, RULE, small).digest)
    assert len(set(keys)) == len(keys)
    assert len(entries(store)) == len(keys)


def test_the_key_depends_on_the_clips_and_their_times(store: FrameStore, video: Path) -> None:
    clip_lists: list[tuple[Span, ...]] = [
        (),
        (Span(0.0, 2.0),),
        (Span(0.0, 1.0),),
        (Span(0.0, 1.01),),
        (Span(1.0, 2.0),),
        (Span(0.5, 1.0), Span(0.0, 0.5)),
        (Span(0.0, 0.5), Span(0.5, 1.0)),
    ]
    keys = [store.frames(video, RULE, small, clips).digest for clips in clip_lists]
    assert len(set(keys)) == len(keys)


def test_clips_come_back_in_the_shown_videos_time(store: FrameStore, video: Path) -> None:
    clips = (Span(1.5, 2.0), Span(0.5, 1.0), Span(5.0, 6.0))
    for _ in range(2):
        frames = store.frames(video, RULE, small, clips)
        assert [read_clock(picture) for picture in frames.array] == [36, 42, 12, 18]
        assert frames.times.tolist() == pytest.approx([0.0, 0.25, 0.5, 0.75])
        assert frames.info.duration == 1.0
    assert asked(store) == (1, 1)


def test_a_frame_from_before_a_clip_has_the_time_of_the_clips_start(
    store: FrameStore, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def frozen(path: Path, indices: Sequence[int], size: tuple[int, int]) -> Any:
        array = np.zeros((len(indices), *size, 3), np.uint8)
        return array, np.array([0.25, 0.25, 1.75, 1.75])

    monkeypatch.setattr(store.decoder, "read", frozen)
    frames = store.frames(video, RULE, small, (Span(0.5, 1.0), Span(1.5, 2.0)))
    assert frames.times.tolist() == [0.0, 0.0, 0.75, 0.75]


def test_clips_beyond_the_file_are_a_video_error(store: FrameStore, video: Path) -> None:
    with pytest.raises(VideoError, match="none of the clips"):
        store.frames(video, RULE, small, (Span(3.0, 4.0),))


def test_a_copy_of_a_video_shares_its_entry(store: FrameStore, video: Path) -> None:
    store.frames(video, RULE, small)
    copy = video.with_name("copy.mp4")
    copy.write_bytes(video.read_bytes())
    assert_right(store.frames(copy, RULE, small))
    assert asked(store) == (2, 1)


def test_a_video_replaced_under_the_same_name_is_seen(store: FrameStore, video: Path) -> None:
    before = store.frames(video, RULE, small)
    write_clock(video, 96)
    after = store.frames(video, RULE, small)
    assert after.digest != before.digest
    assert len(after.times) == 16


@pytest.mark.parametrize("damage", ["cut short", "one byte", "emptied", "text"])
def test_a_damaged_entry_is_decoded_again(
    store: FrameStore, video: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.frames(video, RULE, small)
    (path,) = entries(store)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    changes = {
        "cut short": bytes(content[:-100]),
        "one byte": bytes(content),
        "emptied": b"",
        "text": b"not frames " * 20,
    }
    path.write_bytes(changes[damage])
    assert_right(store.frames(video, RULE, small))
    assert "decoded again" in caplog.text
    assert_right(store.frames(video, RULE, small))
    assert asked(store) == (1, 2)


def test_threads_may_read_while_garbage_is_collected(store: FrameStore, video: Path) -> None:
    """Garbage collection can run callbacks at any point in a thread, as in hypothesis and torch."""
    key = store.frames(video, RULE, small).digest
    limits, switches = gc.get_threshold(), sys.getswitchinterval()
    gc.callbacks.append(spend_time)
    gc.set_threshold(50)
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            stored = list(pool.map(store.stored, [key] * 1000))
    finally:
        gc.callbacks.remove(spend_time)
        gc.set_threshold(*limits)
        sys.setswitchinterval(switches)
    assert len(stored) == 1000
    assert None not in stored


def spend_time(phase: str, info: dict[str, int]) -> None:
    sum(range(300))


def test_a_damaged_probe_is_made_again(store: FrameStore, video: Path) -> None:
    store.probe(video)
    (probe,) = (store.folder / "probes").glob("*.json")
    probe.write_text(probe.read_text()[:40])
    assert len(store.probe(video).times) == 48
    assert len(store.probe(video).times) == 48
    assert asked(store)[0] == 2


def test_a_second_run_decodes_only_what_has_no_room(tmp_path: Path) -> None:
    videos = [write_clock(tmp_path / f"{n}.mp4", 48, title=str(n)) for n in range(12)]
    limit = 9 * entry_bytes((8, 32, 48, 3))
    for number in range(4):
        store = FrameStore(CountingDecoder(), tmp_path / "store", limit)
        for path in videos:
            assert_right(store.frames(path, RULE, small))
        assert asked(store) == ((0, 3) if number else (12, 12))


def test_frames_in_use_survive_their_eviction(store: FrameStore, video: Path) -> None:
    store.frames(video, RULE, small)
    frames = store.frames(video, RULE, small)
    for path in entries(store):
        path.unlink()
    assert_right(frames)


def test_an_entry_larger_than_the_limit_is_not_kept(tmp_path: Path, video: Path) -> None:
    store = FrameStore(CountingDecoder(), tmp_path / "store", limit=1000)
    assert_right(store.frames(video, RULE, small))
    assert entries(store) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_is_warned_of_once_and_the_run_goes_on(
    store: FrameStore,
    video: Path,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(path: Path, target: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "replace", fail)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert_right(store.frames(video, RULE, small))
    assert len(caplog.records) == 1
    assert os.strerror(code) in caplog.text
    assert not list(store.folder.glob("*/.*"))
    assert entries(store) == []


FULL = """
import resource, sys
from pathlib import Path
from tests.video.test_frame_store import RULE, CountingDecoder, FrameStore, assert_right, small
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # bytes, as if the disk were full
store = FrameStore(CountingDecoder(), Path(sys.argv[1]))
for _ in range(2):
    assert_right(store.frames(Path(sys.argv[2]), RULE, small))
"""


def test_an_entry_that_the_disk_takes_only_in_part_is_not_kept(tmp_path: Path, video: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "store"), str(video)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("File too large") == 1
    assert not list((tmp_path / "store").glob("??/*"))


def test_a_cache_folder_that_cannot_be_made_does_not_stop_the_run(
    tmp_path: Path, video: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    store = FrameStore(CountingDecoder(), tmp_path / "file" / "store")
    assert_right(store.frames(video, RULE, small))


def test_an_unreadable_video_is_a_video_error(store: FrameStore, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_text("no")
    for name in ("bad.mp4", "none.mp4"):
        with pytest.raises(VideoError, match=name):
            store.frames(tmp_path / name, RULE, small)
    assert entries(store) == []


def _work(folder: str, videos: list[str], limit: int, results: Any) -> None:
    store = FrameStore(PyavDecoder(), Path(folder), limit)
    bad = 0
    for _ in range(6):
        for path in videos:
            clocks = [read_clock(p) for p in store.frames(Path(path), RULE, small).array]
            bad += clocks[:6] != list(range(0, 36, 6))
    results.put(bad)


def test_processes_share_a_store_that_is_too_small_for_them(tmp_path: Path) -> None:
    videos = [str(write_clock(tmp_path / f"{n}.mp4", 42 + n)) for n in range(4)]
    folder, limit = tmp_path / "store", 3 * 8 * 32 * 48 * 3
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    orders = (videos, videos[::-1])
    workers = [
        context.Process(target=_work, args=(str(folder), order, limit, results)) for order in orders
    ]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=60) for _ in workers] == [0, 0]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert not list(folder.rglob("*.part"))


def test_a_video_that_is_much_shorter_than_annotated_is_cut_short(
    store: FrameStore, video: Path, tmp_path: Path
) -> None:
    stream = write_clock(tmp_path / "a.ts", 48)  # states no length: only the annotation tells
    for path, annotated in ((video, 3.1), (stream, 3.1)):
        with pytest.raises(CutShortError, match=r"2\.0 of 3\.1 s as annotated"):
            store.frames(path, RULE, small, annotated=annotated)
    for path, annotated in ((video, 2.9), (stream, 2.9), (video, float("inf")), (video, 0.5)):
        assert_right(store.frames(path, RULE, small, annotated=annotated))
    long = write_clock(tmp_path / "long.mp4", 480)
    open_end = write_clock(tmp_path / "long.ts", 480)
    assert len(store.frames(long, RULE, small, annotated=24.0).array) == 80
    with pytest.raises(CutShortError):
        store.frames(open_end, RULE, small, annotated=24.0)


def test_the_annotated_length_is_that_of_the_shown_clips(store: FrameStore, video: Path) -> None:
    assert len(store.frames(video, RULE, small, [Span(0.5, 1.5)], annotated=1.0).array) == 4
    with pytest.raises(CutShortError):
        store.frames(video, RULE, small, [Span(1.5, 4.5)], annotated=3.0)


class Gullible(Decoder):
    """A third party's decoder that believes everything, and notes what it was given."""

    name = "gullible"
    version = "1"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.given: list[Path] = []

    def probe(self, path: Path) -> VideoInfo:
        self.given.append(path)
        return VideoInfo("0" * 64, self.seconds, 24.0, 64, 96, np.arange(48) / 24)

    def read(self, path: Path, indices: Sequence[int], size: tuple[int, int]) -> Any:
        raise NotImplementedError


def test_no_decoder_is_given_what_pyav_does_not_accept(tmp_path: Path, video: Path) -> None:
    decoder = Gullible(2.0)
    store = FrameStore(decoder, tmp_path / "store")
    bad = tmp_path / "bad.mp4"
    half = write_clock(tmp_path / "whole.ts", 48).read_bytes()[: 188 * 40 + 90]
    for text in (b"#EXTM3U\n#EXTINF:1,\nclock.mp4\n", b"ffconcat version 1.0\n", b"text", half):
        bad.write_bytes(text)
        with pytest.raises(VideoError, match=r"bad\.mp4"):
            store.probe(bad)
    assert decoder.given == []
    assert store.probe(video).duration == 2.0
    assert decoder.given == [video]


def test_a_decoder_that_reads_a_part_only_is_a_failure(tmp_path: Path, video: Path) -> None:
    store = FrameStore(Gullible(0.5), tmp_path / "store")
    with pytest.raises(VideoError, match=r"gullible reads 0\.5 of the file's 2\.0 s"):
        store.probe(video)


def test_a_mirrored_video_has_another_key_than_in_version_0_1(
    store: FrameStore, tmp_path: Path
) -> None:
    rows, size = np.arange(2), (32, 48)
    info = VideoInfo("0" * 64, 2.0, 24.0, 64, 96, np.arange(48) / 24)
    keys = [
        frames_key(show(changed, ()), "d 1", rows, size)
        for changed in (info, replace(info, length_stated=False), replace(info, mirrored=True))
    ]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0] == "99ac79dfae803c6d0b24b1225dc8b1c46ef97e7716b43116a068153d8ee40849"
