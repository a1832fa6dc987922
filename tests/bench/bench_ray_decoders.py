"""Times a video that is decoded here, and by another node of a Ray cluster on this machine.

python tests/bench/bench_ray_decoders.py [--videos 6] [--repeats 3] [--seconds 60]

One video at a time, 60 frames of 224 x 392 px. `probe`: what the worker's node does in both cases.
The frames go from one node's object store through a socket of this machine to another's, so the
network is not measured. The last column has the bytes of frames by the seconds that Ray takes more.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.gpu.videos import write_videos
from tests.ray_case import NODE, SETTINGS
from vtg_eval.protocol import FrameRule
from vtg_eval.run.paths import CACHE_VARIABLE
from vtg_eval.run.ray_cluster import connect
from vtg_eval.run.ray_decoders import RayDecoders
from vtg_eval.video.decoder import Pictures, ReadFrames, read_here
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.pyav import PyavDecoder
from vtg_eval.video.sampling import choose

VIDEO_SIZE, SIZE = (360, 640), (224, 392)
RULE = FrameRule(policy="uniform", max_frames=60)
DECODER = PyavDecoder()
STORE = {"object_store_memory": 256 * 2**20}


def timed(call: Callable[..., Pictures | VideoInfo], *arguments: Any) -> float:
    """Return how long the call takes."""
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def read(path: Path, info: VideoInfo, reader: ReadFrames) -> Pictures:
    """Return a video's frames, by a file that is opened for them."""
    with DECODER.open(path) as video:
        return reader(video, info, choose(info, RULE).tolist(), SIZE)


def rounds(paths: list[Path], repeats: int, decoders: RayDecoders) -> list[list[float]]:
    """Return the seconds of a probe, here and elsewhere, for each video and repeat."""
    infos = {path: DECODER.probe(path) for path in paths}
    for path, info in infos.items():  # the other node has probed each video
        here, elsewhere = read(path, info, read_here), read(path, info, decoders)
        assert np.array_equal(here[0], elsewhere[0])
    return [
        [
            timed(DECODER.probe, path),
            timed(read, path, infos[path], read_here),
            timed(read, path, infos[path], decoders),
        ]
        for _ in range(repeats)
        for path in paths
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    args = parser.parse_args()
    os.environ.update(SETTINGS)
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        True, head_node_args={**NODE, **STORE, "num_cpus": 0, "include_dashboard": False}
    )
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor() as processes:
        os.environ[CACHE_VARIABLE] = str(Path(folder, "cache"))
        write_videos(Path(folder, "videos"), args.videos, args.seconds, VIDEO_SIZE, processes)
        paths = sorted(Path(folder, "videos").iterdir())
        try:
            cluster.add_node(**{**NODE, **STORE})
            connect(cluster.address)
            times = rounds(paths, args.repeats, RayDecoders("pyav", DECODER))
        finally:
            ray.shutdown()
            cluster.shutdown()
    frames = RULE.max_frames * SIZE[0] * SIZE[1] * 3
    probe, here, elsewhere = (median(column) for column in zip(*times, strict=True))
    more = median(row[2] - row[1] for row in times)
    row = [*(1e3 * s for s in (probe, here, elsewhere, more)), frames / 1e6, frames / 1e6 / more]
    header = ["probe, ms", "here, ms", "other node, ms", "more, ms", "frames, MB", "MB/s"]
    print(tabulate([row], header, tablefmt="github", floatfmt=".0f"))


if __name__ == "__main__":
    main()
