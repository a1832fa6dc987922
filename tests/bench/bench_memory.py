"""How much more memory a run takes on more videos.

python tests/bench/bench_memory.py

nano on transformers; 12, 120 and 360 generated videos of 20 s and 360 x 640 px, three queries on
each. Each run has a process of its own; the peaks are those of the operating system.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.gpu.videos import TASK, write_annotations, write_videos

COUNTS, WRITTEN = (12, 120, 360), 60
SECONDS, SIZE, QUERIES = 20, (360, 640), 3
SCRIPT = """
import resource, sys
from vtg_eval.cli import main
assert main() == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
RUN = ("--model", "nano", "--engine", "transformers", "--tasks", TASK, "--allow-subset", "--quiet")


def peak(root: Path, folder: Path) -> float:
    """Return the largest memory of a run (MiB); folder: for its cache and its run folder."""
    environment = {**os.environ, "VTG_EVAL_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    arguments = (*RUN, "--data-root", str(root), "--out", str(folder / "run"))
    command = (sys.executable, "-c", SCRIPT, *arguments)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stderr.split()[-1]) / 1024  # Linux counts in KiB


def copy_videos(folder: Path, count: int) -> None:
    """Make more videos of those that are there, with an empty box at the end: other digests."""
    for number in range(WRITTEN, count):
        whole = (folder / f"V{number % WRITTEN:04}.mp4").read_bytes()
        box = struct.pack(">I4sI", 12, b"free", number)
        (folder / f"V{number:04}.mp4").write_bytes(whole + box)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ProcessPoolExecutor() as pool:
            write_videos(folder / "videos", WRITTEN, SECONDS, SIZE, pool)
        copy_videos(folder / "videos", max(COUNTS))
        peaks = []
        for count in COUNTS:
            root = folder / f"data-{count}"
            write_annotations(root, folder / "videos", count, SECONDS, QUERIES)
            peaks.append(peak(root, folder / f"run-{count}"))
    rows = zip(COUNTS, peaks, [value / peaks[0] for value in peaks], strict=True)
    print(tabulate(rows, ["videos", "MiB", "ratio"], tablefmt="github", floatfmt=".2f"))


if __name__ == "__main__":
    main()
