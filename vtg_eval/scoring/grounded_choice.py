"""NExT-GQA: an answer counts when its span lies in the moment that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from vtg_eval.metrics.segments import best_overlaps
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.scoring.choice import group_masks, right_choices
from vtg_eval.scoring.grounding import padded, ranked_spans
from vtg_eval.scoring.table import Column, Mask, Table, in_denominator
from vtg_eval.task import Card
from vtg_eval.types import Sample

THRESHOLDS = (0.3, 0.5)
GROUNDED = 0.5  # an answer is grounded from this IoP on


def grounded_choice(
    card: Card,
    samples: Sequence[Sample],
    parsed_answers: Sequence[ParsedAnswer],
    protocol: ResolvedProtocol,
) -> Table:
    """Score the option and the span: Acc@QA, Acc@GQA, IoP and IoU over several segments.

    A card's `report_by` adds each group's Acc@QA. It covers all questions under every rule,
    because the official script stops where an option is missing; under `missing` "drop" a question
    without a span leaves the other metrics.
    Checked against doc-doc/NExT-GQA at 63772e02 (code/TempGQA/eval_ground.py,
    code/TempCLIP/eval_next.py).
    """
    rule = protocol.score
    spans, exists = ranked_spans(parsed_answers, rule)
    located = in_denominator(parsed_answers, rule)
    if rule.missing == "drop":
        located &= exists[:, 0]
    segments = padded([sample.target.spans for sample in samples])
    mode: Literal["zero", "truth-first"] = "zero" if rule.non_finite == "zero" else "truth-first"
    usable = exists[:, 0]
    if rule.instants == "zero":
        usable = usable & (spans[:, 0, 0] != spans[:, 0, 1])
    overlaps = best_overlaps(spans[:, 0], segments, mode, usable)
    right = right_choices(samples, parsed_answers)
    all_samples = np.ones(len(samples), dtype=np.bool_)
    columns = {
        "Acc@GQA": _share(right & (overlaps.iop >= GROUNDED), located, rule.decimals),
        "Acc@QA": _share(right, all_samples, rule.decimals),
    }
    for name, values in (("IoP", overlaps.iop), ("IoU", overlaps.iou)):
        columns[f"m{name}"] = Column(values, located, rule.arithmetic, rule.decimals)
        for threshold in THRESHOLDS:
            columns[f"{name}@{threshold:g}"] = _share(values >= threshold, located, rule.decimals)
    headline = tuple(columns)
    groups = group_masks(samples, card.report_by) if card.report_by else {}
    for name, mask in groups.items():
        columns[name] = _share(right, mask, rule.decimals)
    return Table(columns, "Acc@GQA", headline=headline)


def _share(hits: Mask, counted: Mask, decimals: int) -> Column:
    return Column(hits.astype(np.float64), counted, "sum*100/n", decimals)
