"""Where things are: benchmarks, the cache, runs."""

from __future__ import annotations

import os
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.task import Task

DATA_VARIABLE = "VTG_EVAL_DATA"
CACHE_VARIABLE = "VTG_EVAL_CACHE"
DATA_FOLDER = Path("data")
RUNS_FOLDER = Path("runs")


def cache_folder() -> Path:
    """Return $VTG_EVAL_CACHE, else vtg-eval in the user's cache folder."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vtg-eval"


def data_root(task: Task, given: Path | None) -> Path:
    """Return the data root for a task: `given`, else $VTG_EVAL_DATA, else ./data.

    A benchmark that is generated goes to the cache folder where neither is given. Raises
    UserError for a root that is named and is not there.
    """
    named = given or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if named is not None:
        if not named.is_dir():
            raise UserError(f"The data root {named} is not a folder. Name another by --data-root.")
        return named
    if type(task).prepare is Task.prepare:
        return DATA_FOLDER
    root = cache_folder() / "data"
    (root / task.card.name).mkdir(parents=True, exist_ok=True)
    return root
