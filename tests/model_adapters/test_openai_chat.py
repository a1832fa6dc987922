"""The conversation of a model on a server: the protocol's text, and the times that it tells."""

from __future__ import annotations

import numpy as np
import pytest

from vtg_eval.adapter import Adapter, Checkpoint, InputOptions, TimeText
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.types import Sample, Target
from vtg_eval.video.frames import Frames, VideoInfo

REGISTRY = Registry.discover()
TIMES = np.array([0.0, 0.54, 1.26, 2.0])
INFO = VideoInfo("digest", 2.5, 2.0, 28, 28, TIMES)
FRAMES = Frames(np.zeros((4, 28, 28, 3), np.uint8), TIMES, "digest", "none", INFO)
SAMPLE = Sample("s", "v", "a door opens", Target())


def adapter(time_text: TimeText | None = None) -> Adapter:
    checkpoint = Checkpoint("openai:x", None, argument="x", options=InputOptions(time_text))
    made: Adapter = REGISTRY.adapter("openai")(checkpoint)
    return made


def protocol(name: str) -> ResolvedProtocol:
    return REGISTRY.protocol(name).without_task


def test_a_protocol_that_tells_the_times_gets_the_videos_duration() -> None:
    request = adapter("header").request(SAMPLE, FRAMES, protocol("llava-video@1"))
    assert "The video lasts for 2.50 seconds, and 4 frames are" in request.prompt
    assert "located at 0.00s,0.54s,1.26s,2.00s." in request.prompt
    assert request.prompt.count("2.00s") == 1
    assert request.model_times == tuple(TIMES)


@pytest.mark.parametrize(
    ("time_text", "times"),
    [("interleaved", (0.0, 0.5, 1.3, 2.0)), ("header", (0.0, 0.5, 1.3, 2.0)), ("none", ())],
)
def test_model_times_are_those_of_our_text(time_text: TimeText, times: tuple[float, ...]) -> None:
    request = adapter(time_text).request(SAMPLE, FRAMES, protocol("strict@2"))
    assert request.model_times == times
    assert ("1.3" in request.prompt) == bool(times)
