import math

import pytest
from vtg_eval.tasks.didemo import TASK

from vtg_eval.registry import Registry
from vtg_eval.scoring.floors import floors
from vtg_eval.scoring.score import score as score_samples
from vtg_eval.types import Prediction, Sample, Span, Target

REGISTRY = Registry.discover()
EVERY = [(5.0 * a, 5.0 * b) for a in range(6) for b in range(a + 1, 7)]


def sample(*annotators, name="1"):
    spans = tuple(Span(*span) for span in annotators)
    return Sample(name, "v", "q", Target(spans), duration=30.0)


def score(samples, *spans, protocol="didemo@1"):
    answers = [Prediction("1", spans=tuple(Span(*span) for span in spans))] if spans else []
    return score_samples(
        TASK.card, samples, answers, REGISTRY.protocol_for(TASK.card, protocol), "val"
    )


def metrics_of(*arguments, **options):
    return [*score(*arguments, **options).metrics.values()]


def test_names_and_primary_metric():
    result = score([sample((0, 5))], (0, 5))
    assert ([*result.metrics], result.table.primary) == (["rank@1", "rank@5", "mIoU"], "mIoU")


def test_the_three_annotators_that_the_ranking_fits_best_count():
    annotators = [(0, 5), (0, 5), (0, 5), (25, 30)]
    ranking = [(0, 5), *(span for span in EVERY if span != (0, 5))]
    assert metrics_of([sample(*annotators)], *ranking) == [100.0, 100.0, 100.0]
    # ranks 1, 1 and 21: a mean of 7.67
    ranking = [*(span for span in ranking if span != (25, 30)), (25, 30)]
    assert metrics_of([sample(*annotators[1:])], *ranking) == [0.0, 0.0, pytest.approx(200 / 3)]


def test_ious_count_whole_chunks():
    assert metrics_of([sample((0, 10), (0, 10), (0, 10))], (5, 15))[2] == pytest.approx(100 / 3)


@pytest.mark.parametrize(
    ("span", "segment"),
    [
        *(((a, b), (0, 5)) for a, b in [(0.9, 4.2), (0, 5), (2.4, 7.4), (-7, 5), (0.1, 0.2)]),
        *(((a, b), (25, 30)) for a, b in [(25, 28.2), (23, 300), (40, 50), (1e300, 1.1e300)]),
        ((7.6, 22.4), (10, 20)),
    ],
)
def test_a_span_is_taken_as_the_nearest_segment(span, segment):
    assert metrics_of([sample(segment, segment, segment)], span) == [100.0, 100.0, 100.0]


@pytest.mark.parametrize("span", [(5, 0), (0, 0), (math.nan, 5), (0, math.inf)])
@pytest.mark.parametrize("protocol", ["didemo@1", "strict@2"])
def test_an_invalid_span_never_hits(span, protocol):
    assert metrics_of([sample((0, 5), (0, 5), (0, 5))], span, protocol=protocol) == [0.0, 0.0, 0.0]


def test_a_list_of_one_span_has_no_advantage():
    # ranks 1, 1 and, as it is not in the list, 22
    assert metrics_of([sample((0, 5), (0, 5), (5, 10))], (0, 5))[:2] == [0.0, 0.0]


def test_a_sample_without_an_answer_scores_0():
    samples = [sample((0, 5)), sample((0, 5), name="2")]
    for protocol in ("didemo@1", "strict@2"):
        result = score(samples, (0, 5), protocol=protocol)
        assert ([*result.metrics.values()], result.n_scored) == ([50.0, 50.0, 50.0], 2)


def test_floors_of_segments():
    samples = [sample((0, 5), (0, 5), (0, 5)), sample((0, 30), (0, 30), (0, 30), name="2")]
    rows = floors(
        TASK.card, "val", samples, REGISTRY.protocol_for(TASK.card, "strict@2"), (0.0, 0.15)
    )
    assert [*rows[0].metrics.values()] == [50.0, 50.0, pytest.approx(100 * (1 + 1 / 6) / 2)]
    assert [row.name for row in rows] == ["whole video", "random", "constant [0, 0.15]"]
