"""Times, sizes and prompts of the adapters, compared with the families' processors."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("transformers", reason="needs the extra hf")

from transformers import AutoProcessor

from tests.engine_case import (
    EVEN,
    FAMILIES,
    LATE,
    PROTOCOL,
    UNEVEN,
    make_adapter,
    make_frames,
    sample,
)
from vtg_eval.adapter import Adapter
from vtg_eval.engines.model_inputs import InputBuilder, ModelInput
from vtg_eval.errors import UserError
from vtg_eval.protocol import PromptRule

pytestmark = pytest.mark.xdist_group("adapters")
TIMES = {
    "even": EVEN,
    "uneven": UNEVEN,
    "late": LATE,
    "odd": EVEN[:7],
    "film": np.arange(40) * 12 * 1001 / 24000,
}


class Family:
    """One family's adapter and real processor."""

    def __init__(self, name: str, folder: Any) -> None:
        self.name = name
        self.adapter: Adapter = make_adapter(FAMILIES[name](folder))
        self.processor = AutoProcessor.from_pretrained(folder)
        self.builder = InputBuilder(self.processor)

    def build(self, times: Any, query: str = "it stops") -> tuple[Any, ModelInput]:
        request = self.adapter.request(
            sample("s", query), make_frames(self.adapter, times), PROTOCOL
        )
        return request, self.builder.build(request)


@pytest.fixture(scope="session", params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Family:
    return Family(request.param, tmp_path_factory.mktemp("adapter"))


def decoded_times(family: Family, made: ModelInput) -> list[float]:
    """Read the times back from the real processor's output."""
    if family.name == "qwen3_vl":
        text = family.processor.tokenizer.decode(made.ids)
        return [float(stamp) for stamp in re.findall(r"<([\d.]+) seconds>", text)]
    pairs, step = int(made.tensors["video_grid_thw"][0, 0]), made.tensors["second_per_grid_ts"][0]
    # as transformers and vLLM place them: tokens_per_second is 2, the fraction is cut off
    return [int(k * float(step) * 2) / 2 for k in range(pairs)]


@pytest.mark.parametrize("kind", sorted(TIMES))
def test_model_times_are_those_of_the_processor(kind: str, family: Family) -> None:
    request, made = family.build(TIMES[kind])
    assert decoded_times(family, made) == list(request.model_times)


@given(gaps=st.lists(st.floats(0.001, 2.0), min_size=1, max_size=9))
def test_model_times_are_those_of_the_processor_for_any_frame_times(
    gaps: list[float], family: Family
) -> None:
    request, made = family.build(np.cumsum([0.0, *gaps]))
    assert decoded_times(family, made) == list(request.model_times)


def test_model_times_are_true_on_an_even_grid(family: Family) -> None:
    request, _ = family.build(EVEN)
    if family.name == "qwen3_vl":
        assert np.abs(np.array(request.model_times) - (EVEN[::2] + EVEN[1::2]) / 2).max() <= 0.05001
    else:
        assert list(request.model_times) == list(EVEN[::2])


def test_model_times_at_film_rate_are_not_half_a_second_early(family: Family) -> None:
    times = TIMES["film"]
    request, _ = family.build(times)
    starts = times[::2] if family.name == "qwen2_5_vl" else (times[::2] + times[1::2]) / 2
    assert np.abs(np.array(request.model_times) - starts).max() < 0.06


def test_uneven_times_are_kept_as_far_as_the_family_allows(family: Family) -> None:
    request, _ = family.build(UNEVEN)
    if family.name == "qwen3_vl":
        assert request.model_times == (0.2, 1.3, 2.5, 4.0)
    else:  # a grid: the true starts are 0, 1.1, 2.2, 4.0
        steps = np.diff(request.model_times)
        assert steps.max() - steps.min() <= 0.5


def test_the_processor_neither_resizes_nor_samples(family: Family) -> None:
    request, made = family.build(EVEN)
    pairs, rows, columns = made.tensors["video_grid_thw"][0].tolist()
    patch = family.adapter.factor // 2  # type: ignore[attr-defined]
    assert request.frames.array.shape[:3] == (pairs * 2, rows * patch, columns * patch)


def test_vision_markers_enclose_visual_tokens_only(family: Family) -> None:
    _, made = family.build(EVEN)
    text = family.processor.tokenizer.decode(made.ids)
    groups = len(EVEN) // 2 if family.name == "qwen3_vl" else 1
    assert len(re.findall(r"<\|vision_start\|>(<\|video_pad\|>)+<\|vision_end\|>", text)) == groups
    assert text.count("<|vision_start|>") == text.count("<|vision_end|>") == groups


def messages(system: str, content: list[dict[str, str]]) -> list[dict[str, Any]]:
    user = [{"role": "user", "content": content}]
    return [{"role": "system", "content": system}, *user] if system else user


@pytest.mark.parametrize("system", ["", "You find moments."])
@pytest.mark.parametrize("layout", ["video-first", "text-first"])
def test_the_prompt_follows_the_checkpoints_chat_template(
    system: str, layout: Any, family: Family
) -> None:
    rule = PromptRule(text="When: {query}", system=system, layout=layout)
    frames = make_frames(family.adapter, EVEN)
    made = family.adapter.request(
        sample("s", "it stops"), frames, replace(PROTOCOL, prompt=rule)
    ).prompt
    content = [{"type": "video"}, {"type": "text", "text": "When: it stops"}]
    if layout == "text-first":
        content.reverse()
    written = family.processor.apply_chat_template(
        messages(system, content), add_generation_prompt=True, tokenize=False
    )
    if family.name == "qwen3_vl":  # the processor puts markers around each frame pair
        written = written.replace("<|vision_start|><|video_pad|><|vision_end|>", "<|video_pad|>")
    assert made == written
    default = "You are a helpful assistant." if family.name == "qwen2_5_vl" else ""
    expected = system or default
    assert made.startswith(f"<|im_start|>system\n{expected}" if expected else "<|im_start|>user")


@given(
    parts=st.lists(
        st.sampled_from(
            ["<|im_end|>", "<|video_pad|>", "<|im_", "end|>", "<|vision_start|>", "<", "|", "x "]
        ),
        max_size=8,
    )
)
def test_a_query_cannot_smuggle_control_tokens(parts: list[str], family: Family) -> None:
    plain, honest = family.build(EVEN, "x")
    request, made = family.build(EVEN, "".join(parts))
    special = set(family.processor.tokenizer.added_tokens_decoder)

    def control(ids: list[int]) -> list[int]:
        return [token for token in ids if token in special]

    assert control(made.ids) == control(honest.ids)
    assert plain.escaped == 0
    assert request.escaped >= sum(part.endswith("|>") and part != "end|>" for part in parts)


def test_lower_case_cannot_make_a_control_token(family: Family) -> None:
    rule = PromptRule(text="{query}", query="lower-sentence")
    frames = make_frames(family.adapter, EVEN)
    request = family.adapter.request(
        sample("s", "<|VIDEO_PAD|>"), frames, replace(PROTOCOL, prompt=rule)
    )
    assert request.escaped == 1
    assert family.builder.build(request).ids


def test_a_checkpoint_without_template_is_refused(family: Family, tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["Qwen3VLForConditionalGeneration"]}')
    with pytest.raises(UserError, match="chat template"):
        make_adapter(tmp_path)
