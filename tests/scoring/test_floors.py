from dataclasses import replace

import numpy as np
import pytest

from tests.grounding_case import CARD, SAMPLES, protocol, sample
from vtg_eval.scoring.blind import constant, drawn, fit_constant, longest, majority
from vtg_eval.scoring.floors import ceiling, floors
from vtg_eval.scoring.score import score
from vtg_eval.types import OutputType, Prediction, Sample, Target

STRICT = protocol()


def constant_score(samples, rules, fractions):
    pairs = zip(samples, constant(fractions)(samples), strict=True)
    answers = [Prediction(s.id, spans=(span,)) for s, span in pairs]
    return score(CARD, samples, answers, rules, "test").metrics


def test_whole_video_and_constant():
    samples = (sample("a/0", (0, 10)), sample("b/0", (10, 20)))
    assert constant_score(samples, STRICT, (0.0, 1.0))["mIoU"] == 50.0
    assert constant_score(samples, STRICT, (0.0, 0.5)) == {
        "R1@0.3": 50.0,
        "R1@0.5": 50.0,
        "R1@0.7": 50.0,
        "mIoU": 50.0,
    }


def test_fitted_constant_is_the_best_on_the_grid():
    train = [sample("a/0", (5, 10)), sample("b/0", (10, 20), duration=40.0)]
    assert fit_constant(train) == (0.25, 0.5)
    assert fit_constant([sample("a/0", (5, 10), duration=None)]) is None


def test_random_spans_are_the_same_on_every_call():
    samples = [sample(f"{k}/0", (0, 20)) for k in range(500)]
    spans = drawn(samples)
    assert spans == drawn(samples)
    assert all(0 <= span.start <= span.end <= 20 for span in spans)
    # two sorted uniform times are a third of the duration apart on average
    assert np.mean([span.end - span.start for span in spans]) == pytest.approx(20 / 3, rel=0.1)


def test_floors_score_0_on_an_event_that_never_happens():
    for floor in floors(CARD, "test", (sample("b/0"),), STRICT, (0.0, 0.5)):
        assert set(floor.metrics.values()) == {0.0}


def test_floors_follow_the_protocol_and_need_every_duration():
    samples = (sample("a/0", (0, 10)),)
    names = [floor.name for floor in floors(CARD, "test", samples, STRICT, (0.0, 0.5))]
    assert names == ["whole video", "random", "constant [0, 0.5]"]
    whole = floors(CARD, "test", samples, protocol(comparator=">", average=True))[0]
    assert (whole.metrics["R1@0.5"], "avg" in whole.metrics) == (0.0, True)
    unknown = (*samples, sample("b/0", (0, 1), duration=None))
    assert floors(CARD, "test", unknown, STRICT) == ()


def test_floors_of_questions_with_options():
    def question(name, choice, *options):
        return Sample(
            name, "v", "q", Target(choice=choice), options=options, asks=OutputType.CHOICE
        )

    samples = [
        question("1", "B", "long", "b"),
        question("2", "B", "a", "c"),
        question("3", "A", "x", "yy"),
    ]
    assert (majority(samples)[0], longest(samples)[0]) == ("B", "A")
    assert majority([sample("a/0", (0, 1))]) == longest([sample("a/0", (0, 1))]) == [None]
    card = replace(CARD, metric_family="choice")
    accuracies = {
        row.name: row.metrics["accuracy"] for row in floors(card, "test", samples, STRICT)
    }
    assert accuracies == pytest.approx({"majority letter": 200 / 3, "longest option": 0.0})


def test_ceiling_of_the_frame_grid():
    times = {s.id: np.array([0.0, 4.0, 8.0, 12.0]) for s in SAMPLES}
    metrics = ceiling(CARD, "test", SAMPLES, times, STRICT)
    # [0, 10] is best met by [0, 8] or [0, 12], [5, 10] by [4, 8], [4, 12] or [8, 12]
    assert metrics["mIoU"] == pytest.approx(100 * (10 / 12 + 5 / 8 + 1) / 3)


def test_ceiling_is_the_best_of_an_exhaustive_search():
    generator = np.random.default_rng(3)
    times = np.sort(generator.random(7) * 20)
    samples = [sample(f"{k}/0", tuple(np.sort(generator.random(2) * 20))) for k in range(30)]
    grid = [(s / 20, e / 20) for s in times for e in times if s < e]
    best = np.mean(
        [max(constant_score([one], STRICT, pair)["mIoU"] for pair in grid) for one in samples]
    )
    metrics = ceiling(CARD, "test", samples, {s.id: times for s in samples}, STRICT)
    assert metrics["mIoU"] == pytest.approx(best)
    no_frames = ceiling(CARD, "test", samples[:1], {samples[0].id: times[:0]}, STRICT)
    assert no_frames["mIoU"] == 0.0
