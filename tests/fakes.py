"""A third party's plug-in for tests of runs: a task, an adapter, an engine and a decoder.

Its videos are tiny, with frames that its decoder invents; its engine answers by a digest of its
whole input, so equal answers mean equal input.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import vtg_eval.model_adapters
import vtg_eval.tasks

import vtg_eval.cli
import vtg_eval.engines
from tests.grounding_case import CARD
from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request, non_finite
from vtg_eval.errors import UserError, VideoError
from vtg_eval.failures import Finish
from vtg_eval.hookspecs import AdapterEntry, Entry, hookimpl
from vtg_eval.plugins.plugin import DISTRIBUTION, PluginRecord, plugin_of
from vtg_eval.protocol import FrameRule, GenerationRule, ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.task import SplitMetadata, Task
from vtg_eval.types import Group, Sample, Span, Target
from vtg_eval.video.decoder import Decoder
from vtg_eval.video.frames import Frames, VideoInfo
from vtg_eval.video.pyav import PyavDecoder

ARCHITECTURE = "FakeForGrounding"
VIDEOS, QUERIES = 8, 4
FPS = 4.0


class FakeTask(Task):
    card = replace(
        CARD,
        name="fake_vtg",
        title="fake",
        splits=(SplitMetadata("test", VIDEOS, VIDEOS * QUERIES),),
        sample_ids="v<video>/<query>",
        videos="videos/v<video>.txt",
        constant_span=(0.25, 0.75),
    )

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        return [
            Sample(
                id=f"v{video}/{query}",
                video=f"v{video}",
                query=f"the event {query}",
                target=Target(spans=(Span(query, query + 3.0),) if query else ()),
                duration=_seconds(video),
                groups=(Group("kind", "never" if query == 0 else "once"),),
            )
            for query in range(QUERIES)  # a video's queries are not adjacent
            for video in range(VIDEOS)
        ]

    def video_path(self, root: Path, video: str) -> Path:
        return self.folder(root) / "videos" / f"{video}.txt"

    def prepare(
        self, root: Path, split: str | None = None, videos: Collection[str] | None = None
    ) -> None:
        for video in range(VIDEOS):
            path = self.video_path(root, f"v{video}")
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_bytes(film(_seconds(video)))


class FakeDecoder(Decoder):
    name = "fake"
    version = "1"

    def probe(self, path: Path) -> VideoInfo:
        info = PyavDecoder().probe(path)
        digest = hashlib.sha256(path.name.encode() + info.digest.encode()).hexdigest()
        return replace(info, digest=digest, height=8, width=8)

    def read(self, path: Path, indices: Sequence[int], size: tuple[int, int]) -> Any:
        info = self.probe(path)
        value = hashlib.sha256(path.name.encode()).digest()[0]  # whatever the film's encoder
        shade = (np.asarray(indices) + value).astype(np.uint8)
        array = np.broadcast_to(shade[:, None, None, None], (len(indices), *size, 3)).copy()
        return array, info.times[np.asarray(indices)]


class FaultyDecoder(FakeDecoder):
    """Does what a file beside the video says, "v0.fault": fail, kill or wait.

    kill: of its process, once. wait: until there is a file "v0.go"; "v0.node" has its Ray node.
    """

    def read(self, path: Path, indices: Sequence[int], size: tuple[int, int]) -> Any:
        fault = path.with_suffix(".fault")
        match fault.read_text() if fault.exists() else "":
            case "fail":
                raise VideoError(f"{path.name}: its pictures are damaged")
            case "kill":
                fault.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            case "wait":
                import ray

                path.with_suffix(".node").write_text(ray.get_runtime_context().get_node_id())
                while not path.with_suffix(".go").exists():
                    time.sleep(0.02)
        return super().read(path, indices, size)


class FakeAdapter(Adapter):
    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def frame_size(self, height: int, width: int, frames: int, rule: FrameRule) -> tuple[int, int]:
        return 8, 8

    def request(self, sample: Sample, frames: Frames | None, protocol: ResolvedProtocol) -> Request:
        assert frames is not None
        prompt = protocol.prompt.text.replace("{query}", sample.query)
        times = tuple(frames.times[::2].tolist())
        return Request(sample.id, prompt, frames=frames, model_times=times)


ARGUMENTS = (
    "diverged",
    "delay",
    "shuffle",
    "fail",
    "crash_after",
    "stop_after",
    "signal",
    "long",
    "once",
    "refuse",
    "cached",
)


class FakeEngine(Engine):
    """`extra`: delay (seconds an answer), shuffle (seed), fail (ids), crash_after (answers),
    stop_after (answers, then a signal to this process), once (a file: only the process that makes
    it crashes or stops), long (ids cut off at the limit), diverged (ids whose logits are not
    finite)."""

    started = 0
    well = False  # True: `fail` has no effect

    @classmethod
    def check_options(cls, checkpoint: Path, options: EngineOptions) -> None:
        for name in options.extra:
            if name not in ARGUMENTS:
                raise UserError(f'The fake engine has no argument "{name}".')
        if options.dtype != "auto":
            raise UserError(f"--dtype {options.dtype} is unknown.")

    def __init__(self, checkpoint: Path, rule: GenerationRule, options: EngineOptions) -> None:
        type(self).started += 1
        if options.extra.get("refuse"):
            raise UserError("The fake engine does not start. Choose another.")
        self.options = options
        self.extra = dict(options.extra)
        if "once" in self.extra:
            try:
                Path(self.extra["once"]).open("x").close()
            except FileExistsError:
                self.extra.pop("crash_after", None)
                self.extra.pop("stop_after", None)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        stream, done = iter(requests), 0
        order = random.Random(self.extra.get("shuffle"))
        while batch := list(islice(stream, self.options.batch_size)):
            if "shuffle" in self.extra:
                order.shuffle(batch)
            for request in batch:
                if done == self.extra.get("crash_after"):
                    raise RuntimeError("the device is lost\nfor good")
                if done == self.extra.get("stop_after"):
                    os.kill(os.getpid(), getattr(signal, self.extra["signal"]))
                time.sleep(self.extra.get("delay", 0))
                yield self.answer(request)
                done += 1

    def answer(self, request: Request) -> Completion:
        if not self.well and request.sample_id in self.extra.get("fail", ()):
            return Completion(request.sample_id, "", 0, 0, Finish.ERROR, "no memory")
        if request.sample_id in self.extra.get("diverged", ()):
            return non_finite(request, [1, 2], 0)
        assert request.frames is not None
        digest = hashlib.sha256(request.prompt.encode() + request.frames.array.tobytes()).digest()
        start, length = digest[0] / 32, digest[1] / 32 - 2
        text = "never" if digest[2] < 40 else f"{start:.2f} - {start + length:.2f} é\n"
        cut_off = request.sample_id in self.extra.get("long", ())
        finish = Finish.LENGTH if cut_off else Finish.STOP
        cached = self.extra.get("cached")
        return Completion(request.sample_id, text, 7, 3, finish, cached_tokens=cached)

    def describe(self) -> Mapping[str, Any]:
        return {"name": "fake", "batch_size": self.options.batch_size}


def _seconds(video: int) -> float:
    return 6.0 + 1.5 * (video * 5 % VIDEOS)


@cache
def film(seconds: float) -> bytes:
    """Return an MP4 file of that length, with pictures of 16 x 16 px."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=int(FPS))
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        for _ in range(round(seconds * FPS)):
            container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        container.mux(stream.encode(None))
    return file.getvalue()


TASK = FakeTask()


@hookimpl
def vtg_tasks() -> Sequence[Entry]:
    return (Entry("fake_vtg", "tests.fakes:TASK", "a fake"),)


@hookimpl
def vtg_adapters() -> Sequence[AdapterEntry]:
    return (
        AdapterEntry("fake", "tests.fakes:FakeAdapter", "a fake", architectures=(ARCHITECTURE,)),
    )


@hookimpl
def vtg_engines() -> Sequence[Entry]:
    return (Entry("fake", "tests.fakes:FakeEngine", "a fake"),)


@hookimpl
def vtg_decoders() -> Sequence[Entry]:
    return (
        Entry("fake", "tests.fakes:FakeDecoder", "a fake"),
        Entry("faulty", "tests.fakes:FaultyDecoder", "a fake with faults"),
    )


def write_checkpoint(folder: Path) -> Path:
    """Write a config.json that names the fake architecture; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"architectures": [ARCHITECTURE]}))
    return folder


def use_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to `folder`, with a cache of its own and no data root; return a checkpoint in it."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VTG_EVAL_CACHE", str(folder / "cache"))
    monkeypatch.delenv("VTG_EVAL_DATA", raising=False)
    return write_checkpoint(folder / "model")


def make_registry(*plugins: Any) -> Registry:
    """Return a registry of the built-in plug-ins and `plugins`, those of a package "third"."""
    built_in = (vtg_eval.cli, vtg_eval.engines, vtg_eval.tasks, vtg_eval.model_adapters)
    return Registry(
        [
            *(plugin_of(_record(plugin, DISTRIBUTION), plugin) for plugin in built_in),
            *(plugin_of(_record(plugin, "third"), plugin) for plugin in plugins),
        ]
    )


def _record(plugin: Any, package: str) -> PluginRecord:
    name = getattr(plugin, "__name__", type(plugin).__module__)
    return PluginRecord(name.rpartition(".")[2], name, package, "1.0")


def install(plugin: str, module: str, folder: Path) -> None:
    """Make a folder look like site-packages where a plug-in is installed."""
    info = folder / f"{plugin}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {plugin}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[vtg_eval]\n{plugin} = {module}\n")
