"""A recipe's working folder: what each stage reads and writes there.

data.json           the owner record of the data; another recipe is refused
data.jsonl          samples of difficulty and RL, with a video and a valid label
cold-start.jsonl    those of supervised fine-tuning
data.md             what was left out and why
leaks.jsonl         each sample on a video of a held-out task, where there is one
difficulty/         difficulty.jsonl: the samples with their difficulties
sft/, rl/           the folders of these stages; `checkpoint` in each is the result
difficulty-2/, …    those of the further rounds of RL, and rl-2/, …
evaluation/         the scores of the start checkpoint and of the trained one
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.files.json_files import plain_json, read_object, write_json
from vtg_eval.files.owned_folder import REMEDY, lock_folder, require_same
from vtg_eval.registry import Registry

from .data.held_out import check_readable, held_out_tasks
from .data.leaks import installed_splits
from .data.pools import stage_samples
from .data.sample import TrainingSample, load_samples, write_samples
from .data.selection import Selected, select_samples
from .recipe import CurationRule, Recipe, SelectionRule, recorded

BEFORE_DATA = ("recipe.toml", "run.json", "leaks.jsonl")  # files that may exist before data.json


class Workspace(NamedTuple):
    """A recipe and the folder it works in."""

    recipe: Recipe
    folder: Path

    @property
    def data(self) -> Path:
        """The samples of difficulty and RL."""
        return self.folder / "data.jsonl"

    @property
    def record(self) -> Path:
        """The owner record: what the data is made of, and its counts once it is complete."""
        return self.folder / "data.json"

    @property
    def data_report(self) -> Path:
        """What was left out and why."""
        return self.folder / "data.md"

    @property
    def leaks(self) -> Path:
        """Each sample on a video of a held-out task."""
        return self.folder / "leaks.jsonl"

    @property
    def cold_start(self) -> Path:
        """The samples of supervised fine-tuning."""
        return self.folder / "cold-start.jsonl"

    @property
    def sft(self) -> Path:
        """The folder of supervised fine-tuning."""
        return self.folder / "sft"

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds of difficulty and RL, one or more."""
        count = self.recipe.rl.rounds if self.recipe.rl else 1
        return tuple(Round(self, number) for number in range(1, count + 1))

    def round(self, number: int) -> Round:
        """Return a round, counted from 1; raises UserError where the recipe has fewer."""
        if number > len(self.rounds):
            raise UserError(
                f"The recipe {self.recipe.name} has no round {number}: rl.rounds is "
                f"{len(self.rounds)}."
            )
        return self.rounds[number - 1]

    def lock(self) -> AbstractContextManager[None]:
        """Lock the folder for this process, as `lock_folder` does."""
        return lock_folder(self.record, "working folder of a recipe", BEFORE_DATA)

    def video(self, sample: TrainingSample) -> Path:
        """Return where a sample's video is."""
        return Path(self.recipe.data.videos) / sample.video


class Round(NamedTuple):
    """A round of RL: difficulty by the current weights, then training. number: from 1."""

    workspace: Workspace
    number: int

    @property
    def difficulty(self) -> Path:
        """The samples with their difficulties."""
        return self._folder("difficulty") / "difficulty.jsonl"

    @property
    def rl(self) -> Path:
        """The folder of reinforcement learning."""
        return self._folder("rl")

    def recipe(self) -> Recipe:
        """Return the recipe as this round uses it.

        It starts from the checkpoint of the round before, the first one from that of [sft] if
        there is one, and has its share of the steps and a seed of its own. Raises UserError where
        the checkpoint does not exist yet.
        """
        recipe = self.workspace.recipe
        rl = recipe.rl and replace(
            recipe.rl, steps=recipe.rl.round_steps, rounds=1, seed=self._seed(recipe.rl.seed)
        )
        return replace(recipe, model=replace(recipe.model, checkpoint=self._start()), rl=rl)

    def selected(self) -> Selected:
        """Return the samples for RL, in order; raises UserError where a stage was not run."""
        recipe = self.workspace.recipe
        if recipe.difficulty is None:
            samples = written_by("curate", self.workspace.data)
        else:
            samples = written_by(self._command("difficulty"), self.difficulty)
        rule = recipe.selection or SelectionRule()
        return select_samples(samples, replace(rule, seed=self._seed(rule.seed)))

    def _start(self) -> str:
        recipe, number = self.workspace.recipe, self.number
        if number == 1 and recipe.sft is None:
            return recipe.model.checkpoint
        if number == 1:
            folder, command = self.workspace.sft, "sft"
        else:
            before = Round(self.workspace, number - 1)
            folder, command = before.rl, before._command("rl")
        checkpoint = folder / "checkpoint"
        if not checkpoint.is_dir():
            raise UserError(f"{checkpoint} does not exist yet: run vtg-train {command} first.")
        return str(checkpoint)

    def _command(self, stage: str) -> str:
        return " ".join([stage, *round_arguments(self.number)])

    def _folder(self, stage: str) -> Path:
        return self.workspace.folder / round_name(stage, self.number)

    def _seed(self, seed: int) -> int:
        """Return the recipe's seed in the first round, another one in each of the others."""
        if self.number == 1:
            return seed
        return int(np.random.SeedSequence((seed, self.number)).generate_state(1)[0])


def round_name(stage: str, number: int) -> str:
    """Return the name of a stage in a round, also of its folder: "rl", "rl-2", …"""
    return stage if number == 1 else f"{stage}-{number}"


def round_arguments(number: int) -> list[str]:
    """Return what names a round on the command line of a stage."""
    return [] if number == 1 else ["--round", str(number)]


class Curation(NamedTuple):
    """Counts of samples (read, kept for difficulty and RL, kept for SFT), and the report."""

    read: int
    kept: int
    cold_start: int
    report: str


def run_curation(workspace: Workspace, registry: Registry) -> Curation:
    """Lock the folder and curate in it.

    Raises UserError as `curate_data` does, and where another process uses the folder or it holds
    something else.
    """
    with workspace.lock():
        return curate_data(workspace, registry)


def curate_data(workspace: Workspace, registry: Registry) -> Curation:
    """Check and filter the recipe's data and write what is kept, in a locked folder.

    The same recipe on the same data returns the earlier result. Raises UserError as `stage_samples`
    does, and where the folder holds the data of another recipe.
    """
    metadata = data_metadata(workspace.recipe)
    finished = _finished(workspace, metadata)
    if finished is not None:
        return finished
    evaluation = installed_splits(registry)
    held_out = held_out_tasks(workspace.recipe, registry)
    check_readable(workspace.recipe, evaluation)
    samples = stage_samples(workspace.recipe, evaluation, held_out, workspace.leaks)
    for path in (workspace.data, workspace.cold_start, workspace.data_report):
        path.unlink(missing_ok=True)  # left by an interrupted curation of the same data
    write_json(workspace.record, {"of": metadata})
    write_samples(workspace.data, samples.rl)
    write_samples(workspace.cold_start, samples.cold_start)
    write_text(workspace.data_report, samples.report)
    counts = (samples.read, len(samples.rl), len(samples.cold_start))
    write_json(workspace.record, {"of": metadata, "counts": counts})
    return Curation(*counts, samples.report)


def require_curated(workspace: Workspace) -> None:
    """Raise UserError where the folder has no complete data, or that of another recipe."""
    exists = workspace.record.is_file()
    if not exists or _finished(workspace, data_metadata(workspace.recipe)) is None:
        raise UserError(f"{workspace.data} does not exist yet: run vtg-train curate first.")


def written_by(command: str, path: Path) -> tuple[TrainingSample, ...]:
    """Read the samples that a command wrote; raises UserError where it was not run."""
    if not path.is_file():
        raise UserError(f"{path} does not exist yet: run vtg-train {command} first.")
    return load_samples([path])


def data_metadata(recipe: Recipe) -> dict[str, object]:
    """Return all that the result of a curation depends on.

    `data.shared` is absent: it decides whether samples may be in both stages, not which they are.
    """
    data = recipe.data
    files = dict.fromkeys((*data.train, *data.cold_start, *data.rl))
    return plain_json(
        {
            "data": recorded(replace(data, shared=False)),
            "curation": recorded(recipe.curation or CurationRule()),
            "files": [sha256(_bytes(Path(name))).hexdigest() for name in files],
        }
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UserError(f"The training data {path} cannot be read: {exc.strerror}.") from exc


def _finished(workspace: Workspace, metadata: dict[str, object]) -> Curation | None:
    """Return the curation in the folder, None where it is not complete.

    Raises UserError for the curation of another recipe.
    """
    if not workspace.record.is_file():
        return None
    table = read_object(workspace.record, REMEDY)
    try:
        recorded, counts = dict(table["of"]), table.get("counts")
        report = workspace.data_report.read_text(encoding="utf-8") if counts else ""
        read, kept, cold_start = counts or (0, 0, 0)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise UserError(f"{workspace.record} cannot be read: {exc}. {REMEDY}") from exc
    require_same(workspace.folder, recorded, metadata)
    return Curation(read, kept, cold_start, report) if counts else None
