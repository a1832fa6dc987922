"""Moment localisation: recalls at IoU thresholds and mIoU of ranked spans."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from vtg_eval.errors import NotApplicableError
from vtg_eval.metrics.grounding import (
    MEAN_IOU,
    best_ious,
    by_score,
    discounts,
    recall_name,
    sample_values,
    suppress_all,
    threshold_ious,
)
from vtg_eval.metrics.iou import Floats
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import ResolvedProtocol, ScoreRule
from vtg_eval.question import written
from vtg_eval.scoring.table import Arithmetic, Column, Derived, Mask, Table, in_denominator
from vtg_eval.task import Card
from vtg_eval.types import Sample, Span


def grounding(
    card: Card,
    samples: Sequence[Sample],
    parsed_answers: Sequence[ParsedAnswer],
    protocol: ResolvedProtocol,
) -> Table:
    """Score the span that counts, and those ranked after it where the rule has ranks above 1.

    Raises NotApplicableError where the rule needs durations that the annotation does not have.
    """
    rule = protocol.score
    parsed_answers, kept = merged_repeats(samples, parsed_answers, protocol)
    targets, usable = target_spans(samples, protocol)
    spans, exists = ranked_spans(parsed_answers, rule)
    if rule.nms_below >= 0:
        ious = threshold_ious(spans, targets, rule, exists, rule.nms_below, rule.non_finite)
    else:
        ious = best_ious(spans, targets, rule.non_finite, exists)
    absent = _rightly_absent(samples, parsed_answers)
    ious[..., absent, 0] = 1.0
    worth = None
    if rule.discounted:
        worth = discounts(spans, targets, required_durations(samples, protocol))
        worth[absent, 0] = 1.0
    values = sample_values(ious, rule, worth)
    counted = in_denominator(parsed_answers, rule) & usable & kept
    if rule.undefined == "drop":
        counted &= ~np.isnan(values[MEAN_IOU])
    columns = {
        name: Column(metric_values, counted, _arithmetic(name, rule), rule.decimals)
        for name, metric_values in values.items()
    }
    recalls = [recall_name(rank, t) for rank in rule.ranks for t in rule.thresholds]
    derived = {"avg": Derived((MEAN_IOU, *recalls))} if rule.average else {}
    return Table(columns, MEAN_IOU, derived)


def _arithmetic(metric: str, rule: ScoreRule) -> Arithmetic:
    """Return the order of arithmetic: only mIoU is ever numpy's mean, recalls are counts."""
    recall = rule.arithmetic == "mean*100" and metric != MEAN_IOU
    return "sum/n*100" if recall else rule.arithmetic


def merged_repeats(
    samples: Sequence[Sample], parsed_answers: Sequence[ParsedAnswer], protocol: ResolvedProtocol
) -> tuple[Sequence[ParsedAnswer], Mask]:
    """Return the parsed answers, and which samples count, bool [N].

    Where the rule counts repeats once, several samples with the same video, question (as the
    prompt has it) and target count as one: the first that was answered, with the parsed answer of
    the last that was. TencentARC/TimeLens at 5d90c067 (evaluation/compute_metrics.py) does so
    with a dictionary that has such keys and is filled line by line.
    """
    if protocol.score.repeats == "each":
        return parsed_answers, np.ones(len(samples), dtype=np.bool_)
    merged = list(parsed_answers)
    first: dict[tuple[str, str, tuple[Span, ...]], int] = {}
    for row, (sample, parsed) in enumerate(zip(samples, parsed_answers, strict=True)):
        key = (sample.video, written(sample.query, protocol.prompt), sample.target.spans)
        if not merged[first.setdefault(key, row)].answered:
            first[key] = row
        if parsed.answered:
            merged[first[key]] = parsed
    return merged, np.isin(np.arange(len(samples)), list(first.values()))


def _rightly_absent(samples: Sequence[Sample], parsed_answers: Sequence[ParsedAnswer]) -> Mask:
    """Return bool [N]: the event never happens, and the answer says so."""
    pairs = zip(samples, parsed_answers, strict=True)
    return np.array(
        [parsed.absent and not sample.target.spans for sample, parsed in pairs], dtype=np.bool_
    )


def ranked_spans(parsed_answers: Sequence[ParsedAnswer], rule: ScoreRule) -> tuple[Floats, Mask]:
    """Return [N, R, 2], each answer's spans in rank order, and [N, R], which of them exist."""
    depth = max(rule.ranks)
    uses_all = rule.nms >= 0 or rule.nms_below >= 0 or rule.order == "score"
    width = max((len(a.listed) for a in parsed_answers), default=0) if uses_all else depth
    spans = padded([parsed.spans[:width] for parsed in parsed_answers], max(width, depth))
    counts = np.array([len(parsed.listed) for parsed in parsed_answers])
    exists = np.arange(spans.shape[1]) < counts[:, None]
    if rule.order == "score":
        scores = padded([[(s, s) for s in _scores(a)] for a in parsed_answers], spans.shape[1])
        spans, exists = by_score(spans, scores[..., 0], exists)
    if rule.nms >= 0:
        spans, exists = suppress_all(spans, exists, rule.nms, depth)
    return spans, exists


def _scores(parsed: ParsedAnswer) -> Sequence[float]:
    """Return one score for each span; spans without scores are ranked as listed."""
    return parsed.scores or range(0, -len(parsed.listed), -1)


def target_spans(samples: Sequence[Sample], protocol: ResolvedProtocol) -> tuple[Floats, Mask]:
    """Return [N, K, 2], NaN where there is no further occurrence, and which samples count."""
    rule = protocol.score
    limit = 1 if rule.occurrences == "first" else None
    targets = padded([sample.target.spans[:limit] for sample in samples])
    counted = np.ones(len(samples), dtype=np.bool_)
    if rule.truth == "as-is" and protocol.answer.unit == "seconds":
        return targets, counted
    durations = required_durations(samples, protocol)
    if rule.truth == "clamp":
        targets[..., 0] = np.maximum(targets[..., 0], 0.0)
        targets[..., 1] = np.minimum(targets[..., 1], durations[:, None])
        empty = (targets[..., 0] >= targets[..., 1]).any(axis=1)
        counted &= ~empty
    if protocol.answer.unit == "percent":
        targets = targets / durations[:, None, None]
    return targets, counted


def padded(spans: Sequence[Sequence[tuple[float, float]]], width: int = 0) -> Floats:
    """Return spans as [N, K, 2], K at least `width`; NaN where a row has fewer than K."""
    counts = np.array([len(row) for row in spans], dtype=np.intp)
    table = np.full((len(spans), counts.max(initial=width), 2), np.nan)
    exists = np.arange(table.shape[1]) < counts[:, None]
    times = chain.from_iterable(chain.from_iterable(spans))
    table[exists] = np.fromiter(times, np.float64, 2 * counts.sum()).reshape(-1, 2)
    return table


def required_durations(samples: Sequence[Sample], protocol: ResolvedProtocol) -> Floats:
    """Return durations [N] in seconds; raises NotApplicableError where one is missing."""
    missing = next((sample.id for sample in samples if sample.duration is None), None)
    if missing is not None:
        raise NotApplicableError(
            f"The protocol {protocol.name} needs every video's duration, and {missing} has none: "
            "add the benchmark's file of durations."
        )
    return np.array([sample.duration for sample in samples], dtype=np.float64)
