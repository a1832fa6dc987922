"""Pools: from the files that [data] names to the samples of SFT, and of difficulty and RL.

The stages take their samples from one pool (`data.train`), or each from its own (`data.cold_start`,
`data.rl`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vtg_eval.errors import UserError

from ..recipe import CurationRule, DataRule, FilterRule, Recipe
from .curation import SHOWN, Curated, curate, dropped_counts, shared_samples, with_label_noise
from .leaks import Evaluation, LeakReport, apply_leaks, find_leaks, write_leaks
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


class _Read(NamedTuple):
    """The samples of some files that have their video.

    read, wrong: how many samples there are, and how many of them have a wrong label. missing: a
    text about missing videos.
    """

    read: int
    wrong: int
    samples: Samples
    missing: str
    leaks: LeakReport


def stage_samples(
    recipe: Recipe, evaluation: Evaluation, held_out: Collection[str], listed: Path
) -> StageSamples:
    """Read a recipe's samples and return those that each stage keeps.

    The filters of [curation] come first, then those of the stages. held_out: see `find_leaks`.
    listed: gets all leaks. Raises UserError where too many videos are missing, where data leaks and
    the recipe refuses leaks, where a stage of the recipe keeps no sample, and where SFT and RL have
    samples in common and the recipe does not say that they share them.
    """
    data, rule = recipe.data, recipe.curation or CurationRule()
    pools = {key: _read(files, data, evaluation, held_out) for key, files in _named(data).items()}
    write_leaks(listed, [leak for pool in pools.values() for leak in pool.leaks.leaks])
    kept: dict[Files, Curated] = {(): Curated((), ())}  # a stage that is not run may have no files
    parts: list[str] = []
    for key, pool in pools.items():
        of = f" (data.{key})" if len(pools) > 1 else ""
        kept[getattr(data, key)], report = _kept(pool, recipe, listed, of)
        parts += report
    cold_start, besides = _filtered(kept[data.sft_files], rule, "of the cold start, besides")
    sft, left_out = _filtered(cold_start, rule.cold_start, "by [curation.cold_start]")
    rl, left_out_of_rl = _filtered(kept[data.rl_files], rule.rl, "by [curation.rl]")
    for stage, samples in (("sft", sft), ("difficulty", rl), ("rl", rl)):
        if getattr(recipe, stage) is not None and not samples.kept:
            _refuse_nothing(stage, samples)
    if recipe.sft is not None and recipe.rl is not None and not data.shared:
        _refuse_shared(sft.kept, rl.kept)
    text = "\n\n".join([*parts, *besides, *left_out, *left_out_of_rl]) + "\n"
    return StageSamples(sum(pool.read for pool in pools.values()), sft.kept, rl.kept, text)


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


def _read(files: Files, data: DataRule, evaluation: Evaluation, held_out: Collection[str]) -> _Read:
    """Read files; leave out samples without a video, and find those that leak."""
    labelled = load_samples(map(Path, files))
    samples = with_label_noise(labelled, data.label_noise)
    wrong = sum(a != b for a, b in zip(labelled, samples, strict=True))
    with_video, missing = present(samples, data)
    leaks = find_leaks(with_video, evaluation, held_out)
    return _Read(len(samples), wrong, with_video, missing, leaks)


def _kept(pool: _Read, recipe: Recipe, listed: Path, of: str) -> tuple[Curated, list[str]]:
    """Apply what is for all stages; return the samples and the parts of the report.

    of: what the headings of the report say of the pool.
    """
    curated = curate(
        apply_leaks(pool.samples, pool.leaks, recipe.data.leaks, listed),
        replace(recipe.curation or CurationRule(), reasoning_iou=0.0, format="any"),
    )
    parts = [f"# Leaks{of}", leak_table(pool.leaks), f"# Missing videos{of}", pool.missing]
    if pool.wrong:
        parts += [f"# Labels made wrong on purpose{of}", f"{pool.wrong} of {pool.read}."]
    parts += [f"# Left out of all training{of}", curation_table(curated.report)]
    return curated, parts


def _filtered(before: Curated, rule: FilterRule | None, by: str) -> tuple[Curated, list[str]]:
    """Apply a stage's own filters, where it has some, after those before.

    Returns what all of them left, and the parts of the report. by: completes their heading.
    """
    if rule is None:
        return before, []
    curated = curate(before.kept, rule)
    parts = [f"# Left out {by}", curation_table(curated.report)]
    return Curated(curated.kept, before.report + curated.report), parts


def _refuse_nothing(stage: str, samples: Curated) -> None:
    """Raise UserError for a stage without samples."""
    counts = dropped_counts(samples.report)
    reason = f"[curation] left out by {counts}" if counts else "its files have none to train on"
    raise UserError(
        f"No sample is left for [{stage}]: {reason}. Widen the filters, or name other files under "
        "[data]."
    )


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
