"""ReXTime: the moment, the option, and both at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtg_eval.metrics.iou import Floats
from vtg_eval.metrics.moment_map import first_ious
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import ResolvedProtocol, ScoreRule
from vtg_eval.scoring.choice import right_choices
from vtg_eval.scoring.table import Arithmetic, Column, Table, in_denominator
from vtg_eval.task import Card
from vtg_eval.types import Sample

RECALLS = tuple(round(0.3 + 0.05 * k, 2) for k in range(14))
JOINT = (0.3, 0.5, 0.7)
NOWHERE = np.array([[-1.0, -1.0]])
HEADLINE = ("VQA", "mIoU", "R1@0.3", "R1@0.5", "R1@0.7", "VQA,mIoU@0.5")


def moment_choice(
    card: Card,
    samples: Sequence[Sample],
    parsed_answers: Sequence[ParsedAnswer],
    protocol: ResolvedProtocol,
) -> Table:
    """Score the first span against the target that it fits best, the option, and both at once.

    `decimals` are for mIoU and the recalls only, as in the official script; under `non_finite`
    "spread" a NaN time makes mIoU NaN, also as in that script.
    Checked against ReXTime/ReXTime at cb9f4841 (evaluation/rextime_eval.py, utils.py).
    """
    rule = protocol.score
    counted = in_denominator(parsed_answers, rule)
    ious = _ious(samples, parsed_answers, rule)
    right = right_choices(samples, parsed_answers).astype(np.float64)
    shares: Arithmetic = "sum/n*100" if rule.arithmetic == "mean*100" else rule.arithmetic
    columns = {
        "VQA": Column(right, counted, shares),
        "mIoU": Column(ious, counted, rule.arithmetic, rule.decimals),
    }
    for threshold in RECALLS:
        hits = (ious >= threshold).astype(np.float64)
        columns[f"R1@{threshold:g}"] = Column(hits, counted, rule.arithmetic, rule.decimals)
    for threshold in JOINT:
        columns[f"VQA,mIoU@{threshold:g}"] = Column(right * (ious >= threshold), counted, shares)
    return Table(columns, "VQA,mIoU@0.5", headline=HEADLINE)


def _ious(
    samples: Sequence[Sample], parsed_answers: Sequence[ParsedAnswer], rule: ScoreRule
) -> Floats:
    spans = [np.array(a.spans, dtype=np.float64) if a.spans else NOWHERE for a in parsed_answers]
    targets = [np.array(s.target.spans, dtype=np.float64).reshape(-1, 2) for s in samples]
    mode = "zero" if rule.non_finite == "zero" else "official"
    ious = np.nan_to_num(first_ious(spans, targets, non_finite=mode))  # type: ignore[arg-type]
    if rule.non_finite == "spread":
        ious[[bool(np.isnan(answer[0]).any()) for answer in spans]] = np.nan
    return ious
