"""MiniCPM-V 4.6: see `tests.tiny_families.minicpmv`."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    MiniCPMV4_6Config,
    MiniCPMV4_6ForConditionalGeneration,
    MiniCPMV4_6Processor,
)

from tests.tiny_families.family import TinyFamily
from tests.tiny_families.minicpmv import build_minicpmv


def build(folder: Path) -> Path:
    """Write a random MiniCPM-V 4.6 into the folder."""
    return build_minicpmv(
        MiniCPMV4_6Config, MiniCPMV4_6ForConditionalGeneration, MiniCPMV4_6Processor, folder
    )


FAMILY = TinyFamily(build, in_bfloat16=True)
