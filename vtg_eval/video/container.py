"""Opening a video file: only containers of real videos, and in them the stream that is the film."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av

from vtg_eval.errors import VideoError
from vtg_eval.video.decoder import require_content

# Containers of real videos only: a playlist or a concat script must not open other files.
FORMATS = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf"
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
# Streams of these may be covers and previews.
PICTURE_CODECS = ("mjpeg", "png", "gif", "bmp", "webp", "tiff", "apng")
# How playlists and scripts begin. FFmpeg's formats differ by version; another decoder's FFmpeg
# must not take for a playlist what this one takes for a video.
SCRIPTS = (b"#EXTM3U", b"ffconcat", b"<", b"[", b"v=0")
# An 8K picture has 33 million; a damaged header may claim any number.
MAX_PIXELS = 1 << 28


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a file and its film, (container, stream), and close it. Raises VideoError."""
    with ffmpeg_errors(path):
        container, stream = open_film(path)
        with container:
            yield container, stream


@contextmanager
def ffmpeg_errors(path: Path) -> Iterator[None]:
    """Turn FFmpeg's errors on a file into VideoError."""
    try:
        yield
    except (av.FFmpegError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise VideoError(f"{path.name}: {reason.lower()}") from exc


def open_film(path: Path) -> tuple[Any, Any]:
    """Open a file and its film, (container, stream). Raises VideoError and FFmpeg's errors.

    The content decides what a file is, never its name.
    """
    require_content(path)
    _refuse_scripts(path)
    name = f"file:{path.absolute()}"
    container = av.open(name, options=OPTIONS, metadata_errors="replace")
    try:
        stream = _film(container, name)
        if stream is None:
            raise VideoError(f"{path.name}: the file has no video stream")
        if stream.codec_context is None:
            raise VideoError(f"{path.name}: there is no decoder for its video stream")
    except BaseException:
        container.close()
        raise
    stream.thread_count = 1  # several files are decoded at once
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return container, stream


def _refuse_scripts(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as exc:
        raise VideoError(f"{path.name}: {(exc.strerror or 'cannot be read').lower()}") from exc
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(SCRIPTS):
        raise VideoError(f"{path.name}: a playlist or a script, not a video")


def _film(container: Any, name: str) -> Any:
    """Return FFmpeg's best video stream, or where that is a still picture, the film beside it."""
    best = container.streams.best("video")
    if best is None or len(container.streams.video) == 1:
        return best
    counts = {stream.index: stream.frames for stream in container.streams.video}
    is_picture = best.codec_context.name in PICTURE_CODECS
    # A second container: not every format can be wound back to its first packet.
    with av.open(name, options=OPTIONS, metadata_errors="replace") as scanned:
        packets = dict.fromkeys(counts, 0)
        for packet in scanned.demux(video=tuple(range(len(scanned.streams.video)))):
            packets[packet.stream.index] += bool(packet.size)
            if not is_picture and packets[best.index] > 1:
                return best
    counts = {index: max(counts[index], packets[index]) for index in counts}
    # The first of the best: `best` itself where another stream is not more of a film.
    streams = [best, *(stream for stream in container.streams.video if stream is not best)]
    return max(streams, key=lambda stream: (counts[stream.index], stream.width * stream.height))
