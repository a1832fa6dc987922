"""One resize rule for all decoders: swscale, bicubic, accurate rounding, full chroma, to RGB."""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

RESIZE_RULE = "swscale bicubic accurate_rnd full_chroma bitexact"

_INTERPOLATION = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)


class Resizer:
    """Turns frames into upright RGB pictures of one (height, width)."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._reformatter = VideoReformatter()  # keeps swscale's tables from frame to frame

    def picture(self, frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
        """Return uint8 [H, W, 3]; the display matrix's quarter turns are applied."""
        turns = quarter_turns(frame)
        height, width = self._size[::-1] if turns % 2 else self._size
        shown = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation=_INTERPOLATION,
            threads=1,
        )
        return np.rot90(shown.to_ndarray(), turns)


def quarter_turns(frame: av.VideoFrame) -> int:
    """Return by how many quarter turns, counter-clockwise, a player rotates the frame."""
    return int(round(frame.rotation / 90) % 4)
