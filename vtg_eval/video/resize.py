"""One resize rule for all decoders: swscale, bicubic, accurate rounding, full chroma, to RGB."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import SideDataContainer
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
        """Return uint8 [H, W, 3], as a player shows the frame (see `display_pose`)."""
        pose = display_pose(frame)
        height, width = self._size[::-1] if pose.transposed else self._size
        shown = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation=_INTERPOLATION,
            threads=1,
        )
        array: npt.NDArray[np.uint8] = shown.to_ndarray()  # type: ignore[assignment]
        if pose.transposed:
            array = array.swapaxes(0, 1)
        return array[:: -1 if pose.flip_rows else 1, :: -1 if pose.flip_columns else 1]


@dataclass(frozen=True, slots=True)
class DisplayPose:
    """How a stored picture is shown: first transposed, then flipped."""

    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @property
    def mirrored(self) -> bool:
        """Whether it is shown as in a mirror; otherwise it is only turned."""
        return self.transposed ^ self.flip_rows ^ self.flip_columns


def display_pose(frame: av.VideoFrame) -> DisplayPose:
    """Return the pose of the frame's display matrix, to the nearest quarter turn.

    The matrix maps (x, y) to (a x + c y, b x + d y); it is stored as a, b, u, c, d, v, x, y, w.
    """
    # not frame.side_data: it refers to its frame, whose memory then waits for the garbage collector
    matrix = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    if matrix is None:
        return DisplayPose()
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return DisplayPose(False, flip_rows=d < 0, flip_columns=a < 0)
    return DisplayPose(True, flip_rows=b < 0, flip_columns=c < 0)
