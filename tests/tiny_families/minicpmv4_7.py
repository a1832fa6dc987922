"""MiniCPM-V 4.7: see `tests.tiny_families.minicpmv`."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    MiniCPMV4_7Config,
    MiniCPMV4_7ForConditionalGeneration,
    MiniCPMV4_7Processor,
)

from tests.tiny_families.family import TinyFamily
from tests.tiny_families.minicpmv import build_minicpmv


def build(folder: Path) -> Path:
    """Write a random MiniCPM-V 4.7 into the folder."""
    return build_minicpmv(
        MiniCPMV4_7Config,
        MiniCPMV4_7ForConditionalGeneration,
        MiniCPMV4_7Processor,
        folder,
        image_start_id="<image>",
        image_end_id="</image>",
        slice_start_id="<slice>",
        slice_end_id="</slice>",
        newline_id="Ċ",
    )


FAMILY = TinyFamily(build, in_bfloat16=True)
