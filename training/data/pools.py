"""Pools: from the files that [data] names to the samples of SFT, and of difficulty and RL.

The stages take their samples from one pool (`data.train`), or each from its own (`data.cold_start`,
`data.rl`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vtg_eval.errors import UserError

from ..recipe import CurationRule, DataRule, FilterRule, Recipe
from .curation import SHOWN, curate, shared_samples, with_label_noise
from .leaks import Evaluation, apply_leaks, find_leaks
from .report import curation_table, leak_table
from .sample import TrainingSample, load_samples

Samples = tuple[TrainingSample, ...]
Files = tuple[str, ...]


class StageSamples(NamedTuple):
    """What is kept of a recipe's data.

    read: how many samples its files hold. cold_start: samples of SFT; rl: of difficulty and RL.
    report: what was left out and why, as Markdown.
    """

    read: int
    cold_start: Samples
    rl: Samples
    report: str


class _Pool(NamedTuple):
    """The samples of some files: how many, those kept for all stages, the parts of the report."""

    read: int
    kept: Samples
    report: list[str]


def stage_samples(recipe: Recipe, evaluation: Evaluation) -> StageSamples:
    """Read a recipe's samples and return those that each stage keeps.

    The filters of [curation] come first, then those of the stages. Raises UserError where too many
    videos are missing, where data leaks and the recipe refuses leaks, and where SFT and RL have
    samples in common and the recipe does not say that they share them.
    """
    data, rule = recipe.data, recipe.curation or CurationRule()
    named = _named(data)
    pools = {
        files: _pool(files, recipe, evaluation, f" (data.{key})" if len(named) > 1 else "")
        for key, files in named.items()
    }
    kept: dict[Files, Samples] = {(): ()}  # a stage that is not run may have no files
    kept |= {files: pool.kept for files, pool in pools.items()}
    parts = [part for pool in pools.values() for part in pool.report]
    cold_start = curate(kept[data.sft_files], rule)
    parts += ["# Left out of the cold start, besides", curation_table(cold_start.report)]
    sft, left_out = _filtered(cold_start.kept, rule.cold_start, "curation.cold_start")
    rl, left_out_of_rl = _filtered(kept[data.rl_files], rule.rl, "curation.rl")
    if recipe.sft is not None and recipe.rl is not None and not data.shared:
        _refuse_shared(sft, rl)
    report = "\n\n".join([*parts, *left_out, *left_out_of_rl]) + "\n"
    return StageSamples(sum(pool.read for pool in pools.values()), sft, rl, report)


def present(samples: Sequence[TrainingSample], data: DataRule) -> tuple[Samples, str]:
    """Return the samples whose videos exist, and a text about the others.

    Raises UserError where more are missing than the rule allows.
    """
    videos = Path(data.videos)
    exists = {sample.video: (videos / sample.video).is_file() for sample in samples}
    kept = tuple(sample for sample in samples if exists[sample.video])
    missing = [video for video in exists if not exists[video]]
    lost = len(samples) - len(kept)
    if lost > data.missing_share * len(samples):
        raise UserError(
            f"The videos of {lost} of {len(samples)} samples are missing in "
            f"{videos.resolve()}, and the recipe allows {data.missing_share:.0%}: "
            f"{', '.join(missing[:SHOWN])}. Name their folder as videos under [data], fetch them, "
            "or raise missing_share."
        )
    listed = "".join(f"\n- {video}" for video in missing)
    return kept, f"{lost} of {len(samples)} samples.{listed}"


def _named(data: DataRule) -> dict[str, Files]:
    """Return the files of each pool that a stage uses, by their key of [data]."""
    pools = {"train": data.train, "cold_start": data.cold_start, "rl": data.rl}
    used = (data.sft_files, data.rl_files)
    return {key: files for key, files in pools.items() if files and files in used}


def _pool(files: Files, recipe: Recipe, evaluation: Evaluation, of: str) -> _Pool:
    """Apply what is for all stages. of: what the headings of the report say of the pool."""
    labelled = load_samples(map(Path, files))
    samples = with_label_noise(labelled, recipe.data.label_noise)
    wrong = sum(a != b for a, b in zip(labelled, samples, strict=True))
    with_video, missing = present(samples, recipe.data)
    leaks = find_leaks(with_video, evaluation)
    pool = curate(
        apply_leaks(with_video, leaks, recipe.data.leaks),
        replace(recipe.curation or CurationRule(), reasoning_iou=0.0, format="any"),
    )
    parts = [f"# Leaks{of}", leak_table(leaks), f"# Missing videos{of}", missing]
    if wrong:
        parts += [f"# Labels made wrong on purpose{of}", f"{wrong} of {len(samples)}."]
    parts += [f"# Left out of all training{of}", curation_table(pool.report)]
    return _Pool(len(samples), pool.kept, parts)


def _filtered(samples: Samples, rule: FilterRule | None, table: str) -> tuple[Samples, list[str]]:
    """Apply a stage's own filters, where it has a table; return the parts of the report, too."""
    if rule is None:
        return samples, []
    curated = curate(samples, rule)
    return curated.kept, [f"# Left out by [{table}]", curation_table(curated.report)]


def _refuse_shared(sft: Samples, rl: Samples) -> None:
    """Raise UserError where samples of RL are also samples of SFT."""
    shared = shared_samples(rl, sft)
    if shared:
        raise UserError(
            f"{len(shared)} of {len(rl)} samples of [rl] are samples of [sft], too (the first: "
            f"{', '.join(sample.id for sample in shared[:SHOWN])}). Give each stage its own: "
            "cold_start and rl under [data], or filters under [curation.cold_start] and "
            "[curation.rl]; or write shared = true under [data] to train both stages on them."
        )
