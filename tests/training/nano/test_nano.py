"""Training of nano: what is packed together for speed is what the model sees in evaluation."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch
from transformers import Qwen3VLForConditionalGeneration
from vtg_eval.training.nano import __main__ as nano
from vtg_eval.training.nano import step as nano_step
from vtg_eval.training.nano.data import COLOURS, TRAITS, Clip, ClipMaker, answer_text
from vtg_eval.training.nano.model import (
    VIDEO,
    build_config,
    build_processor,
    build_tokenizer,
    load_tokenizer,
    save_checkpoint,
)

from vtg_eval.types import Sample, Span, Target

EASES = (1.0, 0.7, 0.4)


@pytest.fixture(scope="module")
def maker() -> ClipMaker:
    texts = ["When does this happen in the video: A red circle is on screen."] * 3
    return ClipMaker(build_tokenizer(texts, phrases=[" seconds>"]), questions=3)


@pytest.fixture(scope="module")
def clips(maker: ClipMaker) -> list[Clip]:
    return [maker.clip("test-nano", i, ease, descriptions=1) for i, ease in enumerate(EASES)]


@pytest.fixture(scope="module")
def model(maker: ClipMaker) -> Any:
    torch.manual_seed(0)
    return Qwen3VLForConditionalGeneration(build_config(maker.tokenizer)).eval()


def test_questions_packed_behind_one_video_are_blind_to_each_other(
    maker: ClipMaker, clips: list[Clip], model: Any, tmp_path: Path
) -> None:
    """Logits equal those of each question alone, by the library's own positions and masks."""
    save_checkpoint(model, maker.tokenizer, tmp_path)
    plain, packed = (
        Qwen3VLForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float32).eval()
        for _ in range(2)
    )
    nano_step.use_even_chunks(packed)
    processor = build_processor(maker.tokenizer)
    with torch.no_grad():
        logits, _ = nano_step.forward(packed, maker.batch(clips))
    for row, clip in enumerate(clips):
        seen = processor.video_processor(
            videos=[clip.frames],
            do_sample_frames=False,
            do_resize=False,
            cap_pixels_per_frame=False,
            return_tensors="pt",
        )
        end = len(clip.video)
        for tail in clip.tails:
            ids = torch.from_numpy(np.append(clip.video, tail))[None]
            video = ids == maker.tokenizer.convert_tokens_to_ids(VIDEO)
            with torch.no_grad():
                alone = plain(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    mm_token_type_ids=video.int() * 2,
                    pixel_values_videos=seen["pixel_values_videos"],
                    video_grid_thw=seen["video_grid_thw"],
                ).logits[0, len(clip.video) :]
            torch.testing.assert_close(logits[row, end : end + len(tail)], alone, atol=1e-5, rtol=0)
            end += len(tail)


def test_hints_point_into_the_moment(maker: ClipMaker, clips: list[Clip]) -> None:
    for clip in clips:
        for tail, answer, (first, last) in zip(clip.tails, clip.answers, clip.spans, strict=True):
            answer_to_learn = maker.tokenizer.decode(tail[answer:-1])
            if first < 0:
                assert answer_to_learn == "never" or " - " not in answer_to_learn
                continue
            start, end = (float(part) for part in answer_to_learn.split(" - "))
            # a pair covers a second; answers are rounded to half a second
            assert first - 0.5 <= start <= first + 1.0
            assert last - 0.5 <= end <= last + 1.5


def test_traits_say_which_colours_come_and_go(maker: ClipMaker) -> None:
    clip = maker.clip("test-nano", 5)
    seen, new, gone, _ = clip.traits.reshape(-1, 4, len(COLOURS)).transpose(1, 0, 2)
    assert clip.traits.shape[1] == TRAITS
    assert seen.any() and new.any() and gone.any()
    np.testing.assert_array_equal(new[1:], seen[1:] & ~seen[:-1])
    np.testing.assert_array_equal(gone[:-1], seen[:-1] & ~seen[1:])


@pytest.mark.parametrize(
    ("spans", "expected"),
    [((), "never"), (((1.24, 3.9),), "1.0 - 4.0"), (((2.0, 2.1), (5, 6)), "2.0 - 2.5")],
)
def test_answers_to_learn(spans: tuple[Any, ...], expected: str) -> None:
    sample = Sample("s", "v", "q", Target(tuple(Span(*span) for span in spans)))
    assert answer_text(sample) == expected


def test_tokenizer_survives_saving(maker: ClipMaker, model: Any, tmp_path: Path) -> None:
    save_checkpoint(model, maker.tokenizer, tmp_path)
    text = "A Zebra, 12.5 - 20.3 <1.2 seconds> été <|im_end|>"
    again = load_tokenizer(tmp_path)
    assert again(text)["input_ids"] == maker.tokenizer(text)["input_ids"]
    assert again.decode(again(text)["input_ids"]) == text
    assert len(again("1234")["input_ids"]) == 4


def test_a_few_steps_learn_and_leave_a_checkpoint(tmp_path: Path, maker: ClipMaker) -> None:
    torch.manual_seed(0)
    fresh = Qwen3VLForConditionalGeneration(build_config(maker.tokenizer))
    nano_step.use_even_chunks(fresh)
    args = argparse.Namespace(
        out=tmp_path, minutes=5, steps=3, clips=2, workers=0, rate=3e-3, seed=0,
        save_minutes=60, log_seconds=60.0, held_out=1, ramp=1000, first=0, descriptions=0,
    )  # fmt: skip
    trainer = nano.Trainer(fresh.train(), maker, torch.device("cpu"), args)
    before = [p.detach().clone() for p in fresh.parameters()]
    trainer.train()
    trainer.save()
    assert trainer.step == 3
    assert any(not torch.equal(a, b) for a, b in zip(before, fresh.parameters(), strict=True))
    assert (tmp_path / "checkpoint" / "model.safetensors").is_file()
    assert (tmp_path / "checkpoint" / "vtg_eval_profile.toml").is_file()
