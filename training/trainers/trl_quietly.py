"""TRL's classes, without what its import says about vLLM, Triton and CUDA."""

from __future__ import annotations

from vtg_eval.engines.quiet import captured_stderr

with captured_stderr():
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

__all__ = ["GRPOConfig", "GRPOTrainer", "SFTConfig", "SFTTrainer"]
