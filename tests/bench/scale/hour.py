"""A video of an hour with pictures that cost about what real ones do, quickly written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HEIGHT, WIDTH, RATE = 720, 1280, 25
SECONDS, COPIES = 60, 60  # one minute, sixty times
BITS = 2_500_000  # a second
CELL = 16  # px of the coarse texture
NOISES, NOISE = 8, 4.0


def write_hour(path: Path, group: int) -> Path:
    """Write an hour of H.264, a key frame each `group` frames; `path` names the container.

    A minute is encoded, and its packets are repeated with later time stamps.
    """
    minute = path.with_stem(f"{path.stem}-minute")
    _write_minute(minute, group)
    with av.open(str(minute)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe)
            for packet in source.demux(stream)
            if packet.size
        ]
        length = int(SECONDS / stream.time_base)
        for number in range(COPIES):
            for data, pts, dts, is_key in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base = copy, stream.time_base
                packet.pts, packet.dts = pts + number * length, dts + number * length
                packet.is_keyframe = is_key
                target.mux(packet)
    minute.unlink()
    return path


def _write_minute(path: Path, group: int) -> None:
    """Write a texture that moves, under noise that changes with each frame."""
    options = {"preset": "veryfast", "g": str(group), "bf": "3", "x264-params": "scenecut=0"}
    generator = np.random.default_rng(0)
    shape = (2 * HEIGHT // CELL, 2 * WIDTH // CELL)
    coarse = generator.uniform(40, 200, shape).repeat(CELL, 0).repeat(CELL, 1)
    noises = generator.normal(0, NOISE, (NOISES, HEIGHT, WIDTH))
    chroma = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = BITS
        for index in range(RATE * SECONDS):
            top, left = index * 2 % HEIGHT, index * 3 % WIDTH
            picture = coarse[top : top + HEIGHT, left : left + WIDTH] + noises[index % NOISES]
            planes = np.concatenate([picture.clip(16, 235).astype(np.uint8), chroma])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))
