"""What a family's module says of its tiny checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TinyFamily:
    """A family's tiny checkpoint.

    build: writes it into a folder and returns the folder. no_transformers, no_vllm: the reason
    where the installed version of that engine cannot run the family; "" where it can.
    """

    build: Callable[[Path], Path]
    no_transformers: str = ""
    no_vllm: str = ""
