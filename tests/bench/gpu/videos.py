"""Generated videos and their annotations, in the layout of Charades-STA."""

from __future__ import annotations

from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from tests.video_files import write_clock

RATE = 24  # frames a second
TASK = "charades_sta"


def write_videos(
    folder: Path, count: int, seconds: int, size: tuple[int, int], pool: Executor
) -> None:
    """Write videos of 24 frames a second; size: (height, width) in px."""
    folder.mkdir(parents=True)
    write = partial(_write_video, folder, seconds=seconds, size=size)
    list(pool.map(write, range(count)))


def _write_video(folder: Path, number: int, seconds: int, size: tuple[int, int]) -> None:
    height, width = size
    name = _name(number)
    # the title makes the file, and so its place in all caches, its own
    write_clock(
        folder / f"{name}.mp4", seconds * RATE, RATE, height=height, width=width, title=name
    )


def write_annotations(root: Path, videos: Path, count: int, seconds: int, queries: int) -> Path:
    """Write a data root with so many queries on each video; return it."""
    folder = root / TASK
    folder.mkdir(parents=True)
    (folder / "videos").symlink_to(videos, target_is_directory=True)
    names = [_name(number) for number in range(count)]
    lengths = [f"{name},{seconds}\n" for name in names]
    (folder / "Charades_v1_test.csv").write_text("id,length\n" + "".join(lengths))
    lines = [
        f"{name} 0.0 {seconds / 2}##person number {query} opens the door and walks away\n"
        for name in names
        for query in range(queries)
    ]
    (folder / "charades_sta_test.txt").write_text("".join(lines))
    return root


def _name(number: int) -> str:
    return f"V{number:04}"
