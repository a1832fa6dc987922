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
    frame_tokens: the tokens in the places of frames in transformers' and in vLLM's prompts, where
    they differ. The model reads the frames there, whatever the token. in_bfloat16: vLLM runs the
    family on a CPU in bfloat16 only, so that some answers differ by rounding from those in float32.
    vllm_alone: vLLM changes transformers' classes for it, so it runs in a process of its own.
    """

    build: Callable[[Path], Path]
    no_transformers: str = ""
    no_vllm: str = ""
    frame_tokens: tuple[str, str] | None = None
    in_bfloat16: bool = False
    vllm_alone: bool = False
