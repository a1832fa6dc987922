"""Frames as JPEG files in base64, as servers take them."""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from vtg_eval.engines.server.options import JPEG_QUALITY
from vtg_eval.video.frames import Frames

KEPT = 4  # videos: consecutive requests show the same one
THREADS = 2

Images = tuple[str, ...]


class FrameImages:
    """Makes the images of each video once, in threads; keeps those of the last few videos."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="images")
        self._made: OrderedDict[str, asyncio.Future[Images]] = OrderedDict()

    async def of(self, frames: Frames | None) -> Images:
        """Return an image for each frame."""
        if frames is None:
            return ()
        made = self._made.get(frames.digest)
        if made is None:
            loop = asyncio.get_running_loop()
            made = loop.run_in_executor(self._pool, _images, frames.array)
            self._made[frames.digest] = made
            if len(self._made) > KEPT:
                self._made.popitem(last=False)
        return await asyncio.shield(made)  # others may wait for it where this request is cancelled

    def close(self) -> None:
        """Make no more images."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def jpeg(frame: npt.NDArray[np.uint8]) -> bytes:
    """Return a frame, uint8 [H, W, 3] RGB, as a JPEG file."""
    file = BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def _images(array: npt.NDArray[np.uint8]) -> Images:
    return tuple(base64.b64encode(jpeg(frame)).decode("ascii") for frame in array)
