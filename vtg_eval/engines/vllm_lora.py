"""A LoRA in vLLM: the arguments it needs, and the proof that vLLM applies all of it.

vLLM 0.32 leaves out, without an error, weights of modules that it has not prepared for LoRA: the
vision tower's unless `enable_tower_connector_lora` is set and the model's class has support for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from vllm import LLM, ModelRegistry
from vllm.config.lora import MaxLoRARanks
from vllm.engine.arg_utils import EngineArgs
from vllm.lora.request import LoRARequest
from vllm.model_executor.models import supports_lora

from vtg_eval.engines.lora_files import PREFIX, LoraFiles
from vtg_eval.engines.weight_files import MERGE
from vtg_eval.errors import UserError

RANKS: tuple[int, ...] = get_args(MaxLoRARanks)
NUMBER = 1  # vLLM's number for the one LoRA of an engine
# Components of the names of modules that belong to the language model, in the present and the
# first names of transformers.
LANGUAGE_MODEL, FIRST_LAYERS = "language_model", "model.layers."
HEADS = ("lm_head", "embed_tokens")
OTHERWISE = f"Run it with --engine transformers. Or: {MERGE}."


class LoraReport:
    """What vLLM's workers tell of a LoRA; vLLM adds this class to that of its workers."""

    model_runner: Any

    def unapplied_lora_modules(self) -> list[str]:
        """Return the modules for which the LoRA has weights and the model no place."""
        manager = self.model_runner.lora_manager._adapter_manager
        return sorted(manager.get_adapter(NUMBER).loras.keys() - manager.modules.keys())


def lora_arguments(lora: LoraFiles) -> dict[str, Any]:
    """Return the engine arguments that a LoRA needs; raises UserError for too high a rank."""
    rank = next((rank for rank in RANKS if rank >= lora.rank), None)
    if rank is None:
        raise UserError(
            f"{lora.folder} has the rank {lora.rank}; vLLM's limit is {RANKS[-1]}. {OTHERWISE}"
        )
    return {
        "enable_lora": True,
        "max_lora_rank": rank,
        "enable_tower_connector_lora": bool(_vision_modules(lora)),
        "worker_extension_cls": f"{LoraReport.__module__}.{LoraReport.__qualname__}",
    }


def check_lora(lora: LoraFiles, base: Path, trust: bool) -> None:
    """Raise UserError for a LoRA that vLLM would refuse, or not apply in full."""
    lora_arguments(lora)
    heads = [m for m in _modules(lora) if m.rpartition(".")[2] in HEADS]
    whole = (*lora.saved_modules, *heads)
    if whole:
        raise UserError(f"{lora.folder} changes {whole[0]}, which vLLM does not apply. {OTHERWISE}")
    config = EngineArgs(model=str(base), trust_remote_code=trust).create_model_config()
    kind, _ = ModelRegistry.resolve_model_cls(config.architectures, config)
    vision = _vision_modules(lora)
    if not supports_lora(kind) or (vision and not kind.supports_tower_connector_lora):
        part = vision[0] if vision else next(iter(_modules(lora)))
        raise UserError(
            f"{lora.folder} changes {part}; vLLM applies no LoRA to that part of {kind.__name__}. "
            f"{OTHERWISE}"
        )


def start_lora(llm: LLM, folder: Path | None) -> LoRARequest | None:
    """Load a LoRA and return what requests need to use it; None for no folder.

    Raises UserError where vLLM would leave out a part of it.
    """
    if folder is None:
        return None
    request = LoRARequest(folder.resolve().name, NUMBER, str(folder.resolve()))
    llm.llm_engine.add_lora(request)
    for unapplied in llm.llm_engine.collective_rpc(LoraReport.unapplied_lora_modules.__name__):
        if unapplied:
            raise UserError(
                f"vLLM would not apply {len(unapplied)} modules of {folder} ({unapplied[0]}, …). "
                f"{OTHERWISE}"
            )
    return request


def _modules(lora: LoraFiles) -> dict[str, None]:
    """Return the modules that the LoRA changes, under the names in its file, in order."""
    names = (name.removeprefix(PREFIX) for name in lora.weights)
    return {name.partition(".lora_")[0]: None for name in names if ".lora_" in name}


def _vision_modules(lora: LoraFiles) -> list[str]:
    """Return the modules outside the language model."""
    return [
        module
        for module in _modules(lora)
        if LANGUAGE_MODEL not in module.split(".") and not module.startswith(FIRST_LAYERS)
    ]
