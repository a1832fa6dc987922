import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.metrics.grounding import (
    best_ious,
    by_score,
    discounts,
    recall_name,
    sample_values,
    suppress,
    suppress_all,
    threshold_ious,
)
from vtg_eval.protocol import ScoreRule

NAN = math.nan
IOUS = np.array([[0.5], [0.3], [0.704], [0.0]])
times = st.integers(0, 60).map(lambda n: n / 2)
lists = st.lists(st.tuples(times, times), min_size=1, max_size=8)


def means(rule: ScoreRule, ious=IOUS, worth=None):
    return {name: float(values.mean()) for name, values in sample_values(ious, rule, worth).items()}


def all_of(spans):
    return np.ones(np.asarray(spans).shape[:2], dtype=bool)


def test_recall_reaches_or_exceeds_the_threshold():
    assert means(ScoreRule())["R1@0.5"] == 0.5
    assert means(ScoreRule(comparator=">"))["R1@0.5"] == 0.25


def test_rounding_comes_before_the_threshold():
    assert means(ScoreRule(thresholds=(0.71,)), IOUS + 0.002)["R1@0.71"] == 0.0
    assert means(ScoreRule(thresholds=(0.71,), iou_decimals=2), IOUS + 0.002)["R1@0.71"] == 0.25


def test_recall_at_several_ranks_and_miou_of_the_first():
    ious = np.array([[0.1, 0.9], [0.8, 0.0]])
    metrics = means(ScoreRule(thresholds=(0.5,), ranks=(1, 2)), ious)
    assert metrics == {"R1@0.5": 0.5, "R2@0.5": 1.0, "mIoU": pytest.approx(0.45)}


@pytest.mark.parametrize("comparator", [">", ">="])
@pytest.mark.parametrize("decimals", [-1, 2])
def test_a_nan_iou_is_no_hit_and_later_ranks_still_count(comparator, decimals):
    rule = ScoreRule((0.5,), comparator=comparator, ranks=(1, 2), iou_decimals=decimals)
    values = sample_values(np.array([[NAN, 0.9], [NAN, NAN]]), rule)
    assert values["R1@0.5"].tolist() == [0.0, 0.0]
    assert values["R2@0.5"].tolist() == [1.0, 0.0]
    assert np.isnan(values["mIoU"]).all()


def test_each_threshold_may_have_a_separate_ranking():
    ious = np.array([[[0.4, 0.9]], [[0.4, 0.2]]])
    metrics = means(ScoreRule(thresholds=(0.3, 0.7), ranks=(1, 2)), ious)
    assert metrics == {"R1@0.3": 1, "R1@0.7": 0, "R2@0.3": 1, "R2@0.7": 0, "mIoU": 0.4}


def test_a_recall_is_named_by_rank_and_threshold():
    assert recall_name(5, 0.5) == "R5@0.5"


def test_the_best_occurrence_counts():
    spans = np.array([[[0.0, 10.0]]])
    targets = np.array([[[20.0, 30.0], [0.0, 5.0], [NAN, NAN]]])
    assert best_ious(spans, targets).tolist() == [[0.5]]


@pytest.mark.parametrize("rule", ["zero", "truth-first", "signed", "spread"])
def test_padding_has_no_overlap_under_any_rule(rule):
    spans = np.array([[[0.0, 10.0], [NAN, NAN]], [[0.0, 10.0], [NAN, NAN]]])
    targets = np.array([[[0.0, 5.0], [NAN, NAN]], [[NAN, NAN], [NAN, NAN]]])
    assert best_ious(spans, targets, rule).tolist() == [[0.5, 0.0], [0.0, 0.0]]
    assert best_ious(spans, targets[:, :0], rule).tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("rule", "expected"), [("zero", 0.0), ("truth-first", 1.0), ("signed", 1.0), ("spread", NAN)]
)
def test_a_nan_answer_differs_from_no_answer(rule, expected):
    spans, targets = np.full((2, 1, 2), NAN), np.array([[[0.0, 10.0]]] * 2)
    ious = best_ious(spans, targets, rule, exists=np.array([[True], [False]]))
    assert ious.ravel().tolist() == [pytest.approx(expected, nan_ok=True), 0.0]


def test_a_span_marked_as_padding_does_not_count():
    spans = np.array([[[0.0, 10.0]]])
    assert best_ious(spans, spans, exists=np.array([[False]])).tolist() == [[0.0]]


def test_a_discount_is_the_product_of_both_errors():
    spans, targets = np.array([[[10.0, 50.0]]]), np.array([[[0.0, 80.0], [NAN, NAN]]])
    assert discounts(spans, targets, np.array([100.0])).tolist() == [[pytest.approx(0.9 * 0.7)]]


def test_a_discount_is_computed_for_the_best_occurrence():
    spans, targets = np.array([[[60.0, 80.0]]]), np.array([[[0.0, 10.0], [60.0, 90.0]]])
    assert discounts(spans, targets, np.array([100.0])).tolist() == [[pytest.approx(0.9)]]


@pytest.mark.parametrize("span", [(NAN, 5.0), (NAN, NAN), (-math.inf, 5.0), (0.0, 1e9)])
def test_a_discount_is_zero_for_an_error_beyond_the_duration(span):
    discount = discounts(np.array([[span]]), np.array([[[0.0, 10.0]]]), np.array([20.0]))
    assert discount.tolist() == [[0.0]]


def test_a_discount_is_zero_without_a_target():
    assert discounts(np.zeros((1, 2, 2)), np.empty((1, 0, 2)), np.ones(1)).tolist() == [[0.0, 0.0]]


@given(lists, st.tuples(st.floats(), st.floats()), st.floats(0.5, 60))
def test_discounts_are_bounded(targets, span, duration):
    discount = discounts(np.array([[span]]), np.array([targets]), np.array([duration]))
    assert 0.0 <= discount.item() <= 1.0


def test_discounted_recall_is_that_of_the_best_hit():
    rule = ScoreRule(thresholds=(0.5,), ranks=(1, 3), discounted=True)
    ious, worth = np.array([[0.6, 0.4, 0.9]]), np.array([[0.5, 0.9, 0.8]])
    metrics = means(rule, ious, worth)
    assert metrics == {"R1@0.5": 1, "R3@0.5": 1, "mIoU": 0.6, "dR1@0.5": 0.5, "dR3@0.5": 0.8}


def test_discounted_recall_needs_discounts():
    with pytest.raises(ValueError, match="discounts"):
        sample_values(IOUS, ScoreRule(discounted=True))


def test_suppression_keeps_rank_order_and_drops_overlaps():
    spans = np.array([[0.0, 10.0], [1.0, 10.0], [20.0, 30.0], [0.0, 5.0]])
    assert suppress(spans, 0.45, keep=5) == [0, 2]
    assert suppress(spans, 0.5, keep=5) == [0, 2, 3]
    assert suppress(spans, 0.5, keep=2) == [0, 2]
    assert suppress(spans[:0], 0.5, keep=2) == []


def test_suppression_drops_spans_of_undefined_iou():
    spans = np.array([[5.0, 5.0], [5.0, 5.0], [NAN, 1.0], [8.0, 8.0], [0.0, 9.0]])
    assert suppress(spans, 1.0, keep=5) == [0, 4]
    assert suppress(np.array([[0.0, 10.0], [0.0, 10.0]]), 1.0, keep=5) == [0, 1]


@given(st.lists(lists, min_size=1, max_size=5), st.sampled_from([0.3, 0.45, 1.0]))
def test_suppression_of_a_batch_equals_that_of_single_samples(rows, threshold):
    width = max(map(len, rows))
    spans, exists = np.full((len(rows), width, 2), NAN), np.zeros((len(rows), width), dtype=bool)
    for row, ranking in enumerate(rows):
        spans[row, : len(ranking)], exists[row, : len(ranking)] = ranking, True
    kept, mask = suppress_all(spans, exists, threshold, 4)
    for row, ranking in enumerate(rows):
        single = np.array(ranking)
        assert kept[row, mask[row]].tolist() == single[suppress(single, threshold, 4)].tolist()
        assert np.isnan(kept[row, ~mask[row]]).all()


def test_spans_are_ordered_by_score_and_of_equal_scores_the_later_comes_first():
    spans = np.arange(10, dtype=np.float64).reshape(1, 5, 2)
    exists = np.array([[True, True, True, True, False]])
    ranked, ranked_exists = by_score(spans, np.array([[0.5, NAN, 0.5, 0.7, 0.9]]), exists)
    assert ranked[0, :, 0].tolist() == [6.0, 4.0, 0.0, 2.0, 8.0]
    assert ranked_exists.tolist() == [[True, True, True, True, False]]


def test_each_threshold_suppresses_by_its_own_margin():
    # the IoU of both spans is 0.4: the second is dropped at threshold 0.3 and kept at 0.5
    spans, targets = np.array([[[0.0, 10.0], [0.0, 4.0]]]), np.array([[[0.0, 4.0]]])
    rule = ScoreRule(thresholds=(0.3, 0.5), ranks=(1, 2))
    ious = threshold_ious(spans, targets, rule, all_of(spans), below=0.05)
    assert ious.tolist() == [[[0.4, 0.0]], [[0.4, 1.0]]]
    assert means(rule, ious) == {"R1@0.3": 1, "R1@0.5": 0, "R2@0.3": 1, "R2@0.5": 1, "mIoU": 0.4}
