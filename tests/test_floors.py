import numpy as np
import pytest
from grounding_case import CARD, SAMPLES, protocol, sample

from vtg_eval.floors import constant_score, fit_constant, floors, grid_ceiling, random_score

STRICT = protocol()


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


def test_random_is_the_expectation_of_two_sorted_uniform_times():
    # against [0, D] the IoU of two sorted uniform times is their distance: mean 1/3,
    # and P(distance >= t) = (1 - t)^2
    samples = [sample(f"{k}/0", (0, 20)) for k in range(50)]
    found = random_score(samples, STRICT)
    assert found["mIoU"] == pytest.approx(100 / 3, abs=0.1)
    assert found["R1@0.5"] == pytest.approx(25.0, abs=0.3)
    assert found == random_score(samples, STRICT)


def test_floors_never_hit_an_event_that_never_happens():
    for floor in floors(CARD, (sample("b/0"),), STRICT, [sample("a/0", (0, 10))]):
        assert set(floor.metrics.values()) == {0.0}


def test_floors_follow_the_protocol_and_need_every_duration():
    samples = (sample("a/0", (0, 10)),)
    names = [floor.name for floor in floors(CARD, samples, STRICT, samples)]
    assert names == ["whole video", "random", "constant [0, 0.5]"]
    whole = floors(CARD, samples, protocol(comparator=">", average=True))[0]
    assert (whole.metrics["R1@0.5"], "avg" in whole.metrics) == (0.0, True)
    assert floors(CARD, (*samples, sample("b/0", (0, 1), duration=None)), STRICT) == ()


def test_ceiling_of_the_frame_grid():
    times = {s.id: np.array([0.0, 4.0, 8.0, 12.0]) for s in SAMPLES}
    found = grid_ceiling(SAMPLES, times, STRICT)
    # [0, 10] is best met by [0, 8] or [0, 12], [5, 10] by [4, 8], [4, 12] or [8, 12]
    assert found["mIoU"] == pytest.approx(100 * (10 / 12 + 5 / 8 + 1) / 3)


def test_ceiling_is_what_an_exhaustive_search_finds():
    generator = np.random.default_rng(3)
    times = np.sort(generator.random(7) * 20)
    samples = [sample(f"{k}/0", tuple(np.sort(generator.random(2) * 20))) for k in range(30)]
    grid = [(s / 20, e / 20) for s in times for e in times if s < e]
    best = np.mean(
        [max(constant_score([one], STRICT, pair)["mIoU"] for pair in grid) for one in samples]
    )
    found = grid_ceiling(samples, {s.id: times for s in samples}, STRICT)
    assert found["mIoU"] == pytest.approx(best)
    assert grid_ceiling(samples[:1], {samples[0].id: times[:0]}, STRICT)["mIoU"] == 0.0
