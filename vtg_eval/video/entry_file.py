"""One stored value as a file: a head, the frames' bytes, a digest.

Layout: times (float64 [T]) and shape (int64 [4]) as .npy, never pickled; the frames' bytes in C
order; the sha256 of everything before it (32 bytes).
"""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

DIGEST_BYTES = 32


def write_entry(path: Path, array: npt.NDArray[np.uint8], times: npt.NDArray[np.float64]) -> None:
    """Write a new file; raises OSError."""
    head = io.BytesIO()
    np.save(head, times, allow_pickle=False)
    np.save(head, np.array(array.shape, dtype=np.int64), allow_pickle=False)
    frames = np.ascontiguousarray(array)
    digest = hashlib.sha256(head.getvalue())
    digest.update(frames.data)
    with path.open("wb") as file:
        file.write(head.getvalue())
        file.write(frames.data)
        file.write(digest.digest())


def read_entry(path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Map a file into memory (privately: writing to the array does not reach the disk).

    Raises OSError when it is not there and ValueError when it is not what was written.
    """
    content = np.memmap(path, dtype=np.uint8, mode="c")
    body, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(body.data).digest() != digest.tobytes():
        raise ValueError("its digest does not match")
    with path.open("rb") as file:
        times = np.load(file, allow_pickle=False)
        shape = tuple(np.load(file, allow_pickle=False).tolist())
        start = file.tell()
    if len(times) != shape[0] or start + math.prod(shape) != len(body):
        raise ValueError("its parts do not fill it")
    return np.asarray(body[start:]).reshape(shape), times
