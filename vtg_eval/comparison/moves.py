"""Answers that moved as their videos did, beside blind repetitions of the answers before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from vtg_eval.comparison.estimates import (
    DIFFERENCES,
    SHARES,
    Estimate,
    Values,
    estimates,
    percent,
)
from vtg_eval.comparison.paired_answers import PairedAnswers
from vtg_eval.comparison.probe_figures import BlindFloor, Blindly, EveryOne, MovedRow
from vtg_eval.metrics.equivariance import boundary_errors, within
from vtg_eval.metrics.iou import Mask, iou
from vtg_eval.probe.transformation import Transformation

Rows = npt.NDArray[np.intp]
UNDEFINED = Estimate(None, None, None)


class Moves:
    """Which answers moved as the video did, and which copies of the original ones would have."""

    def __init__(self, pairs: PairedAnswers) -> None:
        self.pairs = pairs
        self.expected = pairs.expected()
        self.moved: Mask = within(pairs.after.spans, self.expected, pairs.tolerance)
        self.copied: Mapping[str, Mask] = {
            rule: within(copy, self.expected, pairs.tolerance)
            for rule, copy in pairs.copies().items()
        }

    def best_rule(self) -> str:
        """Return the rule by which more copies are in place."""
        return max(self.copied, key=lambda rule: int(self.copied[rule].sum()))

    def floor(self) -> BlindFloor:
        """Return the figures of a blind predictor."""
        moved = _share(self.moved)
        return BlindFloor(moved, moved - _share(self.copied[self.best_rule()]))


def _share(mask: Mask) -> float:
    return float(percent(mask).mean())


def moved_row(
    change: Transformation,
    left_out: Mapping[str, int],
    moves: Moves,
    floors: Mapping[str, Moves],
) -> MovedRow:
    """Return a transformation's figures; `floors`: blind predictors on the same samples."""
    pairs, rule = moves.pairs, moves.best_rule()
    copy = pairs.copies()[rule]
    errors = boundary_errors(pairs.after.spans, moves.expected)
    before, after = (100 * ious for ious in pairs.true_ious())
    moved = percent(moves.moved)
    figures = estimates(
        {
            "before": Values(before, SHARES),
            "after": Values(after, SHARES),
            "change": Values(after - before, DIFFERENCES),
            "moved": Values(moved, SHARES),
            "above": Values(moved - percent(moves.copied[rule]), DIFFERENCES),
            "iou": Values(100 * iou(pairs.after.spans, moves.expected), SHARES),
            "error": Values(errors),
        },
        pairs.videos,
    )
    copied_errors = boundary_errors(copy, moves.expected)[np.isfinite(errors)]
    return MovedRow(
        transformation=change.name,
        samples=len(pairs.originals),
        videos=len(set(pairs.videos)),
        left_out=left_out,
        score_before=figures["before"],
        score=figures["after"],
        score_change=figures["change"],
        moved=figures["moved"],
        blind=Blindly(
            rule=rule,
            moved=_share(moves.copied[rule]),
            iou=100 * float(iou(copy, moves.expected).mean()),
            error=float(copied_errors.mean()) if len(copied_errors) else None,
        ),
        above_blind=UNDEFINED if change.refutes_only else figures["above"],
        iou=figures["iou"],
        error=figures["error"],
        both_answered=int(np.isfinite(errors).sum()),
        floors={floor: other.floor() for floor, other in floors.items()},
    )


def every_one(
    sets: Mapping[str, Moves], floors: Mapping[str, Mapping[str, Moves]]
) -> EveryOne | None:
    """Return the samples that moved under all transformations.

    None for fewer than two, and without a common sample.
    """
    if len(sets) < 2:
        return None
    places = [{s.id: row for row, s in enumerate(m.pairs.originals)} for m in sets.values()]
    common = [name for name in places[0] if all(name in place for place in places)]
    if not common:
        return None
    rows = [np.array([place[name] for name in common]) for place in places]
    moved, copied = _all_moved(sets, rows)
    videos = [next(iter(sets.values())).pairs.videos[row] for row in rows[0]]
    figures = estimates(
        {
            "moved": Values(percent(moved), SHARES),
            "above": Values(percent(moved) - percent(copied), DIFFERENCES),
        },
        videos,
    )
    blind_floors = {}
    for floor, moves in floors.items():
        mask, copies = _all_moved(moves, rows)
        blind_floors[floor] = BlindFloor(_share(mask), _share(mask) - _share(copies))
    return EveryOne(
        transformations=tuple(sets),
        samples=len(common),
        videos=len(set(videos)),
        moved=figures["moved"],
        blind=_share(copied),
        above_blind=figures["above"],
        floors=blind_floors,
    )


def _all_moved(sets: Mapping[str, Moves], rows: Sequence[Rows]) -> tuple[Mask, Mask]:
    """Return bool [N]: moved under all; and the same of the better one of the copies."""
    moved = np.all([m.moved[r] for m, r in zip(sets.values(), rows, strict=True)], axis=0)
    rules = next(iter(sets.values())).copied
    copies = [
        np.all([m.copied[rule][r] for m, r in zip(sets.values(), rows, strict=True)], axis=0)
        for rule in rules
    ]
    best: Mask = max(copies, key=lambda mask: int(mask.sum()))
    return moved, best
