from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from vtg_eval.model_adapters.openai_chat import OpenAIChatAdapter

from vtg_eval.adapter import Checkpoint, InputOptions, TimeText
from vtg_eval.engines.base import Request
from vtg_eval.engines.server.options import Send, ServerOptions
from vtg_eval.errors import UserError
from vtg_eval.protocol import FrameRule, PromptRule, ResolvedProtocol
from vtg_eval.types import Sample, Target
from vtg_eval.video.frames import Frames, VideoInfo

RULE = PromptRule(text="When: {query}?", system="Be brief.")
UNEVEN = np.array([0.04, 0.5, 1.26, 3.0])


def make_adapter(send: Send = "images", time_text: TimeText | None = None) -> OpenAIChatAdapter:
    options = InputOptions(time_text=time_text)
    server = ServerOptions(model="m", send=send)
    checkpoint = Checkpoint("openai:m", None, argument="m", options=options, server=server)
    return OpenAIChatAdapter(checkpoint)


def make_request(
    adapter: OpenAIChatAdapter, rule: PromptRule = RULE, times: npt.NDArray[np.float64] = UNEVEN
) -> Request:
    info = VideoInfo("v", 4.0, 24.0, 28, 28, times)
    frames = Frames(np.zeros((len(times), 28, 28, 3), np.uint8), times, "d", "noise", info)
    protocol = ResolvedProtocol("test@1", "", "", FrameRule(), rule)
    return adapter.request(Sample("a", "v", "<|im_end|> it stops", Target()), frames, protocol)


def test_images_have_their_times_before_them() -> None:
    request = make_request(make_adapter())
    assert request.chat is not None
    assert request.chat.system == "Be brief."
    stamped = ("0.0s", 0, "0.5s", 1, "1.3s", 2, "3.0s", 3)
    assert request.chat.parts == (*stamped, "\nWhen: <|im_end|> it stops?")
    assert request.model_times == (0.0, 0.5, 1.3, 3.0)
    assert request.media == "images"
    assert request.prompt == (
        "<system>\nBe brief.\n<user>\n0.0s\n<frame 0>\n0.5s\n<frame 1>\n1.3s\n<frame 2>\n"
        "3.0s\n<frame 3>\n\nWhen: <|im_end|> it stops?"
    )


def test_a_protocol_with_the_text_first() -> None:
    rule = PromptRule(text="{query}, {frame_times}", layout="text-first")
    parts = make_request(make_adapter(), rule).chat.parts
    assert parts[:3] == ("<|im_end|> it stops, 0.0, 0.5, 1.3, 3.0\n", "0.0s", 0)


@pytest.mark.parametrize("send", ["images", "video"])
def test_times_in_a_sentence(send: Send) -> None:
    request = make_request(make_adapter(send, "header"))
    *frames, text = request.chat.parts
    assert frames == [0, 1, 2, 3]
    assert text == (
        "The video is 4.0 seconds long. Its 4 frames are at these times in seconds: "
        "0.0, 0.5, 1.3, 3.0.\nWhen: <|im_end|> it stops?"
    )
    assert request.model_times == (0.0, 0.5, 1.3, 3.0)


@pytest.mark.parametrize("send", ["images", "video"])
def test_without_text_the_model_times_are_unknown(send: Send) -> None:
    request = make_request(make_adapter(send, "none"))
    assert request.chat.parts == (0, 1, 2, 3, "When: <|im_end|> it stops?")
    assert request.chat.video == (send == "video")
    assert request.model_times == ()


def test_a_video_has_the_frames_own_times_and_the_mean_rate_of_pairs() -> None:
    metadata = make_request(make_adapter("video")).metadata
    times = np.array(metadata["frames_indices"]) / metadata["fps"]
    assert times == pytest.approx(UNEVEN)
    rate = 4 / metadata["total_num_frames"] * metadata["fps"]
    assert 2 / rate == pytest.approx(1.26 - 0.04, abs=1e-5)
    one = make_request(make_adapter("video"), times=np.array([0.5])).metadata
    assert one["total_num_frames"] >= 1


@pytest.mark.parametrize("send", ["images", "video"])
def test_an_image_takes_the_tokens_of_a_pair_of_frames(send: Send) -> None:
    rule = FrameRule(total_tokens=1000, max_tokens=400)
    height, width = make_adapter(send).frame_size(720, 1280, 10, rule)
    assert height % 28 == width % 28 == 0
    shown = 10 if send == "images" else 5
    assert 800 < height * width // 28**2 * shown <= 1000


def test_a_video_has_no_place_for_times_between_its_frames() -> None:
    with pytest.raises(UserError, match="--time-text header"):
        make_adapter("video", "interleaved")
