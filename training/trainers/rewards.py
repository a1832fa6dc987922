"""Rewards: pure functions of an answer and its target, by the score's own parser and IoU.

Every part lies between 0 and 1 (the penalty between -1 and 0) and is finite, whatever the text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vtg_eval.errors import UserError
from vtg_eval.metrics.grounding import discounts
from vtg_eval.metrics.interval_sets import set_iou
from vtg_eval.metrics.iou import Floats, existing
from vtg_eval.parsing.answers import ParsedAnswer, parse_answer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.scoring.grounding import grounding, ranked_spans, target_spans
from vtg_eval.task import Card
from vtg_eval.types import OutputType, Prediction, Sample

from ..data.answer_form import well_formed
from ..recipe import RewardRule

EPSILON = 1e-6  # seconds, beside the length of the truth

# what the score's function is given for its task; it looks at none of it
CARD = Card(
    name="training",
    title="training",
    version="1-A",
    paper="none",
    home="none",
    licence="none",
    metric_family="grounding",
    default_split="train",
    splits=(),
    sample_ids="any",
    videos="none",
)


@dataclass(frozen=True, slots=True)
class RewardParts:
    """One answer's rewards, each before its weight, and their weighted total.

    parse_penalty: -1 where nothing of what was asked could be read, else 0; the others 0 to 1.
    """

    tiou: float
    boundary: float
    wasserstein: float
    set_iou: float
    choice: float
    format: float
    parse_penalty: float
    total: float


@dataclass(frozen=True, slots=True)
class Reward:
    """A recipe's reward under a protocol: `reward(sample, text)` gives the parts and the total.

    Use the protocol as the checkpoint is scored by it. Raises UserError where a weighted part
    needs a duration that the sample does not have.
    """

    rule: RewardRule
    protocol: ResolvedProtocol

    def __call__(self, sample: Sample, text: str) -> RewardParts:
        """Return the rewards of one answer."""
        reading = parse_answer(sample, Prediction(sample.id, text=text), self.protocol)
        parts = {
            "tiou": tiou(sample, reading, self.protocol),
            "boundary": self._boundary(sample, reading),
            "wasserstein": wasserstein(sample, reading, self.protocol),
            "set_iou": segment_iou(sample, reading, self.protocol),
            "choice": choice(sample, reading),
            "format": float(well_formed(text, self.rule.answer_format)),
            "parse_penalty": parse_penalty(reading),
        }
        total = sum(getattr(self.rule, name) * value for name, value in parts.items())
        return RewardParts(**parts, total=total)

    def _boundary(self, sample: Sample, reading: ParsedAnswer) -> float:
        if sample.duration is not None:
            return boundary(sample, reading, self.protocol)
        if self.rule.boundary:
            raise UserError(
                f"The reward `boundary` needs every video's duration, and {sample.id} has none."
            )
        return 0.0


def tiou(sample: Sample, reading: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return what mIoU counts for the sample: the IoU of the span that counts.

    It is the score's own value, with two exceptions that only an answer without any use meets:
    a span with a time that is not finite gets 0, and what a protocol that reproduces a source
    leaves outside 0 to 1 (or as no number) is brought back to it.
    """
    if not _asks_spans(sample):
        return 0.0
    if reading.span is not None and not all(map(math.isfinite, reading.span)):
        return 0.0
    table = grounding(CARD, [sample], [reading], protocol)
    return _unit(float(table.columns[table.primary].values[0]))


def boundary(sample: Sample, reading: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return tIoU * (1 - |error of the start| / D) * (1 - |error of the end| / D).

    D is the video's length, and no error counts more than that. The reward of Time-R1
    (xiaomi-research/time-r1, second version). Raises UserError without a duration.
    """
    overlap = tiou(sample, reading, protocol)
    if not overlap or reading.span is None:
        return overlap
    if sample.duration is None:
        raise UserError(f"{sample.id} has no duration, which the reward `boundary` needs.")
    spans, _ = ranked_spans([reading], protocol.score)
    targets, _ = target_spans([sample], protocol)
    length = 1.0 if protocol.answer.unit == "percent" else sample.duration
    return _unit(overlap * float(discounts(spans, targets, np.array([length]))[0, 0]))


def wasserstein(sample: Sample, reading: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return exp(-W1 / (|Y| + epsilon)) of all spans against all true ones, Y (TimeLens2).

    W1: see `wasserstein_distance`; |Y| is the length of the union of the true spans. It orders
    answers that miss the moment altogether, of which IoU says 0. Without a proper span 0.
    """
    answer, truth = _segments(sample, reading, protocol)
    if not (len(answer) and len(truth)):
        return _rightly_absent(sample, reading)
    distance = wasserstein_distance(answer, truth)
    length = float((truth[:, 1] - truth[:, 0]).sum())
    return _unit(math.exp(-distance / (length + EPSILON))) if math.isfinite(distance) else 0.0


def segment_iou(sample: Sample, reading: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return the IoU of the union of all spans with the union of all true ones."""
    answer, truth = _segments(sample, reading, protocol)
    if not (len(answer) and len(truth)):
        return _rightly_absent(sample, reading)
    with np.errstate(over="ignore"):
        return _unit(float(set_iou([answer], [truth])[0]))


def choice(sample: Sample, reading: ParsedAnswer) -> float:
    """Return 1 where the right option is named, as the score has it."""
    return float(sample.asks is not OutputType.SPANS and sample.target.choice in reading.letters)


def parse_penalty(reading: ParsedAnswer) -> float:
    """Return -1 where neither a span nor an option nor a "never" could be read, else 0."""
    return 0.0 if reading.spans or reading.absent or reading.letters else -1.0


def wasserstein_distance(first: Floats, second: Floats) -> float:
    """Return the 1-Wasserstein distance of two uniform densities, in the unit of the times.

    first, second: unions of intervals, [P, 2] and [K, 2] (start, end), as `merged` gives them,
    neither empty. Each density is even over its union and has mass 1. In one dimension W1 is the
    integral of |F - G| over the two cumulative distributions (Villani, Topics in Optimal
    Transportation, 2003, theorem 2.18). Between neighbouring ends F - G is a line from a to b
    over a width w, whose absolute value has the integral w (|a| + |b|) / 2 where it keeps its
    sign and w (a² + b²) / (2 (|a| + |b|)) where it crosses 0: the sum of those is exact.
    """
    ends = np.unique(np.concatenate([first.ravel(), second.ravel()]))
    with np.errstate(over="ignore", invalid="ignore"):
        gap = _cumulative(first, ends) - _cumulative(second, ends)
        widths = np.diff(ends)
        left, right = gap[:-1], gap[1:]
        size = np.abs(left) + np.abs(right)
        crossing = (left**2 + right**2) / np.where(size > 0, size, 1.0)
        heights = np.where(left * right < 0, crossing, size) / 2
        return float((widths * heights).sum())


def merged(spans: Sequence[tuple[float, float]] | Floats) -> Floats:
    """Return [P, 2]: the union of spans, in order of time, none touching another.

    Spans that are empty, reversed or not finite are left out, as `set_iou` leaves them out.
    """
    table: Floats = np.asarray(spans, dtype=np.float64).reshape(-1, 2)
    with np.errstate(over="ignore", invalid="ignore"):
        table = table[(table[:, 0] < table[:, 1]) & np.isfinite(table[:, 1] - table[:, 0])]
    table = table[np.argsort(table[:, 0], kind="stable")]
    if not len(table):
        return table
    reach = np.maximum.accumulate(table[:, 1])
    opens = np.append(True, table[1:, 0] > reach[:-1])
    closes = np.append(opens[1:], True)
    union: Floats = np.stack([table[opens, 0], reach[closes]], axis=1)
    return union


def _cumulative(union: Floats, times: Floats) -> Floats:
    """Return the share of the union's length that lies before each time."""
    lengths = union[:, 1] - union[:, 0]
    after = np.cumsum(lengths)
    shares = np.stack([np.append(0.0, after[:-1]), after], axis=1).ravel() / after[-1]
    found: Floats = np.interp(times, union.ravel(), shares)
    return found


def _segments(
    sample: Sample, reading: ParsedAnswer, protocol: ResolvedProtocol
) -> tuple[Floats, Floats]:
    """Return the unions of the answer's and of the true spans, in the unit of the score."""
    targets, _ = target_spans([sample], protocol)
    return merged(reading.spans), merged(targets[0][existing(targets[0])])


def _asks_spans(sample: Sample) -> bool:
    return sample.asks is not OutputType.CHOICE


def _rightly_absent(sample: Sample, reading: ParsedAnswer) -> float:
    return float(_asks_spans(sample) and not sample.target.spans and reading.absent)


def _unit(value: float) -> float:
    """Bring a value between 0 and 1; what is no number is 0."""
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0
