"""Clock videos of every kind that must be read exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.video_files import X264, cut, write_clock

OPEN_GOP = {**X264, "g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0:b-pyramid=2"}
CLOSED_GOP = {**X264, "g": "12", "bf": "0", "sc_threshold": "0"}
X265 = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=12:open-gop=1"}


def variable_times(frames: int = 60) -> list[int]:
    """Return the times in milliseconds of the frames of the variable-rate videos."""
    return np.cumsum(np.random.default_rng(7).integers(15, 80, frames)).tolist()


def _cut(folder: Path, suffix: str, options: dict[str, str]) -> Path:
    whole = write_clock(folder / "whole.mp4", 96, options=options)
    return cut(whole, folder / f"cut{suffix}", 1.4)


# Each writes one file into a folder; its first frame may have any index, the rest follow by one.
KINDS: Mapping[str, Callable[[Path], Path]] = {
    "24 fps": lambda d: write_clock(d / "a.mp4", 48),
    "23.976 fps, odd": lambda d: write_clock(d / "a.mp4", 47, Fraction(24000, 1001)),
    "29.97 fps mkv": lambda d: write_clock(d / "a.mkv", 61, Fraction(30000, 1001)),
    "one frame": lambda d: write_clock(d / "a.mp4", 1),
    "open gop": lambda d: write_clock(d / "a.mp4", 96, options=OPEN_GOP),
    "open gop ts": lambda d: write_clock(d / "a.ts", 96, options=OPEN_GOP),
    "gradual refresh": lambda d: write_clock(
        d / "a.ts", 96, options={**CLOSED_GOP, "x264-params": "intra-refresh=1"}
    ),
    "hevc": lambda d: write_clock(d / "a.mp4", 48, codec="libx265", options=X265),
    "mpeg4 avi": lambda d: write_clock(d / "a.avi", 48, codec="mpeg4", options={"bf": "2"}),
    "h264 avi": lambda d: write_clock(d / "a.avi", 48, options=OPEN_GOP),
    "vfr mp4": lambda d: write_clock(
        d / "a.mp4", pts=variable_times(), time_base=Fraction(1, 1000)
    ),
    "vfr mkv": lambda d: write_clock(
        d / "a.mkv", pts=variable_times(), time_base=Fraction(1, 1000)
    ),
    "late start": lambda d: write_clock(
        d / "a.mkv", pts=range(2000, 4000, 40), time_base=Fraction(1, 1000)
    ),
    "cut mp4, open gop": lambda d: _cut(d, ".mp4", OPEN_GOP),
    "cut mp4, closed gop": lambda d: _cut(d, ".mp4", CLOSED_GOP),
    "cut mkv": lambda d: _cut(d, ".mkv", OPEN_GOP),
}
