"""A recipe's working folder: what each stage reads and leaves there.

data.json           whose data the folder holds; another recipe's is refused
data.jsonl          samples that may be trained on: present, of no evaluation video, sound
cold-start.jsonl    those of them that are fit for supervised fine-tuning
data.md             what was left out and why
difficulty/         what the start checkpoint made of each sample, as difficulty.jsonl
sft/, rl/           the stages' own folders; `checkpoint` in each is the result
evaluation/         the scores of the start checkpoint and of the trained one
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.files.json_files import plain_json, read_object, write_json
from vtg_eval.files.owned_folder import REMEDY, lock_folder, require_same
from vtg_eval.registry import Registry

from .data.curation import curate
from .data.label_noise import with_label_noise
from .data.leaks import apply_leaks, find_leaks, installed_splits
from .data.report import curation_table, leak_table
from .data.sample import TrainingSample, load_samples, write_samples
from .data.selection import select_samples
from .recipe import CurationRule, Recipe, SelectionRule

SHOWN = 5  # videos named where some are missing
BEFORE_DATA = ("recipe.toml", "run.json")  # files that may stand there before data.json


class Workspace(NamedTuple):
    """A recipe and the folder it works in."""

    recipe: Recipe
    folder: Path

    @property
    def data(self) -> Path:
        """The samples that may be trained on."""
        return self.folder / "data.jsonl"

    @property
    def record(self) -> Path:
        """The owner record: what the data is made of, and how much it is once it is complete."""
        return self.folder / "data.json"

    @property
    def data_report(self) -> Path:
        """What was left out and why."""
        return self.folder / "data.md"

    @property
    def cold_start(self) -> Path:
        """The samples to fine-tune on."""
        return self.folder / "cold-start.jsonl"

    @property
    def difficulty(self) -> Path:
        """The samples with their difficulties."""
        return self.folder / "difficulty" / "difficulty.jsonl"

    @property
    def sft(self) -> Path:
        """The folder of supervised fine-tuning."""
        return self.folder / "sft"

    @property
    def rl(self) -> Path:
        """The folder of reinforcement learning."""
        return self.folder / "rl"

    def lock(self) -> AbstractContextManager[None]:
        """Hold the folder for this process alone, as `lock_folder` does."""
        return lock_folder(self.record, "working folder of a recipe", BEFORE_DATA)

    def video(self, sample: TrainingSample) -> Path:
        """Return where a sample's video is."""
        return Path(self.recipe.data.videos) / sample.video

    def after_sft(self) -> Recipe:
        """Return the recipe as RL starts from it: from the fine-tuned checkpoint where there is
        [sft]. Raises UserError where that is not done.
        """
        if self.recipe.sft is None:
            return self.recipe
        checkpoint = self.sft / "checkpoint"
        if not checkpoint.is_dir():
            raise UserError(f"{checkpoint} is not there yet: run vtg-train sft first.")
        model = replace(self.recipe.model, checkpoint=str(checkpoint))
        return replace(self.recipe, model=model)


class Curation(NamedTuple):
    """How many samples there were, are left to train on, and to fine-tune on; and the report."""

    read: int
    kept: int
    cold_start: int
    report: str


def run_curation(workspace: Workspace, registry: Registry) -> Curation:
    """Hold the folder and curate in it; raises UserError as `curate_data` does, and where another
    process is at work in the folder or it holds something else.
    """
    with workspace.lock():
        return curate_data(workspace, registry)


def curate_data(workspace: Workspace, registry: Registry) -> Curation:
    """Check and filter the recipe's data and write what is kept, in a folder that is held.

    Filters on reasoning texts are for the cold start only, the others for all. The same recipe on
    the same data again gives back what is there. Raises UserError where too many videos are
    missing, where data leaks and the recipe does not say what to do about it, and where the
    folder holds the data of another recipe.
    """
    metadata = data_metadata(workspace.recipe)
    done = _finished(workspace, metadata)
    if done is not None:
        return done
    read = load_samples(map(Path, workspace.recipe.data.train))
    samples = with_label_noise(read, workspace.recipe.data.label_noise)
    wrong = sum(a != b for a, b in zip(read, samples, strict=True))
    found, missing = present(samples, workspace)
    leaks = find_leaks(found, installed_splits(registry))
    rule = workspace.recipe.curation or CurationRule()
    pool = curate(
        apply_leaks(found, leaks, workspace.recipe.data.leaks),
        replace(rule, reasoning_iou=0.0, format="any"),
    )
    start = curate(pool.kept, rule)
    parts = ["# Leaks", leak_table(leaks), "# Missing videos", missing]
    parts += ["# Labels made wrong on purpose", f"{wrong} of {len(samples)}."] if wrong else []
    parts += ["# Left out of all training", curation_table(pool.report)]
    parts += ["# Left out of the cold start, besides", curation_table(start.report)]
    report = "\n\n".join(parts) + "\n"
    for path in (workspace.data, workspace.cold_start, workspace.data_report):
        path.unlink(missing_ok=True)  # what an interrupted curation of the same data left
    write_json(workspace.record, {"of": metadata})
    write_samples(workspace.data, pool.kept)
    write_samples(workspace.cold_start, start.kept)
    write_text(workspace.data_report, report)
    counts = (len(samples), len(pool.kept), len(start.kept))
    write_json(workspace.record, {"of": metadata, "counts": counts})
    return Curation(*counts, report)


def present(
    samples: Sequence[TrainingSample], workspace: Workspace
) -> tuple[list[TrainingSample], str]:
    """Return the samples whose videos are there, and what is missing in words.

    Raises UserError where a larger share is missing than the recipe lets pass.
    """
    there = {sample.video: workspace.video(sample).is_file() for sample in samples}
    kept = [sample for sample in samples if there[sample.video]]
    gone = [video for video, found in there.items() if not found]
    lost = len(samples) - len(kept)
    data = workspace.recipe.data
    if lost > data.missing_share * len(samples):
        raise UserError(
            f"The videos of {lost} of {len(samples)} samples are missing, and the recipe lets "
            f"{data.missing_share:.0%} pass: {', '.join(gone[:SHOWN])}, looked for "
            f"in {Path(data.videos).resolve()}. Name their folder as videos under "
            "[data], fetch them, or raise missing_share."
        )
    named = "".join(f"\n- {video}" for video in gone)
    return kept, f"{lost} of {len(samples)} samples.{named}"


def curated(path: Path) -> tuple[TrainingSample, ...]:
    """Read the samples that a stage before has left; raises UserError where it has not."""
    if not path.is_file():
        stage = "difficulty" if path.name == "difficulty.jsonl" else "curate"
        raise UserError(f"{path} is not there yet: run vtg-train {stage} first.")
    return load_samples([path])


def selected(workspace: Workspace) -> tuple[TrainingSample, ...]:
    """Return the samples that RL sees, in order; raises UserError where a stage is missing."""
    path = workspace.data if workspace.recipe.difficulty is None else workspace.difficulty
    return select_samples(curated(path), workspace.recipe.selection or SelectionRule())


def data_metadata(recipe: Recipe) -> dict[str, object]:
    """Return what makes two curations the same."""
    digests = [sha256(_bytes(Path(name))).hexdigest() for name in recipe.data.train]
    return plain_json(
        {
            "data": asdict(recipe.data),
            "curation": asdict(recipe.curation or CurationRule()),
            "files": digests,
        }
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UserError(f"The training data {path} cannot be read: {exc.strerror}.") from exc


def _finished(workspace: Workspace, metadata: dict[str, object]) -> Curation | None:
    """Return the curation that is there, None where none is complete; raises UserError for
    another recipe's.
    """
    if not workspace.record.is_file():
        return None
    table = read_object(workspace.record, REMEDY)
    try:
        before, counts = dict(table["of"]), table.get("counts")
        report = workspace.data_report.read_text(encoding="utf-8") if counts else ""
        read, kept, start = counts or (0, 0, 0)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise UserError(f"{workspace.record} cannot be read: {exc}. {REMEDY}") from exc
    require_same(workspace.folder, before, metadata)
    return Curation(read, kept, start, report) if counts else None
