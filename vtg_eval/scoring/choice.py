"""Multiple choice: accuracy over all questions, by group, and the plain mean over groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.scoring.table import Column, Derived, Mask, Table, counted_parts, in_denominator
from vtg_eval.task import Card
from vtg_eval.types import Sample

ACCURACY = "accuracy"


def choice(
    card: Card,
    samples: Sequence[Sample],
    parsed_answers: Sequence[ParsedAnswer],
    protocol: ResolvedProtocol,
) -> Table:
    """Score the named option; a card's `report_by` adds each group's accuracy, `average` a mean.

    The mean is over the groups in which a sample counts.
    """
    rule = protocol.score
    counted = in_denominator(parsed_answers, rule)
    hits = right_choices(samples, parsed_answers).astype(np.float64)
    columns = {ACCURACY: Column(hits, counted, rule.arithmetic, rule.decimals)}
    groups = group_masks(samples, card.report_by) if card.report_by else {}
    for name, mask in groups.items():
        columns[name] = Column(hits, counted & mask, rule.arithmetic, rule.decimals)
    derived = {}
    if card.average and groups:
        averaged = counted_parts(groups, columns)
        derived = {card.average: Derived(averaged, decimals=rule.decimals)}
    headline = tuple(derived) + tuple(columns) if len(columns) <= 8 else (*derived, ACCURACY)
    return Table(columns, ACCURACY, derived, order=(*derived, *columns), headline=headline)


def right_choices(samples: Sequence[Sample], parsed_answers: Sequence[ParsedAnswer]) -> Mask:
    """Return bool [N]: whether the answer names the right option."""
    pairs = zip(samples, parsed_answers, strict=True)
    return np.array(
        [sample.target.choice in parsed.letters for sample, parsed in pairs], dtype=np.bool_
    )


def group_masks(samples: Sequence[Sample], grouping: str) -> dict[str, Mask]:
    """Return each group's members, bool [N], groups in the order of their first sample."""
    rows: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        for group in sample.groups:
            if group.grouping == grouping:
                rows.setdefault(group.name, []).append(row)
    masks = {}
    for name, members in rows.items():
        masks[name] = np.zeros(len(samples), dtype=np.bool_)
        masks[name][members] = True
    return masks
