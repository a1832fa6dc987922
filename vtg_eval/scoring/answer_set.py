"""Answers to samples, parsed once for all protocols that parse them alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from vtg_eval.failures import Failure
from vtg_eval.parsing.answers import ParsedAnswer, parse_answer
from vtg_eval.protocol import AnswerRule, Duplicates, ResolvedProtocol
from vtg_eval.types import Prediction, Sample, scored

POOLED = 10  # spans of each record, where records for one sample are pooled


class ParsedAnswers(NamedTuple):
    """A set of answers under a protocol: one parsed answer for each sample, and failure counts."""

    parsed_answers: tuple[ParsedAnswer, ...]
    failures: Mapping[Failure, int]


class AnswerSet:
    """Answers to samples, in any order. Some may be missing, duplicates, or to no sample."""

    def __init__(self, samples: Iterable[Sample], predictions: Iterable[Prediction]) -> None:
        self.samples = tuple(samples)
        self._records, self._strays = _by_sample(self.samples, predictions)
        self._parsed: dict[tuple[AnswerRule, Duplicates], ParsedAnswers] = {}

    def parse(self, protocol: ResolvedProtocol) -> ParsedAnswers:
        """Parse the answers as the protocol does."""
        duplicates = protocol.score.duplicates
        if duplicates == "last" and not self._strays[Failure.DUPLICATE]:
            duplicates = "first"  # the same records
        key = (protocol.answer, duplicates)
        if key not in self._parsed:
            choose, records = CHOOSE[duplicates], self._records
            answers = [choose(records[s.id]) if s.id in records else None for s in self.samples]
            pairs = zip(self.samples, answers, strict=True)
            parsed_answers = tuple([parse_answer(*pair, protocol) for pair in pairs])
            failures = _failure_counts(parsed_answers, self._strays)
            self._parsed[key] = ParsedAnswers(parsed_answers, failures)
        return self._parsed[key]


def _by_sample(
    samples: Iterable[Sample], predictions: Iterable[Prediction]
) -> tuple[dict[str, list[Prediction]], Counter[Failure]]:
    """Return the predictions for each sample id that has some, and counts of stray records."""
    ids = {sample.id for sample in samples}
    records: dict[str, list[Prediction]] = {}
    strays: Counter[Failure] = Counter()
    for prediction in predictions:
        if prediction.id not in ids:
            strays[Failure.UNKNOWN_ID] += 1
            continue
        if prediction.id in records:
            strays[Failure.DUPLICATE] += 1
        records.setdefault(prediction.id, []).append(prediction)
    return records, strays


def _cut(prediction: Prediction) -> Prediction:
    """Return the prediction with the first ten spans only."""
    if prediction.spans is None:
        return prediction
    return replace(prediction, spans=prediction.spans[:POOLED])


def _pooled(whole_records: Sequence[Prediction]) -> Prediction:
    """Return the last record with the spans of all records, those of the last listed first.

    Scores become ranks, in which ties keep the order of the records and not of the list.
    """
    records = [*map(_cut, whole_records)]
    last = records[-1]
    if len(records) == 1 or not (last.spans and scored(last.spans)):
        return last
    spans = [s for record in records if record.spans and scored(record.spans) for s in record.spans]
    # stable; NaN scores rank as Python's sort leaves them
    best_first = sorted(range(len(spans)), key=lambda index: -spans[index].score)
    for rank, index in enumerate(best_first):
        spans[index] = spans[index]._replace(score=-float(rank))
    first_of_last = len(spans) - len(last.spans)
    return replace(last, spans=(*spans[first_of_last:], *spans[:first_of_last]))


CHOOSE: Mapping[Duplicates, Callable[[Sequence[Prediction]], Prediction]] = {
    "first": itemgetter(0),
    "last": itemgetter(-1),
    "pool": _pooled,
}


def _failure_counts(
    parsed_answers: Iterable[ParsedAnswer], strays: Counter[Failure]
) -> dict[Failure, int]:
    counts = strays + Counter(chain.from_iterable(parsed.kinds for parsed in parsed_answers))
    return {kind: counts[kind] for kind in Failure if counts[kind]}
