"""The engine of a run: chosen once, started when first needed, kept from task to task."""

from __future__ import annotations

from pathlib import Path

from vtg_eval.engines.base import Engine, EngineOptions
from vtg_eval.protocol import GenerationRule
from vtg_eval.registry import Registry
from vtg_eval.run.setup import Model


class EngineCache:
    """Starts the engine for a rule of generation; another rule needs another engine."""

    def __init__(self, registry: Registry, model: Model, options: EngineOptions) -> None:
        self._registry = registry
        self._model = model
        self._options = options
        self._rule: GenerationRule | None = None
        self._engine: Engine | None = None

    def engine(self, rule: GenerationRule) -> Engine:
        """Return the running engine for that rule; raises UserError where it cannot start."""
        if self._engine is None or self._rule != rule:
            self.close()
            make: type[Engine] = self._registry.engine(self._model.engine)
            self._engine = make(self._model.checkpoint.path or Path(), rule, self._options)
            self._rule = rule
        return self._engine

    def close(self) -> None:
        """Stop the engine, if one runs."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
