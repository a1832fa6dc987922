"""Clock videos: every frame shows its number, which identifies it after decoding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, cycle, islice
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

BLOCKS = 4  # per side; the 16 blocks are the bits of the frame's number
SIDE = 128  # px


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock video's definition: frame i has the presentation time `stamps[i] * unit` seconds."""

    name: str
    stamps: tuple[int, ...]
    unit: Fraction
    suffix: str = ".mp4"

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Presentation times in seconds from the first frame, float64 [N]."""
        return np.array([float((stamp - self.stamps[0]) * self.unit) for stamp in self.stamps])


def clocks() -> tuple[Clock, ...]:
    """Return kinds of files whose times are often read wrongly."""
    gaps = (33, 33, 50, 17, 120, 40, 290, 33)  # ms
    return (
        Clock("24 fps", tuple(range(240)), Fraction(1, 24)),
        Clock("23.976 fps", tuple(range(720)), Fraction(1001, 24000)),
        Clock("25 fps, odd length", tuple(range(77)), Fraction(1, 25)),
        Clock(
            "variable rate",
            tuple(accumulate(islice(cycle(gaps), 160), initial=0)),
            Fraction(1, 1000),
            ".mkv",
        ),
        Clock("first stamp at 0.4 s", tuple(range(400, 10_000, 40)), Fraction(1, 1000), ".mkv"),
    )


def write(clock: Clock, folder: Path) -> Path:
    """Write the video; returns its path."""
    path = folder / f"{clock.name.replace(' ', '-')}{clock.suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = clock.unit
        for number, stamp in enumerate(clock.stamps):
            frame = av.VideoFrame.from_ndarray(_picture(number), format="rgb24")
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


def _picture(number: int) -> npt.NDArray[np.uint8]:
    bits = (number >> np.arange(BLOCKS * BLOCKS)) & 1
    grid = np.where(bits.reshape(BLOCKS, BLOCKS), 235, 16).astype(np.uint8)
    block = SIDE // BLOCKS
    grey = grid.repeat(block, axis=0).repeat(block, axis=1)
    return np.repeat(grey[:, :, None], 3, axis=2)
