"""GLM-4.1V, 4.5V and 4.6V: the time of each frame pair's first frame is text after the pair."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vtg_eval.adapter import Checkpoint
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import checkpoint_table
from vtg_eval.model_input.smart_resize import PAIR
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule, Times
from vtg_eval.model_input.video_adapter import SmartResizeAdapter

WHOLE_SECONDS = TimeEncoding(
    TimeRule.STAMPS,
    frames=PAIR,
    resolution=1.0,
    rounding="down",
    stamp=r"<\|end_of_image\|>(?P<seconds>\d+)(?=<)",
)
TENTHS = TimeEncoding(
    TimeRule.STAMPS,
    frames=PAIR,
    resolution=0.1,
    stamp=r"<\|end_of_image\|>(?P<seconds>\d+\.\d) seconds",
)
ENCODINGS = {"Glm4vProcessor": WHOLE_SECONDS, "Glm46VProcessor": TENTHS}
PROCESSOR_FILES = (
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "tokenizer_config.json",
)


class Glm4vAdapter(SmartResizeAdapter):
    """A GLM-V checkpoint; GLM-4.6V has the architectures of the older ones, and its own processor.

    GLM-4.1V and 4.5V are told whole seconds, cut off: two frame pairs within a second are told the
    same time. GLM-4.6V is told tenths.
    """

    patch_size = 14
    video = "<|video|>"
    image = "<|begin_of_image|><|image|><|end_of_image|>"

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.time_encoding = ENCODINGS[_processor_class(checkpoint)]
        super().__init__(checkpoint)

    def ticks(self, times: Times) -> npt.NDArray[np.int64]:
        """Return ascending indices: vLLM leaves out frames with the index of an earlier one."""
        numbers = np.arange(len(times))
        ascending: npt.NDArray[np.int64] = (
            np.maximum.accumulate(super().ticks(times) - numbers) + numbers
        )
        return ascending


def _processor_class(checkpoint: Checkpoint) -> str:
    """Return the processor's class, as AutoProcessor finds it; UserError for an unknown one."""
    folder = checkpoint.path
    assert folder is not None
    tables = (checkpoint_table(folder / name) for name in PROCESSOR_FILES)
    names = (table["processor_class"] for table in tables if "processor_class" in table)
    name = next(names, "Glm4vProcessor")
    if name not in ENCODINGS:
        raise UserError(
            f"{checkpoint.reference}: its processor_class is {name!r:.40}; known are "
            f"{' and '.join(ENCODINGS)}. Fetch the checkpoint again."
        )
    return str(name)
