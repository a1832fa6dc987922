"""QVHighlights: moment retrieval (mAP, R1) and highlight detection (mAP, Hit@1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.highlight import LEVELS, highlight_values, official_stops
from vtg_eval.metrics.iou import Floats
from vtg_eval.metrics.moment_map import (
    LENGTH_RANGES,
    MAX_SPANS,
    THRESHOLDS,
    average_precisions,
    first_ious,
    length_range,
)
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import ResolvedProtocol, ScoreRule
from vtg_eval.scoring.table import Column, Mask, Table, in_denominator
from vtg_eval.task import Card
from vtg_eval.types import Sample, scored

NOWHERE = np.array([[-1.0, -1.0]])  # an empty span has IoU 0 with everything
NO_SALIENCY = np.zeros(1)
PRIMARY = "MR-full-R1@0.5"
HEADLINE = (
    *("MR-full-mAP", "MR-full-mAP@0.5", "MR-full-mAP@0.75", PRIMARY, "MR-full-R1@0.7"),
    *(f"MR-{name}-mAP" for name in ("short", "middle", "long")),
)


def highlights(
    card: Card,
    samples: Sequence[Sample],
    parsed_answers: Sequence[ParsedAnswer],
    protocol: ResolvedProtocol,
) -> Table:
    """Score spans with their scores, and saliency where any answer has some.

    The moments' metrics are for all moments ("full") and for those of each range of lengths;
    queries without a moment in the range are not in its denominator.
    """
    rule = protocol.score
    counted = in_denominator(parsed_answers, rule)
    ranked = _ranked(parsed_answers, rule)
    targets = [np.array(s.target.spans, dtype=np.float64).reshape(-1, 2) for s in samples]
    columns: dict[str, Column] = {}
    for name, (low, high) in LENGTH_RANGES.items():
        columns |= _moments(name, length_range(targets, low, high), ranked, counted, rule)
    saliency = {}
    if any(parsed.saliency is not None for parsed in parsed_answers):
        saliency = _saliency(samples, parsed_answers, counted, rule)
    headline = (*HEADLINE, *saliency)
    others = (name for name in columns if name not in headline)
    return Table(columns | saliency, PRIMARY, order=(*headline, *others), headline=headline)


class _Ranked(NamedTuple):
    """Each answer's spans [M, 2] as listed, their scores [M], and how many of them count."""

    spans: list[Floats]
    scores: list[Floats]
    limit: int


def _ranked(parsed_answers: Sequence[ParsedAnswer], rule: ScoreRule) -> _Ranked:
    """Return the spans; without scores they are ranked as listed."""
    spans, scores = [], []
    for parsed in parsed_answers:
        table = np.array(parsed.listed, dtype=np.float64) if parsed.listed else NOWHERE
        if not scored(parsed.listed):
            # only scored spans are pooled, so spans without scores have the limit of one record
            table = np.column_stack([table, -np.arange(len(table))])[:MAX_SPANS]
        spans.append(table[:, :2])
        scores.append(table[:, 2])
    pooled = rule.duplicates == "pool"  # up to ten spans of each record
    return _Ranked(spans, scores, max(map(len, spans), default=0) if pooled else MAX_SPANS)


def _moments(
    name: str, targets: list[Floats], ranked: _Ranked, counted: Mask, rule: ScoreRule
) -> dict[str, Column]:
    """Return mAP and R1 at each threshold, and mAP's mean, for targets of one range of lengths."""
    spans, scores, limit = ranked
    mode = _mode(rule)
    precisions = average_precisions(
        spans, scores, targets, THRESHOLDS, non_finite=mode, limit=limit
    )
    ious = first_ious(spans, targets, non_finite=mode)
    present = counted & np.array([len(spans) > 0 for spans in targets], dtype=np.bool_)
    columns = {f"MR-{name}-mAP": _column(precisions.mean(axis=1), present, rule)}
    for threshold, values in zip(THRESHOLDS, precisions.T, strict=True):
        columns[f"MR-{name}-mAP@{threshold:g}"] = _column(values, present, rule)
    for threshold in THRESHOLDS:
        hits = (ious >= threshold).astype(np.float64)
        columns[f"MR-{name}-R1@{threshold:g}"] = _column(hits, present, rule)
    return columns


def _saliency(
    samples: Sequence[Sample],
    parsed_answers: Sequence[ParsedAnswer],
    counted: Mask,
    rule: ScoreRule,
) -> dict[str, Column]:
    """Return mAP and Hit1 at each level; an answer with saliency that cannot be scored has 0."""
    lists = [np.array(parsed.saliency or (), dtype=np.float64) for parsed in parsed_answers]
    truth = [np.array(s.target.saliency or ((0, 0, 0),), dtype=np.int64) for s in samples]
    usable = _usable(lists, truth, rule)
    predicted = [row if good else NO_SALIENCY for row, good in zip(lists, usable, strict=True)]
    precisions, hits = highlight_values(predicted, truth, non_finite=_mode(rule))
    columns = {}
    for level, name in enumerate(LEVELS):
        for metric, values in (("mAP", precisions[:, level]), ("Hit1", hits[:, level])):
            column = _column(np.where(usable, values, 0.0), counted, rule)
            columns[f"HL-min-{name}-{metric}"] = column
    return columns


def _usable(
    lists: Sequence[Floats], truth: Sequence[npt.NDArray[np.int64]], rule: ScoreRule
) -> Mask:
    """Return bool [N]: there is saliency, and it is finite unless the source accepts others."""
    usable = np.array([len(row) > 0 and np.isfinite(row).all() for row in lists], dtype=np.bool_)
    if _mode(rule) == "official":
        rows = np.flatnonzero(~usable)
        stops = official_stops([lists[row] for row in rows], [truth[row] for row in rows])
        usable[rows] = ~stops
    return usable


def _column(values: Floats, counted: Mask, rule: ScoreRule) -> Column:
    return Column(np.where(counted, values, 0.0), counted, rule.arithmetic, rule.decimals)


def _mode(rule: ScoreRule) -> Literal["zero", "official"]:
    return "zero" if rule.non_finite == "zero" else "official"
