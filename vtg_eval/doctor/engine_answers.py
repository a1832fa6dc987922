"""The same requests through one engine: what it gives the model, and what the model answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.checkpoint.resolve import PREFERRED_ENGINES
from vtg_eval.engines.base import Completion, EngineInput, EngineOptions, Request
from vtg_eval.errors import UserError
from vtg_eval.protocol import GenerationRule
from vtg_eval.registry import Registry
from vtg_eval.run.inference import options_for

ENGINE_MODULES = dict(PREFERRED_ENGINES)
ANSWER = GenerationRule(max_new_tokens=16)


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """One request's answer. `given`: what the model got; None where the engine does not show it."""

    completion: Completion
    given: EngineInput | None


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A checkpoint in a folder, with its adapter. trust: whether it may run code of its own."""

    checkpoint: Checkpoint
    adapter: Adapter
    trust: bool = False


def installed_engines(registry: Registry) -> list[str]:
    """Return the engines for checkpoints that can be imported."""
    return [
        name
        for name, module in ENGINE_MODULES.items()
        if name in registry.engines and find_spec(module) is not None
    ]


def engine_names(text: str | None, registry: Registry) -> list[str]:
    """Return the engines that a user lists, or all that are installed; raises UserError."""
    if text is None:
        return installed_engines(registry)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        registry.entry("engine", name)
    if not names or len(set(names)) < len(names):
        raise UserError("--engines needs names, each once: --engines transformers,vllm")
    return names


def answers(
    engine: str, model: LoadedModel, requests: Sequence[Request], registry: Registry
) -> Mapping[str, EngineAnswer]:
    """Start an engine, answer the requests, stop it; returns the answers by sample id.

    Raises UserError where the engine cannot run the checkpoint.
    """
    folder = model.checkpoint.path
    assert folder is not None
    options = EngineOptions(trust_remote_code=model.trust)
    options = options_for(model.checkpoint, model.adapter, options)
    made: Any = registry.engine(engine)
    made.check(folder, options, lambda: requests[0])
    with closing(made(folder, ANSWER, options)) as running:
        given = {request.sample_id: running.model_input(request) for request in requests}
        completions = {c.sample_id: c for c in running.generate(requests)}
    return {key: EngineAnswer(completions[key], given[key]) for key in given}
