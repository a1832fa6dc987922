"""A group behind one copy of its prompt: every answer sees the prompt and itself, nothing else."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs the extra train")

import torch
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.trainers.shared_prompt import IGNORED, pack


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 5))
def test_each_answer_token_is_predicted_from_its_prompt_and_its_own_past(
    before: int, count: int, length: int
) -> None:
    prompt = torch.arange(before)
    answers = 100 + torch.arange(count * length).view(count, length)
    positions = torch.arange(before + length).repeat(3, 1)
    row = pack(prompt, answers, positions)
    ids, labels = row.ids[0], row.labels[0]
    assert len(ids) == before - 1 + count * length
    predicted = [index for index, label in enumerate(labels.tolist()) if label != IGNORED]
    assert labels[predicted].view(count, length).equal(answers)
    for index in predicted:
        number, step = divmod(index - (before - 1), length)
        visible = row.mask[0, 0, index]
        context = torch.cat([prompt, answers[number, :step]])
        assert ids[visible].equal(context)
        assert row.positions[:, 0, visible].equal(positions[:, : len(context)])
