"""Times of frames that vLLM writes into prompts: those of the metadata, not cut to seconds.

vLLM writes the time stamps of GLM-V prompts by itself. The processor of GLM-4.6V tells tenths of a
second, "1.5 seconds"; vLLM 0.32 tells "1.0 seconds" there, for any frame from 1 s to 2 s.
`patch_frame_times` restores what the processor tells.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

PAIR = 2
MODULE = "vllm.model_executor.models.glm4_1v"
OWNER, METHOD = "Glm4vProcessingInfo", "_get_video_second_idx_glm46v"


def patch_frame_times() -> None:
    """Replace vLLM's computation where the loaded model uses it; call it once a model is loaded."""
    owner = getattr(sys.modules.get(MODULE), OWNER, None)
    if hasattr(owner, METHOD):
        setattr(owner, METHOD, _pair_starts)


def _pair_starts(_info: Any, metadata: Mapping[str, Any], _frames: int) -> list[float]:
    """Return the time (seconds) of the first frame of each pair."""
    return [index / metadata["fps"] for index in metadata["frames_indices"][::PAIR]]
