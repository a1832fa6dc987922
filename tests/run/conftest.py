from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import fakes
from vtg_eval.engines.base import EngineOptions
from vtg_eval.run.runner import Outcome, Runner
from vtg_eval.run.setup import RunOptions

Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the fake model on the fake task: run("one", batch_size=2, delay=0.1, limit=3)."""
    checkpoint = fakes.use_home(tmp_path, monkeypatch)

    def run_once(
        folder: str,
        *plugins: Any,
        model: str = str(checkpoint),
        batch_size: int = 4,
        options: dict[str, Any] | None = None,
        **extra: Any,
    ) -> Outcome:
        settings: dict[str, Any] = {"engine": "fake", "decoder": "fake", "quiet": True}
        settings |= {"engine_options": EngineOptions(batch_size=batch_size, extra=extra)}
        run_options = RunOptions(model=model, **(settings | (options or {})))
        with closing(Runner(run_options, fakes.make_registry(fakes, *plugins))) as runner:
            return runner.run(runner.setup("fake_vtg"), tmp_path / folder)

    return run_once
