"""A recipe's working folder: what each stage reads and leaves there.

data.jsonl          samples that may be trained on: present, of no evaluation video, sound
cold-start.jsonl    those of them that are fit for supervised fine-tuning
data.md             what was left out and why
difficulty/         what the start checkpoint made of each sample, as difficulty.jsonl
sft/, rl/           the stages' own folders; `checkpoint` in each is the result
evaluation/         the scores of the start checkpoint and of the trained one
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from vtg_eval.errors import UserError
from vtg_eval.registry import Registry

from .data.curation import curate
from .data.label_noise import with_label_noise
from .data.leaks import apply_leaks, find_leaks, installed_splits
from .data.report import curation_table, leak_table
from .data.sample import TrainingSample, load_samples, write_samples
from .data.selection import select_samples
from .recipe import CurationRule, Recipe, SelectionRule

SHOWN = 5  # videos named where some are missing


class Workspace(NamedTuple):
    """A recipe and the folder it works in."""

    recipe: Recipe
    folder: Path

    @property
    def data(self) -> Path:
        """The samples that may be trained on."""
        return self.folder / "data.jsonl"

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
    """Check and filter the recipe's data and write what is kept.

    Filters on reasoning texts are for the cold start only, the others for all. The same recipe on
    the same data again gives back what is there. Raises UserError where too many videos are
    missing, where data leaks and the recipe does not say what to do about it, and where the
    folder holds the data of another recipe.
    """
    claim = _Claim(workspace, data_facts(workspace.recipe))
    done = claim.result()
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
    claim.make()
    write_samples(workspace.data, pool.kept)
    write_samples(workspace.cold_start, start.kept)
    return claim.finish(Curation(len(samples), len(pool.kept), len(start.kept), report))


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


def data_facts(recipe: Recipe) -> dict[str, object]:
    """Return what makes two curations the same."""
    digests = [sha256(_bytes(Path(name))).hexdigest() for name in recipe.data.train]
    facts = {
        "data": asdict(recipe.data),
        "curation": asdict(recipe.curation or CurationRule()),
        "files": digests,
    }
    plain: dict[str, object] = json.loads(json.dumps(facts))
    return plain


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UserError(f"The training data {path} cannot be read: {exc.strerror}.") from exc


class _Claim:
    """The file data.json: whose data the folder holds, and the counts once they are complete."""

    def __init__(self, workspace: Workspace, facts: dict[str, object]) -> None:
        self.workspace, self.facts = workspace, facts
        self.path = workspace.folder / "data.json"
        self.report = workspace.folder / "data.md"

    def result(self) -> Curation | None:
        """Return what is there, None where nothing is complete; raises UserError for another's."""
        if not self.path.is_file():
            return None
        try:
            before = json.loads(self.path.read_text(encoding="utf-8"))
            same, counts = before["of"] == self.facts, before.get("counts")
            report = self.report.read_text(encoding="utf-8") if counts else ""
            read, kept, start = counts or (0, 0, 0)
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise UserError(f"{self.path} cannot be read: {exc}. Name another folder.") from exc
        if not same:
            raise UserError(
                f"{self.workspace.folder} holds the data of another recipe; name another folder."
            )
        return Curation(read, kept, start, report) if counts else None

    def make(self) -> None:
        """Claim the folder; what an interrupted curation of the same data left there goes.

        Raises UserError where the folder holds files of these names and no claim.
        """
        self.workspace.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.workspace.data, self.workspace.cold_start, self.report):
            if path.exists() and not self.path.is_file():
                raise UserError(f"{path} is there already. Remove it or name another folder.")
            path.unlink(missing_ok=True)
        self._write({"of": self.facts})

    def finish(self, found: Curation) -> Curation:
        """Note that the data is complete."""
        self.report.write_text(found.report, encoding="utf-8")
        self._write({"of": self.facts, "counts": [found.read, found.kept, found.cold_start]})
        return found

    def _write(self, table: dict[str, object]) -> None:
        part = self.path.with_name(f"{self.path.name}.part")
        part.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        part.replace(self.path)
