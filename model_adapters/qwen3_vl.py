"""Qwen3-VL: the time of each frame pair is text before it, `<12.5 seconds>`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vtg_eval.protocol import PromptRule

from .qwen_vl import VIDEO, QwenVLAdapter, Timing

# The processor writes (i + j) / 2 / fps for a pair of frame indices i, j: indices that count
# microseconds give it the frames' own times, also where the frame rate varies.
TICKS = 1_000_000


# The released checkpoints were trained with stamps and frame pairs instead of these three tokens.
# Processors of transformers before 5.10 replace all three; newer ones, and vLLM with them, replace
# the middle token only and leave a second pair of markers around the whole video.
WRAPPED = f"<|vision_start|>{VIDEO}<|vision_end|>"


class Qwen3VLAdapter(QwenVLAdapter):
    """Any checkpoint of the architecture Qwen3VLForConditionalGeneration."""

    patch_size = 16

    def timing(self, times: npt.NDArray[np.float64]) -> Timing:
        """Return microsecond indices; model times are pair means to a tenth, as in the stamps."""
        ticks = [int(tick) for tick in np.rint(times * TICKS)]
        paired = ticks + ticks[-1:] if len(ticks) % 2 else ticks
        means = [
            (i / TICKS + j / TICKS) / 2 for i, j in zip(paired[::2], paired[1::2], strict=True)
        ]
        metadata = {"frames_indices": ticks, "fps": float(TICKS), "total_num_frames": ticks[-1] + 1}
        return Timing(metadata, tuple(float(f"{mean:.1f}") for mean in means))

    def _prompt(self, text: str, rule: PromptRule) -> str:
        return super()._prompt(text, rule).replace(WRAPPED, VIDEO)
