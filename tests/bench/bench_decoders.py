"""Times the decoders on generated clock videos and counts the wrong frames.

python tests/bench/bench_decoders.py [--seconds 30] [--repeats 3]

A frame is wrong when it is not the one on display at its target time; there are 2 a second. Each
frame shows its index, so the right one is known.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.video_files import X264, cut, read_clock, write_clock
from vtg_eval.errors import VideoError
from vtg_eval.protocol import FrameRule
from vtg_eval.video.decoder import Decoder
from vtg_eval.video.decord import DecordDecoder
from vtg_eval.video.pyav import PyavDecoder
from vtg_eval.video.sampling import choose

RULE = FrameRule(fps=2.0, max_frames=768)
SIZE = (168, 308)
PICTURE: dict[str, Any] = {"height": 360, "width": 640}
LONG_GOP = {**X264, "g": "250", "sc_threshold": "0"}
SHORT_GOP = {**X264, "g": "48", "sc_threshold": "0"}
OPEN_GOP = {**X264, "g": "24", "bf": "3", "x264-params": "open-gop=1:scenecut=0:b-pyramid=2"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=48:open-gop=1:bframes=3"}


@dataclass(frozen=True)
class Case:
    """A file and, for each index that a frame may carry, when it is shown (seconds)."""

    path: Path
    shown: npt.NDArray[np.float64]


def constant(folder: Path, frames: int, options: Mapping[str, str], codec: str = "libx264") -> Case:
    path = write_clock(folder / "a.mp4", frames, 24, options=options, codec=codec, **PICTURE)
    return Case(path, np.arange(frames) / 24)


def variable(folder: Path, frames: int) -> Case:
    steps = np.random.default_rng(0).integers(12, 72, frames)
    stamps = np.cumsum(steps) - steps[0]
    path = write_clock(
        folder / "a.mp4",
        pts=stamps.tolist(),
        time_base=Fraction(1, 1000),
        options=LONG_GOP,
        **PICTURE,
    )
    return Case(path, stamps / 1000)


def edited(folder: Path, frames: int) -> Case:
    first = 39  # a frame between key frames, with which the copy's timeline starts
    whole = constant(folder, frames + 72, SHORT_GOP)
    path = cut(whole.path, folder / "cut.mp4", (first - 0.4) / 24)
    return Case(path, whole.shown - first / 24)


KINDS: Mapping[str, Callable[[Path, int], Case]] = {
    "H.264, GOP 250": lambda d, n: constant(d, n, LONG_GOP),
    "H.264, GOP 48": lambda d, n: constant(d, n, SHORT_GOP),
    "open GOP": lambda d, n: constant(d, n, OPEN_GOP),
    "variable frame rate": variable,
    "HEVC": lambda d, n: constant(d, n, X265, "libx265"),
    "cut file (edit list)": edited,
}


def measure(decoder: Decoder, case: Case, rule: FrameRule, repeats: int) -> tuple[str, str]:
    """Return (median milliseconds of probing and reading, "wrong/all")."""
    times = []
    try:
        for _ in range(repeats):
            start = time.perf_counter()
            info = decoder.probe(case.path)
            array, _ = decoder.read(case.path, choose(info, rule).tolist(), SIZE)
            times.append(time.perf_counter() - start)
    except VideoError as exc:
        return "fails", str(exc)[:40]
    targets = np.arange(len(array)) * 0.5
    if rule.policy == "uniform":
        targets = (np.arange(len(array)) + 0.5) * (case.shown[-1] + 1 / 24) / len(array)
    truth = np.searchsorted(case.shown, targets + 1e-4, side="right") - 1
    indices = np.array([read_clock(picture) for picture in array])
    return f"{1000 * median(times):.0f}", f"{int((truth != indices).sum())}/{len(array)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    decoders: list[Decoder] = [PyavDecoder(), DecordDecoder()]
    rows = []
    sparse = FrameRule(policy="uniform", max_frames=16)
    plans = [(kind, make, args.seconds, RULE) for kind, make in KINDS.items()]
    plans.append(
        ("10 times as long, 16 uniform", KINDS["H.264, GOP 48"], 10 * args.seconds, sparse)
    )
    for kind, make, seconds, rule in plans:
        with tempfile.TemporaryDirectory() as folder:
            case = make(Path(folder), 24 * seconds)
            cells = [cell for d in decoders for cell in measure(d, case, rule, args.repeats)]
        rows.append([kind, *cells])
    headers = [header for d in decoders for header in (f"{d.name} ms", f"{d.name} wrong")]
    print(*(f"{d.name}: {d.version}" for d in decoders), sep="\n")
    print(tabulate(rows, ["file", *headers], tablefmt="github"))


if __name__ == "__main__":
    main()
