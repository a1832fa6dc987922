"""One entry of the frame store as a file: a header, the frames' bytes, a digest.

Layout, little-endian: the frames' shape (int64 [4]), the times (float64 [T]), the frames' bytes in
C order, the sha256 of everything before it (32 bytes). Not .npy: numpy parses its header as
Python, which fails now and then in Python 3.11 where several threads do so (python/cpython#106905).
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

SHAPE = struct.Struct("<4q")
TIME = np.dtype("<f8")
DIGEST_BYTES = 32


def entry_bytes(shape: Sequence[int]) -> int:
    """Return the size of the file with frames of that shape, [T, H, W, 3]."""
    return SHAPE.size + TIME.itemsize * shape[0] + math.prod(shape) + DIGEST_BYTES


def write_entry(path: Path, array: npt.NDArray[np.uint8], times: npt.NDArray[np.float64]) -> None:
    """Write a new file; raises OSError."""
    header = SHAPE.pack(*array.shape) + times.astype(TIME).tobytes()
    frames = np.ascontiguousarray(array)
    digest = hashlib.sha256(header)
    digest.update(frames.data)
    with path.open("wb") as file:
        file.write(header)
        file.write(frames.data)
        file.write(digest.digest())


def read_entry(path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Map a file into memory (privately: writing to the array does not reach the disk).

    Raises OSError when it is missing and ValueError when it is damaged.
    """
    content = np.memmap(path, dtype=np.uint8, mode="c")
    body, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(body.data).digest() != digest.tobytes():
        raise ValueError("its digest does not match")
    if len(body) < SHAPE.size:
        raise ValueError("it has no header")
    shape = SHAPE.unpack_from(body.data)
    start = SHAPE.size + TIME.itemsize * shape[0]
    if min(shape) < 0 or start + math.prod(shape) != len(body):
        raise ValueError("its parts do not fill it")
    times = body[SHAPE.size : start].view(TIME).astype(np.float64)
    return np.asarray(body[start:]).reshape(shape), times
