"""Rollouts by vLLM in the trainer's process, with the weights that the trainer has at each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import GatheredParameters
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch.distributed.tensor import DTensor

from vtg_eval.engines.base import EngineOptions, Request
from vtg_eval.errors import UserError
from vtg_eval.protocol import GenerationRule

from ..recipe import AT_ONCE, RlRule
from .batches import StartCheckpoint

if TYPE_CHECKING:
    from vtg_eval.engines.vllm_rollouts import SampledAnswer


class VllmRollouts:
    """Answers of the policy. answers: of one step, in this process.

    The engine sleeps while the trainer computes. Raises UserError where vLLM is not installed, or
    cannot load the checkpoint.
    """

    def __init__(
        self,
        source: StartCheckpoint,
        rule: RlRule,
        dtype: str,
        answers: int,
        suppressed: Sequence[int],
    ) -> None:
        try:  # an optional extra
            from vtg_eval.engines.vllm_rollouts import RolloutEngine
        except ImportError as exc:
            raise UserError(f"rl.rollouts is {rule.rollouts}: {exc}") from exc
        generation = GenerationRule(
            max_new_tokens=rule.max_new_tokens, decoding="sample", temperature=rule.temperature
        )
        options = EngineOptions(
            dtype=dtype, seed=rule.seed, extra={"max_num_seqs": min(answers, AT_ONCE)}
        )
        self._engine = RolloutEngine(source.folder, generation, options, suppressed)
        self._step: int | None = None  # whose weights the engine has
        self._engine.sleep()

    def answers(self, requests: Sequence[Request], model: Any, step: int) -> list[SampledAnswer]:
        """Return the policy's answers. model: the policy after `step` steps, unwrapped."""
        self._engine.wake()
        try:
            if step != self._step:
                self.sync(model)
                self._step = step
            return self._engine.answers(requests)
        finally:
            self._engine.sleep()

    def sync(self, model: Any) -> None:
        """Give the engine the policy's weights."""
        with torch.no_grad():
            self._engine.reload(whole_weights(model))

    def close(self) -> None:
        """End the engine."""
        self._engine.close()


def whole_weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield a model's weights by their names in `state_dict`, adapters merged into them."""
    if not isinstance(model, PeftModel):
        # where ZeRO-3 divides them, those of `state_dict` are empty
        parameters = dict(model.named_parameters(remove_duplicate=False))
        for name, tensor in model.state_dict().items():
            yield name, _gathered(parameters.get(name, tensor))
        return
    inner, active = model.get_base_model(), model.active_adapter
    adapted = {name: part for name, part in inner.named_modules() if isinstance(part, LoraLayer)}
    for name, stored in inner.state_dict().items():
        tensor = _gathered(stored)
        owner, base, part = name.rpartition(".base_layer.")
        if base:
            merged = part == "weight"
            yield f"{owner}.{part}", tensor + _delta(adapted[owner], active) if merged else tensor
        elif ".lora_" not in name:
            yield name, tensor


def _delta(layer: Any, adapter: str) -> torch.Tensor:
    """Return what an adapter adds to a layer's weight, in the weight's dtype."""
    return _gathered(layer.get_delta_weight(adapter)).to(layer.weight.dtype)


def _gathered(tensor: torch.Tensor) -> torch.Tensor:
    """Return a weight whole where it is divided among processes; all of them call this."""
    if isinstance(tensor, DTensor):  # FSDP2
        return tensor.full_tensor()
    if hasattr(tensor, "ds_id"):  # ZeRO-3
        with GatheredParameters([tensor]):
            return tensor.data.clone()
    return tensor
