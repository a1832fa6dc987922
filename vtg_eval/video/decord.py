"""Decoding with decord, with its frame times, to reproduce protocols that used it.

decord's time stamps are wrong on some files (HEVC, edit lists); `docs/design/video.md` has the
figures. Use PyAV for anything else. decord aborts its process on some damaged files, so it runs in
processes of its own (`decord_worker`).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vtg_eval.errors import UserError, VideoError
from vtg_eval.video.container import opened
from vtg_eval.video.decoder import Decoder, content_digest
from vtg_eval.video.frames import VideoInfo

WORKER = (sys.executable, "-P", "-m", "vtg_eval.video.decord_worker")
# Seconds without a sign of life; 16 frames far apart in a long video take some.
PATIENCE = 120.0


class DecordDecoder(Decoder):
    """decord's VideoReader at the file's size, resized by the rule of all decoders."""

    name = "decord"

    def __init__(self) -> None:
        if importlib.util.find_spec("decord") is None:
            raise UserError('The decoder "decord" needs the extra decord (README, "Install").')
        self.version = importlib.metadata.version("decord")
        self._idle: list[_Worker] = []  # one for each thread that decodes
        weakref.finalize(self, _stop_all, self._idle)

    def probe(self, path: Path) -> VideoInfo:
        """Return decord's frame times (the start of each frame), rate and size."""
        ((facts, spans),) = self._ask(path)
        return VideoInfo(
            digest=content_digest(path),
            duration=float(spans[-1, 1]),
            fps=facts["fps"],
            height=facts["height"],
            width=facts["width"],
            times=np.ascontiguousarray(spans[:, 0]),
        )

    def read(
        self, path: Path, indices: Sequence[int], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
        """Decode the requested frames in small batches."""
        rows = [int(index) for index in indices]
        *batches, (_, spans) = self._ask(path, rows=rows, size=size)
        empty = np.empty((0, *size, 3), dtype=np.uint8)
        array = np.concatenate([empty, *(batch for _, batch in batches)])
        return array, np.ascontiguousarray(spans[:, 0])

    def _ask(self, path: Path, **request: Any) -> list[tuple[dict[str, Any], npt.NDArray[Any]]]:
        with opened(path):  # decord's FFmpeg would also open playlists
            pass
        worker = self._idle.pop() if self._idle else _Worker()
        try:
            parts = list(worker.ask({"path": str(path.absolute()), **request}))
        except _DecordError as exc:  # the worker lives
            self._idle.append(worker)
            raise VideoError(f"{path.name}: decord: {exc}") from exc
        except BaseException as exc:
            reason = worker.stop()
            if not isinstance(exc, (OSError, EOFError, ValueError)):
                raise
            raise VideoError(f"{path.name}: decord: its process {reason}") from exc
        self._idle.append(worker)
        return parts


class _DecordError(Exception):
    """What decord says about a file."""


class _Worker:
    """A process that runs decord."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._silent = False

    def ask(self, request: dict[str, Any]) -> Iterator[tuple[dict[str, Any], npt.NDArray[Any]]]:
        """Yield the parts of the answer. Raises EOFError or OSError where the process is dead."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(json.dumps(request).encode() + b"\n")
        stdin.flush()
        while True:
            watch = threading.Timer(PATIENCE, self._give_up)
            watch.start()
            try:
                header = json.loads(stdout.readline() or _dead())
                array = None
                if "shape" in header:
                    dtype = np.dtype(header["dtype"])
                    content = stdout.read(dtype.itemsize * math.prod(header["shape"]))
                    array = np.frombuffer(content, dtype).reshape(header["shape"])
            finally:
                watch.cancel()
            if "error" in header:
                raise _DecordError(header["error"])
            if array is None:
                return
            yield header, array

    def stop(self) -> str:
        """End the process; return how it ended before, as a verb phrase."""
        if not self._silent:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)  # it may be dying
        code = self._process.poll()
        self.close()
        return f"was silent for {PATIENCE:.0f} s" if self._silent else f"died (status {code})"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _give_up(self) -> None:
        self._silent = True
        self._process.kill()


def _dead() -> bytes:
    raise EOFError


def _stop_all(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.close()
