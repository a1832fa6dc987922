"""Rewards: pure functions of an answer and its target, with the score's own parser and IoU.

Every part lies between 0 and 1 (the penalty between -1 and 0) and is finite, for any text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from vtg_eval.errors import UserError
from vtg_eval.metrics.grounding import discounts
from vtg_eval.metrics.interval_sets import set_iou
from vtg_eval.metrics.iou import Floats, existing, signed_iou
from vtg_eval.parsing.answers import ParsedAnswer, parse_answer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.scoring.grounding import grounding, ranked_spans, target_spans
from vtg_eval.task import Card
from vtg_eval.types import OutputType, Prediction, Sample

from ..data.answers import well_formed
from ..recipe import RewardRule
from .span_sets import merged, proper, total_length, wasserstein_distance

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
    wasserstein_union: float
    set_iou: float
    giou: float
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
        over_target, over_union = wasserstein(sample, parsed, self.protocol)
        parts = {
            "tiou": tiou(sample, parsed, self.protocol),
            "boundary": self._boundary(sample, parsed),
            "wasserstein": over_target,
            "wasserstein_union": over_union,
            "set_iou": segment_iou(sample, parsed, self.protocol),
            "giou": giou(sample, parsed, self.protocol),
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

    D is the video's length; an error counts at most D. The reward of Time-R1, "iou_v2" of
    xiaomi-research/time-r1 at 8f9c9df5 (main.py), where an error is not limited. Raises UserError
    without a duration.
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


def wasserstein(
    sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol
) -> tuple[float, float]:
    """Return exp(-W1 / (|Y| + epsilon)) and exp(-W1 / |X ∪ Y|), X: all spans, Y: all target spans.

    W1: see `wasserstein_distance`; lengths are of unions. Both rank answers that miss the moment,
    for which IoU is 0; the second gives long answers more, at least exp(-1/2) to a span that holds
    the label. Without a proper span 0. The second is the reward "twass1" of MCG-NJU/TimeLens2 at
    2eb53e25 (grpo/timelens/rewards/metrics.py), with which its recipes train (arXiv 2607.17423);
    the first is ours, after it.
    """
    answer, target = _segments(sample, parsed, protocol)
    if not (len(answer) and len(target)):
        absent = _rightly_absent(sample, parsed)
        return absent, absent
    distance = wasserstein_distance(answer, target)
    both = merged(np.concatenate([answer, target]))
    return (
        _nearness(distance, total_length(target) + EPSILON),
        _nearness(distance, total_length(both)),
    )


def segment_iou(sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return the IoU of the union of all spans with the union of all target spans.

    The reward "tiou" of TimeLens2 (as above; it does not unite target spans that overlap), and that
    of VideoChat-R1 (arXiv 2504.06958) for several moments, src/open_r1/grpo_tasks.py at 9041732e.
    """
    answer, target = _segments(sample, parsed, protocol)
    if not (len(answer) and len(target)):
        return _rightly_absent(sample, parsed)
    with np.errstate(over="ignore"):
        return _unit(float(set_iou([answer], [target])[0]))


def giou(sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol) -> float:
    """Return the mean of (1 + GIoU) / 2 over pairs of an answer's span and a target span.

    Both are put in order of time and paired one by one; a span without a partner counts 0. GIoU is
    IoU less the share of the hull that neither covers (Rezatofighi et al., 2019), for two spans
    the signed IoU. The normalised GIoU of MUSEG (arXiv 2505.20715), as MCG-NJU/TimeLens2 at
    2eb53e25 computes it ("ngiou"); THUNLP-MT/MUSEG itself does not sort. Without a proper span 0.
    """
    answer, target = (proper(spans) for spans in _spans(sample, parsed, protocol))
    if not (len(answer) and len(target)):
        return _rightly_absent(sample, parsed)
    paired = min(len(answer), len(target))
    values = (1 + signed_iou(target[:paired], answer[:paired])) / 2
    return _unit(float(values.sum()) / max(len(answer), len(target)))


def choice(sample: Sample, parsed: ParsedAnswer) -> float:
    """Return 1 where the right option is named, as in the score."""
    return float(sample.asks is not OutputType.SPANS and sample.target.choice in parsed.letters)


def parse_penalty(parsed: ParsedAnswer) -> float:
    """Return -1 where neither a span nor an option nor a "never" could be read, else 0.

    "parse_penalty" of TimeLens2 (as above), for which a reversed span is unreadable, too.
    """
    return 0.0 if parsed.spans or parsed.absent or parsed.letters else -1.0


def _spans(
    sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol
) -> tuple[Floats, Floats]:
    """Return the answer's and the target's spans, [P, 2] and [K, 2], in the unit of the score."""
    targets, _ = target_spans([sample], protocol)
    spans: Floats = np.asarray(parsed.spans, dtype=np.float64).reshape(-1, 2)
    return spans, targets[0][existing(targets[0])]


def _segments(
    sample: Sample, parsed: ParsedAnswer, protocol: ResolvedProtocol
) -> tuple[Floats, Floats]:
    """Return the unions of the answer's and of the target's spans, in the unit of the score."""
    answer, target = _spans(sample, parsed, protocol)
    return merged(answer), merged(target)


def _asks_spans(sample: Sample) -> bool:
    return sample.asks is not OutputType.CHOICE


def _rightly_absent(sample: Sample, parsed: ParsedAnswer) -> float:
    return float(_asks_spans(sample) and not sample.target.spans and parsed.absent)


def _nearness(distance: float, length: float) -> float:
    """Return exp(-distance / length), and 0 where they are not finite."""
    finite = math.isfinite(distance + length)
    return _unit(math.exp(-distance / length)) if finite else 0.0


def _unit(value: float) -> float:
    """Return the value limited to 0 to 1, and 0 for a value that is not finite."""
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0
