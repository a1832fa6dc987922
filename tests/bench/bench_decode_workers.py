"""Decoding by threads against decoding by processes that return frames in shared memory.

python tests/bench/bench_decode_workers.py [--videos 24] [--repeats 5]

Each way decodes the same videos, 60 frames each, with as many workers as there are cores; they take
turns. The processes have started and have imported all before.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.gpu.videos import write_videos
from vtg_eval.protocol import FrameRule
from vtg_eval.run.devices import cores
from vtg_eval.video.pyav import PyavVideo
from vtg_eval.video.sampling import choose

SECONDS, VIDEO_SIZE, SIZE = 60, (360, 640), (224, 392)
RULE = FrameRule(policy="uniform", max_frames=60)
Frames = npt.NDArray[np.uint8]
Way = Callable[[Iterable[Path]], list[int]]


def decode(path: Path) -> Frames:
    """Return a video's frames."""
    with PyavVideo(path) as video:
        frames, _ = video.read(choose(video.probe(), RULE).tolist(), SIZE)
    return frames


def decode_to_memory(path: Path) -> tuple[str, tuple[int, ...]]:
    """Decode into shared memory; return its name and the shape of the frames."""
    frames = decode(path)
    memory = SharedMemory(create=True, size=frames.nbytes)
    shared: Frames = np.ndarray(frames.shape, np.uint8, memory.buf)
    shared[:] = frames
    memory.close()
    return memory.name, frames.shape


def read_memory(name: str, shape: tuple[int, ...]) -> int:
    """Free the memory after a look at its frames, without a copy; return their sum."""
    memory = SharedMemory(name)
    shared: Frames = np.ndarray(shape, np.uint8, memory.buf)
    total = int(shared[::7].sum())
    del shared
    memory.close()
    memory.unlink()
    return total


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(cores(), spawn) as processes,
        ThreadPoolExecutor(cores()) as threads,
    ):
        write_videos(Path(folder, "videos"), args.videos, SECONDS, VIDEO_SIZE, processes)
        paths = sorted(Path(folder, "videos").iterdir())
        ways: dict[str, Way] = {
            "threads": lambda paths: [int(f[::7].sum()) for f in threads.map(decode, paths)],
            "processes": lambda paths: [
                read_memory(*shared) for shared in processes.map(decode_to_memory, paths)
            ],
        }
        assert ways["threads"](paths) == ways["processes"](paths)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(args.repeats):
            for name, way in ways.items():
                start = time.perf_counter()
                way(paths)
                times[name].append(time.perf_counter() - start)
    ratios = [p / t for t, p in zip(times["threads"], times["processes"], strict=True)]
    row = [*map(median, times.values()), median(ratios), min(ratios), max(ratios)]
    header = ["threads (s)", "processes (s)", "processes / threads", "lowest", "highest"]
    print(tabulate([row], header, tablefmt="github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
