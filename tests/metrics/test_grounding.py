import numpy as np
import pytest

from vtg_eval.metrics.grounding import best_ious, percentages, sample_values, suppress
from vtg_eval.protocol import ScoreRule

IOUS = np.array([[0.5], [0.3], [0.704], [0.0]])
ALL = np.ones(4, dtype=bool)


def figures(rule: ScoreRule, ious=IOUS, counted=ALL):
    return percentages(sample_values(ious, rule), counted, rule)


def test_recall_reaches_or_exceeds_the_threshold():
    assert figures(ScoreRule())["R1@0.5"] == 50.0
    assert figures(ScoreRule(comparator=">"))["R1@0.5"] == 25.0


def test_rounding_comes_before_the_threshold():
    assert figures(ScoreRule(thresholds=(0.71,)), IOUS + 0.002)["R1@0.71"] == 0.0
    assert figures(ScoreRule(thresholds=(0.71,), iou_decimals=2), IOUS + 0.002)["R1@0.71"] == 25.0


def test_recall_at_several_ranks_and_miou_of_the_first():
    ious = np.array([[0.1, 0.9], [0.8, 0.0]])
    found = figures(ScoreRule(thresholds=(0.5,), ranks=(1, 2)), ious, ALL[:2])
    assert found == {"R1@0.5": 50.0, "R2@0.5": 100.0, "mIoU": pytest.approx(45.0)}


def test_average_is_of_miou_and_recalls():
    found = figures(ScoreRule(average=True))
    rest = [found[name] for name in ("mIoU", "R1@0.3", "R1@0.5", "R1@0.7")]
    assert found["avg"] == pytest.approx(sum(rest) / 4)


def test_only_counted_samples_count():
    counted = np.array([True, False, False, True])
    assert figures(ScoreRule(), counted=counted)["R1@0.3"] == 50.0
    assert figures(ScoreRule(), counted=~ALL)["mIoU"] == 0.0


@pytest.mark.parametrize("arithmetic", ["sum*100/n", "sum/n*100", "mean*100"])
def test_arithmetic_moves_the_last_digits_only(arithmetic):
    ious = np.random.default_rng(0).random((1001, 1))
    counted = np.ones(1001, dtype=bool)
    found = figures(ScoreRule(arithmetic=arithmetic), ious, counted)["mIoU"]
    assert found == pytest.approx(float(ious.mean()) * 100, rel=1e-12)


def test_best_occurrence_counts():
    spans = np.array([[[0.0, 10.0]]])
    targets = np.array([[[20.0, 30.0], [0.0, 5.0], [np.nan, np.nan]]])
    assert best_ious(spans, targets).tolist() == [[0.5]]


def test_suppression_keeps_rank_order_and_drops_overlaps():
    spans = np.array([[0.0, 10.0], [1.0, 10.0], [20.0, 30.0], [0.0, 5.0]])
    assert suppress(spans, 0.45, keep=5) == [0, 2]
    assert suppress(spans, 0.5, keep=5) == [0, 2, 3]
    assert suppress(spans, 0.5, keep=2) == [0, 2]
