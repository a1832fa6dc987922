"""CG-Bench: a question on the whole video, the same on its clues, and the clues themselves.

The three samples of a record share their id up to the last slash: 14/long_acc, 14/clue_acc,
14/miou; a sample's group "kind" says which of them it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.interval_sets import set_iou
from vtg_eval.metrics.iou import Floats
from vtg_eval.metrics.listing_order import listing_order
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import ResolvedProtocol, ScoreRule
from vtg_eval.scoring.choice import right_choices
from vtg_eval.scoring.table import Column, Derived, Mask, Table, in_denominator, rounded
from vtg_eval.task import Card
from vtg_eval.types import Sample

LONG, CLUE, SPANS = "long_acc", "clue_acc", "miou"
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True, slots=True)
class Precomputed(Derived):
    """A derived metric whose figure does not follow from the others' rounded figures.

    value: percent. Resamples use the rule of `Derived`, which is close enough.
    """

    value: float = 0.0

    def figure(self, figures: Mapping[str, float]) -> float:
        """Return the value."""
        return self.value


def clues(
    card: Card,
    samples: Sequence[Sample],
    parsed_answers: Sequence[ParsedAnswer],
    protocol: ResolvedProtocol,
) -> Table:
    """Score all three kinds; `acc@IoU` asks for the spans and the whole video's question.

    rec@IoU and acc@IoU are means over the thresholds. CRR is the smaller of long-acc and
    clue-acc, unrounded, over clue-acc.
    Checked against CG-Bench/CG-Bench at f8266087 (run/stat_with_key.py) and
    open-compass/VLMEvalKit at e8e78f05 (vlmeval/dataset/utils/cgbench.py).
    """
    rule = protocol.score
    counted = in_denominator(parsed_answers, rule)
    kinds = np.array([sample.group("kind") for sample in samples], dtype=np.object_)
    right = right_choices(samples, parsed_answers)
    overlaps = _overlaps(samples, parsed_answers, rule)
    long_right, long_counted = _long_questions(samples, kinds, right, counted)
    grounded = counted & (kinds == SPANS)
    columns = {
        "long-acc": _column(right.astype(np.float64), counted & (kinds == LONG), rule),
        "clue-acc": _column(right.astype(np.float64), counted & (kinds == CLUE), rule),
        "mIoU": replace(
            _column(overlaps, grounded, rule), addition=_addition(samples, grounded, rule)
        ),
    }
    for threshold in THRESHOLDS:
        hits = overlaps >= threshold if rule.comparator == ">=" else overlaps > threshold
        columns[f"rec@{threshold:g}"] = _column(hits.astype(np.float64), grounded, rule)
        joint = (hits & long_right).astype(np.float64)
        columns[f"acc@{threshold:g}"] = _column(joint, grounded & long_counted, rule)
    derived = {
        "rec@IoU": _over_thresholds("rec", columns, rule),
        "acc@IoU": _over_thresholds("acc", columns, rule),
        "CRR": _recovery(columns, rule),
    }
    headline = ("long-acc", "clue-acc", "mIoU", "rec@IoU", "acc@IoU", "CRR")
    order = (*headline, *(name for name in columns if name not in headline))
    return Table(columns, "mIoU", derived, order=order, headline=headline)


def _over_thresholds(part: str, columns: Mapping[str, Column], rule: ScoreRule) -> Derived:
    """Return the mean over the thresholds: of rounded figures, else of all hits at once."""
    names = tuple(f"{part}@{threshold:g}" for threshold in THRESHOLDS)
    if rule.decimals >= 0:
        return Derived(names, decimals=rule.decimals)
    parts = [columns[name] for name in names]
    values = np.concatenate([column.values for column in parts])
    counted = np.concatenate([column.counted for column in parts])
    return Precomputed(names, value=Column(values, counted, rule.arithmetic).percent())


def _recovery(columns: Mapping[str, Column], rule: ScoreRule) -> Derived:
    names = ("long-acc", "clue-acc")
    long, clue = (replace(columns[name], decimals=-1).percent() for name in names)
    value = rounded(min(long, clue) / clue * 100, rule.decimals) if clue else 0.0
    return Precomputed(names, "least ratio", rule.decimals, value)


def _overlaps(
    samples: Sequence[Sample], parsed_answers: Sequence[ParsedAnswer], rule: ScoreRule
) -> Floats:
    return set_iou(
        [parsed.spans for parsed in parsed_answers],
        [sample.target.spans for sample in samples],
        strict=rule.non_finite == "zero",
    )


def _long_questions(
    samples: Sequence[Sample], kinds: npt.NDArray[np.object_], right: Mask, counted: Mask
) -> tuple[Mask, Mask]:
    """Return bool [N] twice: the record's whole-video question is right, and it counts."""
    records = [_record(sample) for sample in samples]
    long_rows = {records[row]: row for row in np.flatnonzero(kinds == LONG)}
    rows = np.array([long_rows.get(record, -1) for record in records], dtype=np.intp)
    exists = rows >= 0
    return exists & right[rows], exists & counted[rows]


def _addition(samples: Sequence[Sample], counted: Mask, rule: ScoreRule) -> tuple[int, ...] | None:
    """Return the order in which the counted values are added up, as indices among them."""
    if rule.addition == "listed":
        return None
    rows = np.flatnonzero(counted)
    return tuple(listing_order([f"{_record(samples[row])}.json" for row in rows]))


def _record(sample: Sample) -> str:
    return sample.id.rpartition("/")[0]


def _column(values: Floats, counted: Mask, rule: ScoreRule) -> Column:
    return Column(values, counted, rule.arithmetic, rule.decimals)
