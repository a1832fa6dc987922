"""Answers to samples, read once for all protocols that read them alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from vtg_eval.failures import Failure
from vtg_eval.parsing.answers import ParsedAnswer, parse_answer
from vtg_eval.protocol import AnswerRule, Duplicates, ResolvedProtocol
from vtg_eval.types import Prediction, Sample, scored

POOLED = 10  # spans of each record, where records for one sample are pooled


class Read(NamedTuple):
    """What a protocol sees in a set of answers: a reading for each sample, and the ledger."""

    parsed_answers: tuple[ParsedAnswer, ...]
    failures: Mapping[Failure, int]


class AnswerSet:
    """Answers to samples, in any order. Some may be missing, said twice, or to no sample."""

    def __init__(self, samples: Iterable[Sample], predictions: Iterable[Prediction]) -> None:
        self.samples = tuple(samples)
        self._predictions = tuple(predictions)
        self._read: dict[tuple[AnswerRule, Duplicates], Read] = {}

    def read(self, protocol: ResolvedProtocol) -> Read:
        """Read the answers as the protocol does."""
        key = (protocol.answer, protocol.score.duplicates)
        if key not in self._read:
            answers, strays = _by_sample(self.samples, self._predictions, protocol.score.duplicates)
            parsed_answers = tuple(
                parse_answer(each, answers.get(each.id), protocol) for each in self.samples
            )
            self._read[key] = Read(parsed_answers, _ledger(parsed_answers, strays))
        return self._read[key]


def _by_sample(
    samples: Iterable[Sample], predictions: Iterable[Prediction], duplicates: Duplicates
) -> tuple[dict[str, Prediction], Counter[Failure]]:
    known = {sample.id for sample in samples}
    records: dict[str, list[Prediction]] = {}
    strays: Counter[Failure] = Counter()
    for prediction in predictions:
        if prediction.id not in known:
            strays[Failure.UNKNOWN_ID] += 1
            continue
        if prediction.id in records:
            strays[Failure.DUPLICATE] += 1
        records.setdefault(prediction.id, []).append(prediction)
    match duplicates:
        case "first":
            return {key: each[0] for key, each in records.items()}, strays
        case "last":
            return {key: each[-1] for key, each in records.items()}, strays
        case "pool":
            return {key: _pooled([*map(_cut, each)]) for key, each in records.items()}, strays


def _cut(prediction: Prediction) -> Prediction:
    """Return the prediction with the first ten spans only."""
    if prediction.spans is None:
        return prediction
    return replace(prediction, spans=prediction.spans[:POOLED])


def _pooled(records: Sequence[Prediction]) -> Prediction:
    """Return the last record with the spans of all, its own listed first.

    Its spans are ranked in the order of the records: scores become ranks, for which the order of
    the list does not matter.
    """
    last = records[-1]
    if len(records) == 1 or not (last.spans and scored(last.spans)):
        return last
    spans = [s for each in records if each.spans and scored(each.spans) for s in each.spans]
    # stable; NaN as it falls
    best_first = sorted(range(len(spans)), key=lambda place: -spans[place].score)
    for rank, place in enumerate(best_first):
        spans[place] = spans[place]._replace(score=-float(rank))
    own = len(spans) - len(last.spans)
    return replace(last, spans=(*spans[own:], *spans[:own]))


def _ledger(parsed_answers: Iterable[ParsedAnswer], strays: Counter[Failure]) -> dict[Failure, int]:
    counts = strays + Counter(kind for reading in parsed_answers for kind in reading.kinds)
    return {kind: counts[kind] for kind in Failure if counts[kind]}
