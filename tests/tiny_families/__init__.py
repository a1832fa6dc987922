"""Tiny random checkpoints, one module a family, for tests that run the real engines.

A module defines `FAMILY`. Its `build` writes the checkpoint: config class, real processor, a
tokenizer with the family's special tokens, the structure of its chat template.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from tests.tiny_families.family import TinyFamily


def tiny_families() -> dict[str, TinyFamily]:
    """Return all families by the names of their modules."""
    modules = {
        info.name: import_module(f"{__name__}.{info.name}")
        for info in pkgutil.iter_modules(__path__)
    }
    return {
        name: module.FAMILY for name, module in sorted(modules.items()) if hasattr(module, "FAMILY")
    }
