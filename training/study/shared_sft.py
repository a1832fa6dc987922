"""The cold start of several arms with one seed is one training: it is run once and copied."""

from __future__ import annotations

import shutil
from pathlib import Path

from vtg_eval.registry import Registry

from ..pipeline import FinishedStages, steps
from ..workspace import Workspace

COPIED = ("training.json", "log.jsonl", "checkpoint")  # of the stage's folder; not its states


def take_over_sft(workspace: Workspace, other: Path, registry: Registry) -> bool:
    """Copy the result of SFT from another training's folder, where all it depends on is the same.

    workspace: in a locked folder. Returns whether the folder has a result of SFT now.
    """
    step = next((s for s in steps(workspace, registry) if s.stage == "sft"), None)
    finished = FinishedStages(workspace.folder)
    if step is None or finished.has(step):
        return step is not None
    theirs = Workspace(workspace.recipe, other).sft
    same = FinishedStages(other).stages.get(step.name) == step.metadata
    if not same or not (theirs / "checkpoint").is_dir() or workspace.sft.exists():
        return False
    part = workspace.folder / "sft.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for name in COPIED:
        source = theirs / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, part / name)
    part.rename(workspace.sft)
    finished.add(step)
    return True
