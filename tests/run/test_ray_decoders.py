"""Videos decoded by tasks of a Ray cluster of two nodes: the frames that are decoded here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import fakes
from tests.ray_case import SmallCluster
from vtg_eval.errors import EngineError, VideoError
from vtg_eval.protocol import FrameRule
from vtg_eval.run.ray_cluster import connect
from vtg_eval.run.ray_decoders import RayDecoders
from vtg_eval.run.usage import UsageMeter
from vtg_eval.video.decoder import ReadFrames
from vtg_eval.video.frame_store import FrameStore
from vtg_eval.video.frames import Frames

pytestmark = pytest.mark.xdist_group("ray")

DECODER = fakes.FaultyDecoder()
SIZE = (256, 256)
FRAMES = 16  # of 3 MiB together: larger than what Ray sends with its messages
Put = Callable[..., Path]


@pytest.fixture
def cluster(ray_cluster: SmallCluster) -> Iterator[SmallCluster]:
    """Two nodes; this process is connected."""
    import ray

    assert connect(ray_cluster.address)
    yield ray_cluster
    ray.shutdown()


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Write a video and its fault, if any: see `FaultyDecoder`."""
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path / "cache"))

    def write(name: str, fault: str = "") -> Path:
        path = tmp_path / f"{name}.txt"
        path.write_bytes(fakes.film(1.0))
        if fault:
            path.with_suffix(".fault").write_text(fault)
        return path

    return write


def frames(path: Path, *read: ReadFrames, meter: UsageMeter | None = None) -> Frames:
    """Return a video's frames from an empty store."""
    watch = None if meter is None else meter.frames
    store = FrameStore(DECODER, path.parent / "store", 0, watch, *read)
    rule = FrameRule(policy="uniform", max_frames=FRAMES)
    return store.frames(path, rule, lambda height, width, count: SIZE)


def test_videos_are_decoded_elsewhere_as_they_are_here(cluster: SmallCluster, put: Put) -> None:
    # one test, because each connection starts processes
    decoders = RayDecoders("faulty", DECODER, meter := UsageMeter())
    same_frames(put("whole"), decoders, meter)
    same_error(put("damaged", "fail"), decoders)
    other_versions(put("other"))
    other_file(put("lacking"), decoders)
    hanging(put("hangs", "wait"))
    lost_node(cluster, [put("v0", "wait"), put("v1", "wait")], decoders)
    lost_process(put("killed", "kill"))


def same_frames(path: Path, decoders: RayDecoders, meter: UsageMeter) -> None:
    import ray

    decoded, here = frames(path, decoders, meter=meter), frames(path)
    assert (decoded.array == here.array).all()
    assert (decoded.times == here.times).all()
    assert decoded.digest == here.digest
    assert not decoded.array.flags.writeable  # Ray's own memory, kept by the array alone
    assert not ray._private.worker.global_worker.core_worker.get_all_reference_counts()
    usage = meter.usage()
    assert usage.decoded == 1
    assert usage.processor > 0


def same_error(path: Path, decoders: RayDecoders) -> None:
    with pytest.raises(VideoError) as error:
        frames(path, decoders)
    with pytest.raises(VideoError) as expected:
        frames(path)
    assert str(error.value) == str(expected.value)


def other_versions(path: Path) -> None:
    class Other(fakes.FaultyDecoder):
        version = "2"

    with pytest.raises(
        EngineError, match=r"where the run was started: decoder. Make them the same"
    ):
        frames(path, RayDecoders("faulty", Other()))


def other_file(path: Path, decoders: RayDecoders) -> None:
    with DECODER.open(path) as video:
        info = video.probe()
        path.unlink()
        with pytest.raises(VideoError, match=r"no such file \(on .*; the model's node can"):
            decoders(video, info, [0], SIZE)
        path.write_bytes(fakes.film(2.0))
        with pytest.raises(VideoError, match=r"txt: on .* it is another file than on the model's"):
            decoders(video, info, [0], SIZE)


def hanging(path: Path) -> None:
    """What follows needs its processor."""
    with pytest.raises(VideoError, match=r"hangs.txt: decoding took longer than 1.3 s"):
        frames(path, RayDecoders("faulty", DECODER, seconds=0.3))


def lost_node(cluster: SmallCluster, paths: Sequence[Path], decoders: RayDecoders) -> None:
    nodes = [path.with_suffix(".node") for path in paths]
    with ThreadPoolExecutor(2) as threads:
        decoded = [threads.submit(frames, path, decoders) for path in paths]
        end = time.monotonic() + 60
        while not all(node.exists() and node.read_text() for node in nodes):
            assert time.monotonic() < end
            time.sleep(0.02)
        assert len({node.read_text() for node in nodes}) == 2
        cluster.remove_node()
        for path in paths:
            path.with_suffix(".go").touch()
        for path, future in zip(paths, decoded, strict=True):
            assert (future.result().array == frames(path).array).all()
    assert len({node.read_text() for node in nodes}) == 1


def lost_process(path: Path) -> None:
    with pytest.raises(VideoError, match=r"^killed.txt: no process could decode it: "):
        frames(path, RayDecoders("faulty", DECODER, retries=0))
