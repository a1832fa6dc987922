"""A recipe's working folder: what each stage reads and writes there.

data.json           the owner record of the data; another recipe is refused
data.jsonl          samples to train on: video present, not in an evaluation split, valid label
cold-start.jsonl    those of them for supervised fine-tuning
data.md             what was left out and why
leaks.jsonl         each sample on a video of a held-out task, where there is one
difficulty/         difficulty.jsonl: the samples with their difficulties
sft/, rl/           the folders of these stages; `checkpoint` in each is the result
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

from .data.curation import curate, with_label_noise
from .data.held_out import check_readable, held_out_tasks
from .data.leaks import apply_leaks, find_leaks, installed_splits, write_leaks
from .data.report import curation_table, leak_table
from .data.sample import TrainingSample, load_samples, write_samples
from .data.selection import select_samples
from .recipe import CurationRule, Recipe, SelectionRule, rule_record

SHOWN = 5  # videos named where some are missing
BEFORE_DATA = ("recipe.toml", "run.json", "leaks.jsonl")  # files that may exist before data.json


class Workspace(NamedTuple):
    """A recipe and the folder it works in."""

    recipe: Recipe
    folder: Path

    @property
    def data(self) -> Path:
        """The samples to train on."""
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
        """Lock the folder for this process, as `lock_folder` does."""
        return lock_folder(self.record, "working folder of a recipe", BEFORE_DATA)

    def video(self, sample: TrainingSample) -> Path:
        """Return where a sample's video is."""
        return Path(self.recipe.data.videos) / sample.video

    def after_sft(self) -> Recipe:
        """Return the recipe as RL uses it: with [sft] it starts from the fine-tuned checkpoint.

        Raises UserError where that checkpoint does not exist yet.
        """
        if self.recipe.sft is None:
            return self.recipe
        checkpoint = self.sft / "checkpoint"
        if not checkpoint.is_dir():
            raise UserError(f"{checkpoint} does not exist yet: run vtg-train sft first.")
        model = replace(self.recipe.model, checkpoint=str(checkpoint))
        return replace(self.recipe, model=model)


class Curation(NamedTuple):
    """Counts of samples (read, kept to train on, kept to fine-tune on), and the report."""

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

    Filters on reasoning texts apply to the cold start only, the others to all samples. The same
    recipe on the same data returns the earlier result. Raises UserError where too many videos are
    missing, where data leaks and the recipe refuses leaks, and where the folder holds the data of
    another recipe.
    """
    metadata = data_metadata(workspace.recipe)
    finished = _finished(workspace, metadata)
    if finished is not None:
        return finished
    labelled = load_samples(map(Path, workspace.recipe.data.train))
    samples = with_label_noise(labelled, workspace.recipe.data.label_noise)
    wrong = sum(a != b for a, b in zip(labelled, samples, strict=True))
    with_video, missing = present(samples, workspace)
    evaluation = installed_splits(registry)
    check_readable(workspace.recipe, evaluation)
    leaks = find_leaks(with_video, evaluation, held_out_tasks(workspace.recipe, registry))
    write_leaks(workspace.leaks, leaks)
    rule = workspace.recipe.curation or CurationRule()
    pool = curate(
        apply_leaks(with_video, leaks, workspace.recipe.data.leaks, workspace.leaks),
        replace(rule, reasoning_iou=0.0, format="any"),
    )
    cold_start = curate(pool.kept, rule)
    parts = ["# Leaks", leak_table(leaks), "# Missing videos", missing]
    parts += ["# Labels made wrong on purpose", f"{wrong} of {len(samples)}."] if wrong else []
    parts += ["# Left out of all training", curation_table(pool.report)]
    parts += ["# Left out of the cold start, besides", curation_table(cold_start.report)]
    report = "\n\n".join(parts) + "\n"
    for path in (workspace.data, workspace.cold_start, workspace.data_report):
        path.unlink(missing_ok=True)  # left by an interrupted curation of the same data
    write_json(workspace.record, {"of": metadata})
    write_samples(workspace.data, pool.kept)
    write_samples(workspace.cold_start, cold_start.kept)
    write_text(workspace.data_report, report)
    counts = (len(samples), len(pool.kept), len(cold_start.kept))
    write_json(workspace.record, {"of": metadata, "counts": counts})
    return Curation(*counts, report)


def present(
    samples: Sequence[TrainingSample], workspace: Workspace
) -> tuple[list[TrainingSample], str]:
    """Return the samples whose videos exist, and a text about the others.

    Raises UserError where more are missing than the recipe allows.
    """
    exists = {sample.video: workspace.video(sample).is_file() for sample in samples}
    kept = [sample for sample in samples if exists[sample.video]]
    missing = [video for video in exists if not exists[video]]
    lost = len(samples) - len(kept)
    data = workspace.recipe.data
    if lost > data.missing_share * len(samples):
        raise UserError(
            f"The videos of {lost} of {len(samples)} samples are missing in "
            f"{Path(data.videos).resolve()}, and the recipe allows {data.missing_share:.0%}: "
            f"{', '.join(missing[:SHOWN])}. Name their folder as videos under [data], fetch them, "
            "or raise missing_share."
        )
    listed = "".join(f"\n- {video}" for video in missing)
    return kept, f"{lost} of {len(samples)} samples.{listed}"


def curated(path: Path) -> tuple[TrainingSample, ...]:
    """Read the samples that an earlier stage wrote; raises UserError where it was not run."""
    if not path.is_file():
        stage = "difficulty" if path.name == "difficulty.jsonl" else "curate"
        raise UserError(f"{path} does not exist yet: run vtg-train {stage} first.")
    return load_samples([path])


def selected(workspace: Workspace) -> tuple[TrainingSample, ...]:
    """Return the samples for RL, in order; raises UserError where an earlier stage was not run."""
    path = workspace.data if workspace.recipe.difficulty is None else workspace.difficulty
    return select_samples(curated(path), workspace.recipe.selection or SelectionRule())


def data_metadata(recipe: Recipe) -> dict[str, object]:
    """Return all that the result of a curation depends on."""
    digests = [sha256(_bytes(Path(name))).hexdigest() for name in recipe.data.train]
    return plain_json(
        {
            "data": rule_record(recipe.data),
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
