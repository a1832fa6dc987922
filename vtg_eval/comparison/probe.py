"""Probes: a run beside runs of the same model on transformed videos or queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vtg_eval.comparison.estimates import DIFFERENCES, SHARES, Values, estimates, percent
from vtg_eval.comparison.moves import Moves, every_one, moved_row
from vtg_eval.comparison.paired_answers import (
    Answers,
    PairedAnswers,
    blind_answers,
    parsed_answers,
)
from vtg_eval.comparison.probe_figures import NoMomentRow, ProbeComparison
from vtg_eval.errors import UserError
from vtg_eval.files.digests import differences
from vtg_eval.metrics.iou import Floats, Mask
from vtg_eval.probe.transform import Transformed
from vtg_eval.probe.transformation import Transformation
from vtg_eval.run.finished import FinishedRun
from vtg_eval.scoring.blind import RANDOM, WHOLE, WHOLE_VIDEO, constant_span
from vtg_eval.scoring.floors import fitted_constant
from vtg_eval.types import Sample

FREE = ("transformation", "limit")  # keys of specs in which the runs of a probe may differ
# Played backwards, an event may be another one: a model that looks need not follow.
OTHER_MEANING = ("reverse",)

Predictor = Callable[[Sequence[Sample]], Answers]


class _Probe(NamedTuple):
    """A transformed run with the original run's answers to the same samples."""

    change: Transformation
    left_out: Mapping[str, int]
    pairs: PairedAnswers


def compare_probe(original: FinishedRun, transformed: Sequence[FinishedRun]) -> ProbeComparison:
    """Compare a run with runs of the same model on transformed videos, on the common samples.

    Raises UserError for runs that do not belong together.
    """
    probes = [_probe(original, run) for run in transformed]
    _require_one_original(original, probes)
    floors = _floors(original)
    moving = [probe for probe in probes if probe.change.moves]
    moves = {probe.change.name: Moves(probe.pairs) for probe in moving}
    floor_moves = {
        floor: {probe.change.name: Moves(_paired_floor(answers, probe.pairs)) for probe in moving}
        for floor, answers in floors.items()
    }
    same_meaning = [p.change.name for p in moving if p.change.kind not in OTHER_MEANING]
    return ProbeComparison(
        model=original.spec.model,
        task=original.spec.task,
        split=original.spec.split,
        protocol=original.spec.rules,
        samples=len(original.samples),
        moved=tuple(
            moved_row(
                probe.change,
                probe.left_out,
                moves[probe.change.name],
                {floor: rows[probe.change.name] for floor, rows in floor_moves.items()},
            )
            for probe in moving
        ),
        every_one=every_one(
            {name: moves[name] for name in same_meaning},
            {
                floor: {name: rows[name] for name in same_meaning}
                for floor, rows in floor_moves.items()
            },
        ),
        no_moment=tuple(_no_moment_row(probe) for probe in probes if not probe.change.moves),
    )


def _probe(original: FinishedRun, run: FinishedRun) -> _Probe:
    """Pair a transformed run with the original one.

    Raises UserError where their specs differ in more than the transformation and the limit.
    """
    change, transformed = run.spec.transformation, run.transformed
    if change is None or transformed is None:
        raise UserError(
            "Name one original run first, then runs of `vtg-eval probe`: a run after the first "
            "has no transformation."
        )
    if changed := _differences(original, run):
        raise UserError(
            f"The run with {change.name} does not belong to the first one: they differ in "
            f"{', '.join(changed)}. Name runs that differ in the transformation alone."
        )
    return _Probe(change, dict(transformed.left_out), _paired(original, run, transformed))


def belongs_to(original: FinishedRun, run: FinishedRun) -> bool:
    """Tell whether a transformed run is a probe of the original one."""
    return run.spec.transformation is not None and not _differences(original, run)


def _differences(original: FinishedRun, run: FinishedRun) -> list[str]:
    """Name the differences of the specs that a probe's runs may not have."""
    first, second = (
        {key: value for key, value in r.spec.to_json().items() if key not in FREE}
        for r in (original, run)
    )
    return differences(first, second)


def _require_one_original(original: FinishedRun, probes: Sequence[_Probe]) -> None:
    """Raise UserError unless the first run is the original and no transformation is twice."""
    if original.spec.transformation is not None:
        raise UserError(
            f"The first run is a transformed one ({original.spec.transformation.name}): name the "
            "original run first."
        )
    names = [probe.change.name for probe in probes]
    if not names:
        raise UserError("Name transformed runs after the original one.")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"Two runs have the transformation {twice[0]}: name one of them.")


def _paired(original: FinishedRun, run: FinishedRun, transformed: Transformed) -> PairedAnswers:
    """Return the answers to the samples of both runs."""
    by_id = {sample.id: sample for sample in original.samples}
    items = [item for item in transformed.samples if item.sample.id in by_id]
    if not items:
        raise UserError(
            "The original run has no sample in common with a transformed one: name runs on the "
            "same samples."
        )
    originals = [by_id[item.sample.id] for item in items]
    ids = {sample.id for sample in originals}
    answers = [
        parsed_answers(samples, [a for a in r.answers if a.id in ids], r.spec.protocol)
        for r, samples in ((original, originals), (run, [item.sample for item in items]))
    ]
    return PairedAnswers(tuple(originals), tuple(items), *answers)


def _floors(run: FinishedRun) -> dict[str, Predictor]:
    """Return the blind predictors of the run's floors."""
    card = run.task.card
    fitted = card.constant_span or fitted_constant(run.task, run.root, run.spec.split)
    constants = [constant_span(fitted)] if fitted and fitted != WHOLE else []
    return {blind.name: blind_answers(blind) for blind in (WHOLE_VIDEO, RANDOM, *constants)}


def _paired_floor(predictor: Predictor, pairs: PairedAnswers) -> PairedAnswers:
    after = predictor([item.sample for item in pairs.items])
    return PairedAnswers(pairs.originals, pairs.items, predictor(pairs.originals), after)


def _no_moment_row(probe: _Probe) -> NoMomentRow:
    pairs = probe.pairs
    usable = pairs.with_span
    before, after = percent(pairs.before.absent), percent(pairs.after.absent)
    unchanged = _where(usable, pairs.unchanged())
    by_chance = _where(usable, pairs.unrelated())
    figures = estimates(
        {
            "before": Values(before, SHARES),
            "after": Values(after, SHARES),
            "change": Values(after - before, DIFFERENCES),
            "unchanged": Values(unchanged, SHARES),
            "chance": Values(by_chance, SHARES),
            "above": Values(unchanged - by_chance, DIFFERENCES),
        },
        pairs.videos,
    )
    return NoMomentRow(
        transformation=probe.change.name,
        samples=len(pairs.originals),
        videos=len(set(pairs.videos)),
        left_out=probe.left_out,
        never_before=figures["before"],
        never=figures["after"],
        never_change=figures["change"],
        with_span=int(usable.sum()),
        unchanged=figures["unchanged"],
        by_chance=figures["chance"],
        above_chance=figures["above"],
    )


def _where(counted: Mask, hits: Mask) -> Floats:
    """Return 100 for hits and 0 for others, NaN where a sample does not count."""
    return np.where(counted, percent(hits), np.nan)
