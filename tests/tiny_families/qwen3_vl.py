"""Tiny checkpoint: see `tests.tiny_checkpoints`."""

from __future__ import annotations

from tests.tiny_checkpoints import tiny_qwen3_vl
from tests.tiny_families.family import TinyFamily

FAMILY = TinyFamily(tiny_qwen3_vl)
