"""Counts the frames that are decoded for a few frames of long videos, and times that.

python tests/bench/bench_seeks.py [--repeats 5]

`decoded` is the number of packets that the decoder was given, `least` that of the packets between
each frame and the key frame before it. `direct` is a loop of PyAV that seeks to each frame by its
own time stamp, which it is told, and decodes up to it; ours also reads the file's digest and all
time stamps. Both resize by the same rule and use one thread; the times are the process's, in turn.
Ends with exit status 1 unless the file is opened once, decoded / least is at most 1.05, and
direct / ours at least 0.95 for 64 frames of 5 minutes. Takes 6 minutes, mostly to write the files.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import av
import numpy as np
import numpy.typing as npt
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.video_files import X264, write_clock
from vtg_eval.protocol import FrameRule
from vtg_eval.video.pyav import PyavVideo
from vtg_eval.video.resize import Resizer
from vtg_eval.video.sampling import choose

RATE = 25
SIZE = (168, 308)
MOST_DECODED, LEAST_SPEED = 1.05, 0.95


@dataclass(frozen=True)
class Case:
    """A file of so many seconds, with a key frame each `group` frames; `frames` of it are read."""

    seconds: int
    frames: int
    group: int = 50
    suffix: str = ".mp4"
    height: int = 360

    def write(self, folder: Path) -> Path:
        options = {**X264, "g": str(self.group), "bf": "3", "x264-params": "scenecut=0"}
        path = folder / f"{self.seconds}-{self.group}-{self.height}{self.suffix}"
        if path.exists():
            return path
        width, frames = self.height * 16 // 9 // 2 * 2, RATE * self.seconds
        return write_clock(path, frames, RATE, options=options, height=self.height, width=width)

    def __str__(self) -> str:
        return f"{self.frames} of {self.seconds} s, {self.suffix[1:]}, GOP {self.group}"


GATED = Case(300, 64)
CASES = (
    GATED,
    Case(150, 64),
    Case(300, 16),
    Case(300, 64, group=250),
    Case(300, 64, suffix=".mkv"),
    Case(3600, 64, height=144),
    Case(3600, 768, height=144),
)


def stamps(path: Path) -> tuple[list[int], list[int]]:
    """Return the time stamps of a file's frames in decoding order, and the places of key frames."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
    return [packet.pts for packet in packets], keys


def least(path: Path, rows: list[int]) -> tuple[int, list[int]]:
    """Return how many packets must be decoded for the frames, and the frames' time stamps."""
    decoding, keys = stamps(path)
    shown = sorted(decoding)
    place = {stamp: number for number, stamp in enumerate(decoding)}
    key_stamps = np.array([decoding[key] for key in keys])
    needed: set[int] = set()
    for row in rows:
        key = keys[int(np.searchsorted(key_stamps, shown[row], side="right")) - 1]
        needed.update(range(key, place[shown[row]] + 1))
    return len(needed), [shown[row] for row in rows]


def direct(path: Path, wanted: list[int], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Read frames as a script does that knows their time stamps."""
    resizer = Resizer(size)
    pictures = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        for stamp in wanted:
            container.seek(stamp, stream=stream)
            frame = next(frame for frame in container.decode(stream) if frame.pts >= stamp)
            pictures.append(resizer.picture(frame))
    return np.stack(pictures)


def measure(path: Path, frames: int, repeats: int) -> tuple[float, float, int]:
    """Return decoded / least, the median of direct / ours, and how often the file was opened."""
    ratios = []
    for _ in range(repeats):
        start = time.process_time()
        with PyavVideo(path) as video:
            info = video.probe()
            rows = choose(info, FrameRule(policy="uniform", max_frames=frames)).tolist()
            before = video.decoded
            array, _ = video.read(rows, SIZE)
        ours = time.process_time() - start
        must, wanted = least(path, rows)
        start = time.process_time()
        assert np.array_equal(direct(path, wanted, SIZE), array)
        ratios.append((time.process_time() - start) / ours)
    return (video.decoded - before) / must, median(ratios), video.opened


def main() -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            decoded, speed, opened = measure(case.write(Path(folder)), case.frames, args.repeats)
            is_slow = case == GATED and speed < LEAST_SPEED
            passes = decoded <= MOST_DECODED and opened == 1 and not is_slow
            table.append([str(case), decoded, speed, opened, "" if passes else "fails"])
    headers = ["frames", "decoded / least", "direct / ours", "opened", ""]
    print(tabulate(table, headers, tablefmt="github", floatfmt=".2f"))
    return int(any(row[-1] for row in table))


if __name__ == "__main__":
    sys.exit(main())
