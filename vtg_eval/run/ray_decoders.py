"""Videos decoded by tasks of a Ray cluster, which need a processor and no GPU."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vtg_eval.errors import VideoError, one_line
from vtg_eval.registry import Registry
from vtg_eval.run.decode_ahead import DECODE_SECONDS, decode_limit, took_too_long
from vtg_eval.run.manifest import check_same, package_versions
from vtg_eval.run.paths import frames_folder
from vtg_eval.run.usage import UsageMeter
from vtg_eval.video.decoder import Decoder, Pictures, Video
from vtg_eval.video.frame_store import FrameStore
from vtg_eval.video.frames import VideoInfo

RETRIES = 3


class RayDecoders:
    """Reads frames of videos as `read_here` does, in another process of the connected cluster.

    The frames are in Ray's object store, mapped into memory and not writable; they stay there as
    long as the array. May be called from several threads.
    """

    def __init__(
        self,
        name: str,
        decoder: Decoder,
        meter: UsageMeter | None = None,
        seconds: float = DECODE_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        """name: of the decoder. meter: of the session. seconds: see `decode_limit`.

        retries: of a task whose process or node is lost.
        """
        import ray

        self._name = name
        self._versions = _versions(decoder)
        self._meter = meter or UsageMeter()
        self._seconds = seconds
        place = ray.remote(num_cpus=1, max_retries=retries, scheduling_strategy="SPREAD")
        self._task = place(decode)

    def __call__(
        self, video: Video, info: VideoInfo, indices: Sequence[int], size: tuple[int, int]
    ) -> Pictures:
        """As `ReadFrames`. Raises what the decoder raises, VideoError where it hangs or is lost.

        Raises EngineError where the other node has another decoder.
        """
        import ray

        name, limit = video.path.name, decode_limit(info.duration, self._seconds)
        file = _File(video.path.absolute(), info.digest, frames_folder().absolute())
        answer = self._task.remote(self._name, self._versions, file, list(indices), size)
        try:
            array, times, processor = ray.get(answer, timeout=limit)
        except ray.exceptions.GetTimeoutError:
            ray.cancel(answer, force=True)
            raise took_too_long(name, limit) from None
        except ray.exceptions.RayTaskError as exc:
            raise exc.cause from None
        except ray.exceptions.RayError as exc:
            raise VideoError(f"{name}: no process could decode it: {one_line(str(exc))}") from None
        self._meter.decoded_elsewhere(processor)
        return array, times


@dataclass(frozen=True, slots=True)
class _File:
    """A video's file; digest: of its content. cache: the folder of decoded frames and probes."""

    path: Path
    digest: str
    cache: Path


def decode(
    name: str,
    versions: Mapping[str, str],
    file: _File,
    indices: Sequence[int],
    size: tuple[int, int],
) -> tuple[*Pictures, float]:
    """Return frames, their times, and the seconds in which this thread had a processor: the task.

    name: of the decoder; versions: where the model runs. Raises EngineError where they are others
    here, VideoError.
    """
    began = time.thread_time()
    decoder = _installed(name)
    check_same(_versions(decoder), versions)
    with decoder.open(file.path) as video:
        _require_same(FrameStore(decoder, file.cache), video, file.digest)
        array, times = video.read(indices, size)
    return array, times, time.thread_time() - began


@cache  # a process decodes many videos
def _installed(name: str) -> Decoder:
    decoder: Decoder = Registry.discover().decoder(name)()
    return decoder


def _versions(decoder: Decoder) -> dict[str, str]:
    """Return the versions that can change a pixel."""
    return {"decoder": decoder.identity, **package_versions(("vtg-eval",))}


def _require_same(store: FrameStore, video: Video, digest: str) -> None:
    """Raise VideoError where this node has no such file, or another one, under the same path."""
    host = socket.gethostname()
    try:
        here = store.info(video).digest
    except VideoError as exc:
        raise VideoError(f"{exc} (on {host}; the model's node can read it)") from exc
    if here != digest:
        raise VideoError(f"{video.path.name}: on {host} it is another file than on the model's")
