"""Default folders: benchmarks, the cache, runs."""

from __future__ import annotations

import os
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import explained
from vtg_eval.task import Task

DATA_VARIABLE = "VTG_EVAL_DATA"
CACHE_VARIABLE = "VTG_EVAL_CACHE"
DATA_FOLDER = Path("data")
RUNS_FOLDER = Path("runs")


def cache_folder() -> Path:
    """Return $VTG_EVAL_CACHE, else vtg-eval in the user's cache folder."""
    folder = os.environ.get(CACHE_VARIABLE)
    if folder:
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vtg-eval"


def frames_folder() -> Path:
    """Return the folder of decoded frames."""
    return cache_folder() / "frames"


def make_folder(task: Task, root: Path) -> None:
    """Make `root`/<task name>, where a task's files go, unless `root` may be its folder itself.

    It may where it holds files (hidden ones aside) or a folder of videos. Raises UserError.
    """
    entries = root.iterdir() if root.is_dir() else ()
    visible = (entry for entry in entries if not entry.name.startswith("."))
    if any(entry.is_file() or entry.name.startswith("videos") for entry in visible):
        return
    folder = root / task.card.name
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)


def data_root(task: Task, root: Path | None) -> Path:
    """Return the data root for a task: `root`, else $VTG_EVAL_DATA, else ./data.

    A generated benchmark goes to the cache folder where neither is set. Raises UserError for a root
    that is set and is not a folder.
    """
    if root is None and os.environ.get(DATA_VARIABLE):
        root = Path(os.environ[DATA_VARIABLE])
    if root is not None:
        if not root.is_dir():
            raise UserError(f"The data root {root} is not a folder. Name another by --data-root.")
        return root
    if type(task).prepare is Task.prepare:
        return DATA_FOLDER
    root = cache_folder() / "data"
    (root / task.card.name).mkdir(parents=True, exist_ok=True)
    return root
