"""Qwen2.5-VL: time is a rotary position, an even grid of frame pairs that starts at 0.

The processor derives seconds per pair from the metadata; the model multiplies them with the
pair's number and with `tokens_per_second` (2) and cuts off the fraction, so it knows time in
steps of half a second. It cannot represent frames that are not evenly spaced.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vtg_eval.adapter import Checkpoint

from .qwen_vl import QwenVLAdapter, Timing

PAIR = 2
# Keeps float32 rounding from putting a whole position below itself before it is cut off.
UPWARD = 1 + 1e-6


class Qwen25VLAdapter(QwenVLAdapter):
    """Any checkpoint of the architecture Qwen2_5_VLForConditionalGeneration."""

    patch_size = 14

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.positions_per_second = float(self.vision_setting("tokens_per_second", 2))

    def timing(self, times: npt.NDArray[np.float64]) -> Timing:
        """Return the metadata of the grid with the least error, and that grid as model times."""
        step = self._pair_seconds(times)
        metadata = {
            "frames_indices": list(range(len(times))),
            "fps": PAIR / (step * UPWARD),
            "total_num_frames": len(times),
        }
        return Timing(metadata, tuple(self._grid(step, len(times[::PAIR])).tolist()))

    def _grid(self, step: float, pairs: int) -> npt.NDArray[np.float64]:
        """Return the times (seconds) at which frame pairs start for the model."""
        rate = self.positions_per_second
        times: npt.NDArray[np.float64] = np.floor(np.arange(pairs) * step * UPWARD * rate) / rate
        return times

    def _pair_seconds(self, times: npt.NDArray[np.float64]) -> float:
        """Return the seconds from one pair of frames to the next that fit the true times best.

        The mean is one candidate, the whole position nearest to it the other: with the fraction
        cut off, 0.999 s a pair would put every pair but the first half a second early.
        """
        starts = times[::PAIR]
        unit = 1 / self.positions_per_second
        if len(starts) < 2 or starts[-1] <= starts[0]:
            return PAIR * unit
        mean = float(starts[-1] - starts[0]) / (len(starts) - 1)
        whole = max(round(mean / unit), 1) * unit
        errors = {
            step: float(np.abs(self._grid(step, len(starts)) - starts).max())
            for step in (whole, mean)
        }
        return min(errors, key=errors.__getitem__)
