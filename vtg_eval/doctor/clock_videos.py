"""Clock videos: every frame shows its number, which identifies it after decoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import accumulate, cycle, islice
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

BLOCKS = 4  # per side; the 16 blocks are the bits of the frame's number
HEIGHT, WIDTH = 128, 192  # px, as stored
HEVC = "libx265"
OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "veryfast"},
    HEVC: {"preset": "ultrafast", "x265-params": "log-level=none"},
}
# The display matrix of a quarter turn, in the file's fixed-point numbers.
TURN = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
# Milliseconds from one frame to the next: uneven ones, then slow ones as in a screen recording, so
# that a frame's number at the average rate is more than a second off.
GAPS = (*islice(cycle((33, 33, 50, 17, 120, 40, 290, 33)), 64), *(200,) * 24)


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock video's definition: frame i has the presentation time `stamps[i] * unit` seconds.

    turned: stored a quarter turn from how it is shown.
    """

    name: str
    stamps: tuple[int, ...]
    unit: Fraction
    suffix: str = ".mp4"
    codec: str = "libx264"
    turned: bool = False

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Presentation times in seconds from the first frame, float64 [N]."""
        return np.array([float((stamp - self.stamps[0]) * self.unit) for stamp in self.stamps])

    @property
    def average_rate(self) -> Fraction:
        """Frames a second on average, as files state it."""
        span = (self.stamps[-1] - self.stamps[0]) * self.unit
        return ((len(self.stamps) - 1) / span).limit_denominator(1001)


@dataclass(frozen=True, slots=True)
class Trial:
    """A clock video and how its frames are chosen.

    rate: frames a second, None for the protocol's. odd: the last frame is left out, so that their
    number is odd.
    """

    name: str
    clock: Clock
    rate: float | None = None
    odd: bool = False


def trials() -> tuple[Trial, ...]:
    """Return kinds of files, and of choices of frames, whose times are often read wrongly.

    HEVC is left out where FFmpeg cannot write it.
    """
    plain = Clock("24 fps", tuple(range(144)), Fraction(1, 24))
    odd = Clock("25 fps, odd", tuple(range(77)), Fraction(1, 25))
    variable = tuple(accumulate(GAPS, initial=0))
    clocks = (
        plain,
        Clock("23.976 fps", tuple(range(288)), Fraction(1001, 24000)),
        odd,
        Clock("variable rate", variable, Fraction(1, 1000), ".mkv"),
        Clock("starts at 0.4 s", tuple(range(400, 6_400, 40)), Fraction(1, 1000), ".mkv"),
        Clock("rotated", tuple(range(90)), Fraction(1, 30), turned=True),
    )
    hevc = Clock("HEVC", tuple(range(75)), Fraction(1, 25), codec=HEVC)
    return (
        *(Trial(clock.name, clock) for clock in clocks),
        *((Trial(hevc.name, hevc),) if _can_write(HEVC) else ()),
        # seconds from one pair of frames to the next that are no whole number
        Trial("4 a second", odd, rate=4.0),
        Trial("odd frame count", odd, odd=True),
    )


def write(clock: Clock, folder: Path) -> Path:
    """Write the video, unless it is there; return its path."""
    path = folder / f"{clock.name.replace(' ', '-')}{clock.suffix}"
    if path.exists():
        return path
    with av.open(str(path), "w") as container:
        options = dict(OPTIONS[clock.codec])
        stream = container.add_stream(clock.codec, rate=clock.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = stream.codec_context.time_base = clock.unit
        if clock.turned:
            stream.set_display_matrix(TURN)
        for number, stamp in enumerate(clock.stamps):
            frame = av.VideoFrame.from_ndarray(_stored(number, clock.turned), format="rgb24")
            frame.pts, frame.time_base = stamp, clock.unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def number_in(picture: npt.NDArray[np.uint8]) -> int:
    """Return the number that a decoded picture (uint8 [H, W, 3], any size) shows."""
    height, width = picture.shape[:2]
    centres = (2 * np.arange(BLOCKS) + 1) / (2 * BLOCKS)
    rows, columns = (centres * height).astype(int), (centres * width).astype(int)
    lit = picture[rows][:, columns].mean(axis=2) > 128
    return int((lit.reshape(-1) << np.arange(BLOCKS * BLOCKS)).sum())


def _stored(number: int, turned: bool) -> npt.NDArray[np.uint8]:
    """Return the picture of a number as it is stored, uint8 [HEIGHT, WIDTH, 3]."""
    bits = (number >> np.arange(BLOCKS * BLOCKS)) & 1
    grid = np.where(bits.reshape(BLOCKS, BLOCKS), 235, 16).astype(np.uint8)
    if turned:
        grid = np.rot90(grid)
    grey = grid.repeat(HEIGHT // BLOCKS, axis=0).repeat(WIDTH // BLOCKS, axis=1)
    return np.repeat(grey[:, :, None], 3, axis=2)


@cache
def _can_write(codec: str) -> bool:
    try:
        av.codec.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True
