"""The process in which decord runs: `python -m vtg_eval.video.decord_worker`.

A request is a line of JSON on standard input: {"path"}, and to read frames also {"rows", "size"}.
The answer on standard output is a series of parts, each a line of JSON and, where this has "shape",
an array's bytes. The last part has "end", or "error".
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
import decord
import numpy as np
import numpy.typing as npt

from vtg_eval.video.resize import Resizer

BATCH = 16
# A damaged file may claim any number of frames; then this process fails, not the machine.
MEMORY_SHARE = 0.5


def main() -> None:
    """Answer requests until standard input ends."""
    _limit_memory()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    for line in sys.stdin.buffer:
        try:
            for header, array in _answer(json.loads(line)):
                _send(answers, header, array)
            _send(answers, {"end": True})
        except (decord.DECORDError, RuntimeError, IndexError, ValueError, MemoryError) as exc:
            lines = str(exc).strip().splitlines() or ["cannot be decoded"]
            _send(answers, {"error": lines[-1][:200]})


def _limit_memory() -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (int(total * MEMORY_SHARE),) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _send(answers: BinaryIO, header: dict[str, Any], array: npt.NDArray[Any] | None = None) -> None:
    if array is not None:
        header = {**header, "shape": array.shape, "dtype": array.dtype.str}
    answers.write(json.dumps(header).encode() + b"\n")
    if array is not None:
        answers.write(np.ascontiguousarray(array).data)
    answers.flush()


def _answer(request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], npt.NDArray[Any]]]:
    reader = decord.VideoReader(request["path"], ctx=decord.cpu(0), num_threads=0)
    if not len(reader):
        raise ValueError("the video stream has no frames")
    rows = request.get("rows")
    if rows is None:
        height, width = reader[0].shape[:2]
        facts = {"fps": float(reader.get_avg_fps()), "height": int(height), "width": int(width)}
        yield facts, _spans(reader, range(len(reader)))
        return
    resizer = Resizer(tuple(request["size"]))
    for start in range(0, len(rows), BATCH):
        pictures = reader.get_batch(rows[start : start + BATCH]).asnumpy()
        frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures]
        yield {}, np.stack([resizer.picture(frame) for frame in frames])
    yield {}, _spans(reader, rows)


def _spans(reader: Any, rows: Any) -> npt.NDArray[np.float64]:
    """Return start and end (seconds) of frames, float64 [N, 2]."""
    return np.asarray(reader.get_frame_timestamp(rows), dtype=np.float64)


if __name__ == "__main__":
    main()
