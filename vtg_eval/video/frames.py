"""Decoded frames and the metadata of their file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A probed file. `times` are the presentation times of all frames that a decoder shows.

    times: float64 [N], seconds, ascending, from the start of the container's timeline.
    duration: seconds, to the end of the last frame. fps: average frame rate. height, width: px,
    as displayed (rotation applied). digest: sha256 of the file's content, hexadecimal.
    mirrored: the display matrix mirrors the pictures. length_stated: the file itself says where it
    ends, and it does end there; otherwise only an annotated duration tells that its end is missing.
    """

    digest: str
    duration: float
    fps: float
    height: int
    width: int
    times: npt.NDArray[np.float64]
    mirrored: bool = False
    length_stated: bool = True


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of one video, ready for a processor.

    array: uint8 [T, H, W, 3], RGB. times: float64 [T], each frame's presentation time (seconds).
    digest: the frame store's key, a digest of everything that changes `array` (see `frame_store`).
    decoder: name and version. info: of their file.
    """

    array: npt.NDArray[np.uint8]
    times: npt.NDArray[np.float64]
    digest: str
    decoder: str
    info: VideoInfo
