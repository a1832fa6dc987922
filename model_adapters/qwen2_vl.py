"""Qwen2-VL: the rotary positions count frame pairs, so no time reaches the model by itself."""

from __future__ import annotations

from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule

from .qwen import QwenAdapter


class Qwen2VLAdapter(QwenAdapter):
    """Any checkpoint of the architecture Qwen2VLForConditionalGeneration."""

    patch_size = 14
    time_encoding = TimeEncoding(TimeRule.NOTHING)
