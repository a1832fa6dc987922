"""Compares raw frames on disk with lossless codecs that PyAV has.

python tests/bench/bench_frame_codecs.py VIDEO ... [--fps 4] [--repeats 5]

For each video: the time to decode frames, and for each form its size as a part of raw frames, and
the medians of the times to write it and to read it again from a warm cache, with a digest. "room
for": the time for a video in a second run where the raw frames of 1/3, 3/4 and all videos have
room: hits are read, misses are decoded and not written. Clock videos compress far better than real
ones: name real ones.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import av
import numpy as np
import numpy.typing as npt
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from vtg_eval.protocol import FrameRule
from vtg_eval.video.entry_file import read_entry, write_entry
from vtg_eval.video.pyav import PyavDecoder
from vtg_eval.video.sampling import choose

Array = npt.NDArray[np.uint8]
ROOMS = (1 / 3, 3 / 4, 1.0)


@dataclass(frozen=True)
class Codec:
    """A lossless codec of FFmpeg, one thread."""

    name: str
    pixels: str
    options: Mapping[str, str]

    def write(self, path: Path, array: Array) -> None:
        file = io.BytesIO()
        with av.open(file, "w", format="nut") as container:
            stream = container.add_stream(self.name, rate=25, options=dict(self.options))
            stream.height, stream.width, stream.pix_fmt = *array.shape[1:3], self.pixels
            stream.codec_context.thread_count = 1
            for picture in array:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
        content = file.getvalue()
        path.write_bytes(content + hashlib.sha256(content).digest())

    def read(self, path: Path, shape: tuple[int, ...]) -> Array:
        content = path.read_bytes()
        assert hashlib.sha256(content[:-32]).digest() == content[-32:]
        array = np.empty(shape, np.uint8)
        with av.open(io.BytesIO(content[:-32])) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for number, frame in enumerate(container.decode(video=0)):
                array[number] = frame.to_ndarray(format="rgb24")
        return array


CODECS = (
    Codec("huffyuv", "rgb24", {}),
    Codec("utvideo", "gbrp", {"pred": "left"}),
    Codec("utvideo", "gbrp", {"pred": "median"}),
    Codec("magicyuv", "gbrp", {}),
    Codec("ffv1", "bgr0", {"level": "3"}),
    Codec("png", "rgb24", {"compression_level": "1"}),
)


def timed(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of `work`, ms."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return median(times)


def compare(video: Path, fps: float, size: tuple[int, int], repeats: int, folder: Path) -> None:
    decoder = PyavDecoder()
    info = decoder.probe(video)
    rows = choose(info, FrameRule(fps=fps, max_frames=768)).tolist()
    array, times = decoder.read(video, rows, size)
    decoding = timed(lambda: decoder.read(video, rows, size), 3)
    raw, packed = folder / "raw", folder / "packed"

    def row(name: str, write: float, read: float, share: float) -> list[object]:
        hits = [min(1.0, room / share) for room in ROOMS]
        return [name, share, write, read, *(h * read + (1 - h) * decoding for h in hits)]

    write_entry(raw, array, times)
    write = timed(lambda: write_entry(raw, array, times), repeats)
    # a private memory map costs nothing before its pages are touched
    table = [row("raw", write, timed(lambda: read_entry(raw)[0].copy(), repeats), 1.0)]
    for codec in CODECS:
        write = timed(lambda codec=codec: codec.write(packed, array), repeats)  # type: ignore[misc]
        read = timed(lambda codec=codec: codec.read(packed, array.shape), repeats)  # type: ignore[misc]
        np.testing.assert_array_equal(codec.read(packed, array.shape), array)
        share = packed.stat().st_size / array.nbytes
        table.append(row(" ".join((codec.name, *codec.options.values())), write, read, share))
    print(f"\n{video.name}, {info.height} x {info.width}: {len(rows)} frames of {size}, ", end="")
    print(f"{array.nbytes / 1e6:.1f} MB, decoded in {decoding:.0f} ms")
    heads = ["", "size", "write, ms", "read, ms", "room for 1/3", "3/4", "all"]
    print(tabulate(table, heads, "pipe", floatfmt=["", ".2f", *[".0f"] * 5]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    parser.add_argument("--fps", type=float, default=4.0)
    parser.add_argument("--size", type=int, nargs=2, default=(280, 504), metavar=("H", "W"))
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    height, width = args.size
    with tempfile.TemporaryDirectory() as folder:
        for video in args.videos:
            compare(video, args.fps, (height, width), args.repeats, Path(folder))


if __name__ == "__main__":
    main()
