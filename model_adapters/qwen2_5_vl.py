"""Qwen2.5-VL: time is a rotary position, in steps of half a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from vtg_eval.adapter import Checkpoint
from vtg_eval.model_input.rotary_time import UPWARD, grid, pair_seconds
from vtg_eval.model_input.smart_resize import PAIR
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule, Times

from .qwen import QwenAdapter


class Qwen25VLAdapter(QwenAdapter):
    """Any checkpoint of the architecture Qwen2_5_VLForConditionalGeneration.

    rate_setting, rate_part: where config.json has the rotary positions a second; default_rate: if
    it does not.
    """

    patch_size = 14
    rate_setting: ClassVar[str] = "tokens_per_second"
    rate_part: ClassVar[str] = "vision_config"
    default_rate: ClassVar[float] = 2
    time_encoding = TimeEncoding(TimeRule.ROTARY, frames=PAIR, resolution=0.5, rounding="down")

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.rate = float(self.setting(self.rate_setting, self.default_rate, self.rate_part))
        self.time_encoding = replace(self.time_encoding, resolution=1 / self.rate)

    def metadata(self, times: Times) -> Mapping[str, Any]:
        """Return the metadata of the even grid with the least error."""
        step = pair_seconds(times, self.rate)
        return {
            "frames_indices": list(range(len(times))),
            "fps": PAIR / (step * UPWARD),
            "total_num_frames": len(times),
        }

    def processor_times(self, times: Times) -> tuple[float, ...]:
        """Return the times (seconds) of that grid."""
        step = pair_seconds(times, self.rate)
        return tuple(grid(step, len(times[::PAIR]), self.rate).tolist())
