"""Clock videos for tests: every frame carries its own index in its pixels.

A frame is a 4 x 4 grid of black and white blocks, the 16 bits of its index; the pattern survives
lossy coding and any resize, so a test can prove which frame it was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

GRID = 4
X264 = {"preset": "veryfast", "crf": "20"}


def clock_frame(index: int, height: int = 64, width: int = 96) -> npt.NDArray[np.uint8]:
    """Return the RGB picture [height, width, 3] that encodes `index` (0 to 65535)."""
    bits = (index >> np.arange(GRID * GRID)) & 1
    grid = np.where(bits.reshape(GRID, GRID), 235, 16).astype(np.uint8)
    rows = np.arange(height) * GRID // height
    columns = np.arange(width) * GRID // width
    return np.repeat(grid[rows][:, columns, None], 3, axis=2)


def read_clock(picture: npt.NDArray[np.uint8]) -> int:
    """Return the index that a decoded picture [H, W, 3] shows."""
    height, width = picture.shape[:2]
    centres = (2 * np.arange(GRID) + 1) / (2 * GRID)
    rows, columns = (centres * height).astype(int), (centres * width).astype(int)
    bits = picture[rows][:, columns].mean(axis=2) > 128
    return int((bits.reshape(-1) << np.arange(GRID * GRID)).sum())


def write_clock(
    path: Path,
    frames: int = 48,
    rate: Fraction | int = 24,
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    height: int = 64,
    width: int = 96,
    codec: str = "libx264",
    options: Mapping[str, str] = X264,
    container_options: Mapping[str, str] | None = None,
    display_matrix: Sequence[int] | None = None,
    pix_fmt: str = "yuv420p",
    title: str = "",
) -> Path:
    """Write a clock video; frame i is shown at `pts[i] * time_base` (i / rate by default).

    `options` are the encoder's own ("g", "bf", "x264-params", …); the suffix names the container.
    """
    base = time_base or 1 / Fraction(rate)
    stamps = range(frames) if pts is None else pts
    with av.open(str(path), "w", options=dict(container_options or {})) as container:
        if title:
            container.metadata["title"] = title
        stream = container.add_stream(codec, rate=Fraction(rate), options=dict(options))
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = base
        if display_matrix:
            stream.set_display_matrix(display_matrix)
        for index, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(clock_frame(index, height, width), format="rgb24")
            frame.pts, frame.time_base = stamp, base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut(source: Path, path: Path, start: float) -> Path:
    """Copy `source` from `start` seconds on without encoding again.

    The copy begins at the key frame before `start`; in MP4 an edit list hides what comes before.
    """
    with av.open(str(source)) as reader, av.open(str(path), "w") as writer:
        video = reader.streams.video[0]
        copy = writer.add_stream_from_template(video)
        offset = round(Fraction(start) / video.time_base)
        reader.seek(offset, stream=video)
        for packet in reader.demux(video):
            if packet.dts is not None:
                packet.pts -= offset
                packet.dts -= offset
                packet.stream = copy
                writer.mux(packet)
    return path


def write_silence(path: Path, seconds: float = 1.0) -> Path:
    """Write a file with an audio stream only."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        for start in range(0, int(seconds * 16000), 1024):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def truncate(source: Path, path: Path, fraction: float) -> Path:
    """Write the first part of `source`'s bytes."""
    content = source.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    return path
