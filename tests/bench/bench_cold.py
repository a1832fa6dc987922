"""A cold run against its floors: how much the harness adds to decoding and to the engine.

python tests/bench/bench_cold.py [--videos 24] [--repeats 5]

`cold` answers from video files to the journal, nothing decoded before, vLLM started before.
`decoding` reads the same frames of the same files with a loop of PyAV that is told their time
stamps, one file a core at a time. `engine` is one call of `LLM.generate` on ready prompts and
frames. On a CPU both want all cores, so a cold run can take no less than their sum, but for the
moments in which one of them leaves a core free. The three take turns; caches are empty each time.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_seeks import direct, stamps
from tests.bench.gpu.throughput import Bench
from tests.bench.gpu.videos import write_annotations, write_videos
from tests.tiny_families import qwen2_5_vl
from vtg_eval.run.devices import cores
from vtg_eval.video.frames import Frames

SECONDS, SIZE = 30, (224, 392)  # about 3,400 visual tokens
QUERIES = (3, 15)
LONGEST = 3600.0  # seconds for a run


def decoding(wanted: Mapping[Path, Frames]) -> float:
    """Return the seconds to read the frames, by a loop that is told their time stamps."""
    calls = []
    for path, frames in wanted.items():
        shown = sorted(stamps(path)[0])
        rows = np.searchsorted(frames.info.times, frames.times)
        size = (frames.array.shape[1], frames.array.shape[2])
        calls.append((path, [shown[row] for row in rows], size))
    start = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        arrays = list(pool.map(lambda call: direct(*call), calls))
    seconds = time.perf_counter() - start
    assert all(map(np.array_equal, arrays, (frames.array for frames in wanted.values())))
    return seconds


def measure(bench: Bench, root: Path, work: Path, repeats: int) -> list[float]:
    """Return the medians of cold, decoding and engine (seconds), and of cold / (both floors)."""
    stored = work / "stored"
    wanted = bench.frames(root, stored)
    rows = []
    for _ in range(repeats):
        cold = bench.harness(root, work / "cold", until=time.monotonic() + LONGEST)
        shutil.rmtree(work / "cold")
        assert not cold.failed
        engine = bench.generate(root, stored, cold.requests)
        floors = decoding(wanted), engine.seconds
        rows.append([cold.seconds, *floors, cold.seconds / sum(floors)])
    shutil.rmtree(stored)
    return [median(column) for column in zip(*rows, strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        checkpoint = qwen2_5_vl.build(work / "checkpoint", {"max_position_embeddings": 8192})
        with ProcessPoolExecutor() as pool:
            write_videos(work / "videos", args.videos, SECONDS, SIZE, pool)
        with closing(Bench(checkpoint, work)) as bench:
            for queries in QUERIES:
                root = work / f"data-{queries}"
                write_annotations(root, work / "videos", args.videos, SECONDS, queries)
                bench.warm_up(root, work / "warm-up")
                table.append([queries, *measure(bench, root, work, args.repeats)])
    headers = ["queries a video", "cold (s)", "decoding (s)", "engine (s)", "cold / floors"]
    print(tabulate(table, headers, tablefmt="github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
