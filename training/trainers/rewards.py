"""Rewards: pure functions of an answer and its target, with the score's own parser and IoU.

Every part lies between 0 and 1 (the penalty between -1 and 0) and is finite, for any text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

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

from ..data.answers import well_formed
from ..recipe import RewardRule

EPSILON = 1e-6  # seconds, added to the length of the target

# the card that the score's function takes; it uses none of its values
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

    parse_penalty: -1 where the parser reads no answer in the text, else 0; the others 0 to 1.
    """

    tiou: float
    boundary: float
    wasserstein: float
    set_iou: float
    choice: float
    format: float
    parse_penalty: float
    total: float


PARTS = tuple(field.name for field in fields(RewardParts) if field.name != "total")


@dataclass(frozen=True, slots=True)
class Reward:
    """A recipe's reward under a protocol: `reward(sample, text)` returns the parts and the total.

    protocol: the one that the checkpoint is scored under. Raises UserError where a weighted part
    needs a duration that the sample does not have.
    """

    rule: RewardRule
    protocol: ResolvedProtocol

    def __call__(self, sample: Sample, text: str) -> RewardParts:
        """Return the rewards of one answer."""
        parsed = parse_answer(sample, Prediction(sample.id, text=text), self.protocol)
        parts = {
            "tiou": tiou(sample, parsed, self.protocol),
            "boundary": self._boundary(sample, parsed),
            "wasserstein": wasserstein(sample, parsed, self.protocol),
            "set_iou": segment_iou(sample, parsed, self.protocol),
            "choice": choice(sample, parsed),
            "format": float(well_formed(text, self.rule.answer_format)),
            "parse_penalty": parse_penalty(parsed),
        }
        total = sum(getattr(self.rule, name) * value for name, value in parts.items())
        return RewardParts(**parts, total=total)

    def _boundary(self, sample: Sample, parsed: ParsedAnswer) -> float:
        if sample.duration is not None:
            return boundary(sample, parsed, self.protocol)
        if self.rule.boundary:
            raise UserError(
                f"The reward `boundary` needs every video's duration, and {sample.id} has none."
            )
        return 0.0


def tiou(sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return the sample's value in mIoU: the IoU of the span that the protocol scores.

    It is the score's own value, with two exceptions for unusable answers: a span with a time that
    is not finite gets 0, and a value outside 0 to 1 (or not a number), which protocols that
    reproduce a source can give, is limited to 0 to 1.
    """
    if not _asks_spans(sample):
        return 0.0
    if parsed.span is not None and not all(map(math.isfinite, parsed.span)):
        return 0.0
    table = grounding(CARD, [sample], [parsed], protocol)
    return _unit(float(table.columns[table.primary].values[0]))


def boundary(sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return tIoU * (1 - |error of the start| / D) * (1 - |error of the end| / D).

    D is the video's length; an error counts at most D. The reward of Time-R1
    (xiaomi-research/time-r1, second version). Raises UserError without a duration.
    """
    overlap = tiou(sample, parsed, protocol)
    if not overlap or parsed.span is None:
        return overlap
    if sample.duration is None:
        raise UserError(f"{sample.id} has no duration, which the reward `boundary` needs.")
    spans, _ = ranked_spans([parsed], protocol.score)
    targets, _ = target_spans([sample], protocol)
    length = 1.0 if protocol.answer.unit == "percent" else sample.duration
    return _unit(overlap * float(discounts(spans, targets, np.array([length]))[0, 0]))


def wasserstein(sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return exp(-W1 / (|Y| + epsilon)) of all spans against all target spans, Y (TimeLens2).

    W1: see `wasserstein_distance`; |Y| is the length of the union of the target spans. It ranks
    answers that miss the moment, for which IoU is 0. Without a proper span 0.
    """
    answer, target = _segments(sample, parsed, protocol)
    if not (len(answer) and len(target)):
        return _rightly_absent(sample, parsed)
    distance = wasserstein_distance(answer, target)
    length = float((target[:, 1] - target[:, 0]).sum())
    return _unit(math.exp(-distance / (length + EPSILON))) if math.isfinite(distance) else 0.0


def segment_iou(sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return the IoU of the union of all spans with the union of all target spans."""
    answer, target = _segments(sample, parsed, protocol)
    if not (len(answer) and len(target)):
        return _rightly_absent(sample, parsed)
    with np.errstate(over="ignore"):
        return _unit(float(set_iou([answer], [target])[0]))


def choice(sample: Sample, parsed: ParsedAnswer) -> float:
    """Return 1 where the right option is named, as in the score."""
    return float(sample.asks is not OutputType.SPANS and sample.target.choice in parsed.letters)


def parse_penalty(parsed: ParsedAnswer) -> float:
    """Return -1 where neither a span nor an option nor a "never" could be read, else 0."""
    return 0.0 if parsed.spans or parsed.absent or parsed.letters else -1.0


def wasserstein_distance(first: Floats, second: Floats) -> float:
    """Return the 1-Wasserstein distance of two uniform densities, in the unit of the times.

    first, second: unions of intervals, [P, 2] and [K, 2] (start, end), as `merged` gives them,
    neither empty. Each density is uniform over its union and has mass 1. In one dimension W1 is the
    integral of |F - G| over the two cumulative distributions (Villani, Topics in Optimal
    Transportation, 2003, theorem 2.18). Between neighbouring ends F - G is linear from a to b over
    a width w. The integral of its absolute value is w (|a| + |b|) / 2 where it keeps its sign and
    w (a² + b²) / (2 (|a| + |b|)) where it crosses 0. The sum of these integrals is exact.
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
    """Return [P, 2]: the union of spans, in order of time, as disjoint intervals.

    Spans that are empty, reversed or not finite are left out, as in `set_iou`.
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
    cumulative: Floats = np.interp(times, union.ravel(), shares)
    return cumulative


def _segments(
    sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol
) -> tuple[Floats, Floats]:
    """Return the unions of the answer's and of the target's spans, in the unit of the score."""
    targets, _ = target_spans([sample], protocol)
    return merged(parsed.spans), merged(targets[0][existing(targets[0])])


def _asks_spans(sample: Sample) -> bool:
    return sample.asks is not OutputType.CHOICE


def _rightly_absent(sample: Sample, parsed: ParsedAnswer) -> float:
    return float(_asks_spans(sample) and not sample.target.spans and parsed.absent)


def _unit(value: float) -> float:
    """Return the value limited to 0 to 1, and 0 for a value that is not finite."""
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0
