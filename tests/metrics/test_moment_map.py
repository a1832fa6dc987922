import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.metrics.moment_map import (
    LENGTH_RANGES,
    THRESHOLDS,
    average_precisions,
    first_ious,
    length_range,
    sums_of_selected,
)

NAN, INF = np.nan, np.inf
seconds = st.integers(0, 30).map(float)
proper = st.tuples(seconds, st.integers(1, 12).map(float)).map(lambda s: (s[0], s[0] + s[1]))
time = st.one_of(seconds, st.sampled_from([NAN, INF, -INF]))
messy = st.one_of(proper, proper.map(lambda s: s[::-1]), st.tuples(time, time))
score = st.sampled_from([0.1, 0.2, 0.5, NAN, INF, -INF])
query = st.tuples(
    st.lists(st.tuples(messy, score), min_size=1, max_size=14),
    st.lists(proper, min_size=0, max_size=6),
)
modes = st.sampled_from(["zero", "official"])


def arrays(queries):
    spans = [np.array([span for span, _ in spans], dtype=float) for spans, _ in queries]
    scores = [np.array([score for _, score in spans], dtype=float) for spans, _ in queries]
    return spans, scores, [np.array(targets, dtype=float).reshape(-1, 2) for _, targets in queries]


def one(spans, targets, scores=None, thresholds=(0.5,), non_finite="zero", **options):
    """The average precision of a single query at one threshold."""
    spans, targets = (np.array(pairs, dtype=float).reshape(-1, 2) for pairs in (spans, targets))
    scores = np.array(range(len(spans), 0, -1) if scores is None else scores, dtype=float)
    precisions = average_precisions(
        [spans], [scores], [targets], thresholds, non_finite=non_finite, **options
    )
    return float(precisions[0, 0])


def first(spans, targets, non_finite="zero"):
    spans, targets = (np.array(pairs, dtype=float).reshape(-1, 2) for pairs in (spans, targets))
    return float(first_ious([spans], [targets], non_finite=non_finite)[0])


def official_by_loops(spans, targets, threshold):
    """One query at one threshold by the evaluator's algorithm, span by span."""
    free, hits = [True] * len(targets), []
    for (start, end), _ in sorted(spans[:10], key=lambda pair: -pair[1]):
        shared = np.clip(np.minimum(end, targets[:, 1]) - np.maximum(start, targets[:, 0]), 0, None)
        overlaps = shared / ((end - start) + (targets[:, 1] - targets[:, 0]) - shared)
        matched = False
        # the order of ties in the evaluator's quicksort where numpy has no vectorised sort
        for target in overlaps.argsort(kind="stable")[::-1].tolist():
            if overlaps[target] < threshold:
                break
            if free[target]:
                free[target], matched = False, True
                break
        hits.append(matched)
    precision = [sum(hits[: n + 1]) / (n + 1) for n in range(len(hits))]
    return sum(max(precision[n:]) for n in range(len(hits)) if hits[n]) / len(targets)


@given(st.lists(query, min_size=1, max_size=6))
def test_the_official_rule_agrees_with_the_evaluators_loops_on_any_input(queries):
    spans, scores, targets = arrays(queries)
    precisions = average_precisions(spans, scores, targets, non_finite="official")
    for row, (pairs, _) in enumerate(queries):
        for column, threshold in enumerate(THRESHOLDS):
            with np.errstate(all="ignore"):
                expected = (
                    official_by_loops(pairs, targets[row], threshold) if len(targets[row]) else NAN
                )
            assert precisions[row, column] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("mode", ["zero", "official"])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_of_targets_with_equal_iou_the_last_is_matched(count, mode):
    targets = [(k, k + 1) for k in range(count)]
    spans = [(0, count), targets[-1]]  # the target of the second span is matched by then
    precisions = one(spans, targets, thresholds=(1 / count,), non_finite=mode)
    assert precisions == pytest.approx(1 / count)


@given(st.lists(query, min_size=1, max_size=6), modes, st.randoms())
def test_the_order_of_queries_does_not_matter(queries, mode, random):
    order = list(range(len(queries)))
    random.shuffle(order)
    spans, scores, targets = arrays(queries)
    mixed = arrays([queries[row] for row in order])
    precisions = average_precisions(spans, scores, targets, non_finite=mode)
    np.testing.assert_array_equal(precisions[order], average_precisions(*mixed, non_finite=mode))
    ious = first_ious(spans, targets, non_finite=mode)
    np.testing.assert_array_equal(ious[order], first_ious(mixed[0], mixed[2], non_finite=mode))


@given(st.lists(query, min_size=1, max_size=6), modes)
def test_values_lie_within_0_and_1_and_only_queries_without_targets_are_nan(queries, mode):
    spans, scores, targets = arrays(queries)
    has_targets = np.array([len(spans) > 0 for spans in targets])
    precisions = average_precisions(spans, scores, targets, non_finite=mode)
    assert np.isnan(precisions[~has_targets]).all()
    assert ((precisions[has_targets] >= 0) & (precisions[has_targets] <= 1 + 1e-12)).all()
    ious = first_ious(spans, targets, non_finite=mode)
    assert np.isnan(ious[~has_targets]).all()
    assert ((ious[has_targets] >= 0) & (ious[has_targets] <= 1)).all()


@given(st.lists(proper, min_size=1, max_size=10, unique=True), modes, st.randoms())
def test_a_perfect_prediction_gives_1(targets, mode, random):
    spans = random.sample(targets, len(targets))
    assert one(spans, targets, thresholds=THRESHOLDS, non_finite=mode) == pytest.approx(1.0)
    assert first(spans, targets, mode) == 1.0


@given(query)
def test_invalid_spans_have_the_effect_of_spans_that_hit_nothing(query):
    spans, scores, targets = arrays([query])
    usable = np.isfinite(spans[0]).all(axis=1) & (spans[0][:, 0] < spans[0][:, 1])
    moved = [np.where(usable[:, None], spans[0], (900.0, 901.0))]
    np.testing.assert_array_equal(
        average_precisions(spans, scores, targets, non_finite="zero"),
        average_precisions(moved, scores, targets, non_finite="zero"),
    )


def test_precision_is_interpolated_over_recall():
    targets = [(0, 10), (20, 30)]
    assert one([(0, 10), (50, 60), (20, 30)], targets) == pytest.approx((1 + 2 / 3) / 2)
    assert one([(50, 60), (0, 10), (20, 30)], targets) == pytest.approx(2 / 3)
    assert one([(0, 10)], targets) == 0.5
    assert one([(50, 60)], targets) == 0.0


def test_scores_rank_and_ties_keep_the_order_of_the_list():
    spans = [(50, 60), (0, 10)]
    assert one(spans, [(0, 10)], scores=[0.1, 0.9]) == 1.0
    assert one(spans, [(0, 10)], scores=[0.5, 0.5]) == 0.5


def test_only_the_first_ten_spans_of_the_list_count_whatever_their_score():
    spans = [(50 + n, 60 + n) for n in range(10)] + [(0, 10)]
    assert one(spans, [(0, 10)], scores=[0.1] * 10 + [0.9]) == 0.0
    assert one(spans, [(0, 10)], scores=[0.1] * 10 + [0.9], limit=11) == 1.0


def test_a_target_is_matched_once():
    assert one([(0, 10), (0, 10)], [(0, 10), (20, 30)]) == 0.5


def test_a_span_is_matched_to_the_best_unmatched_target():
    overlapping = [(0, 10), (0, 11)]
    assert one([(0, 10), (0, 10)], overlapping) == 1.0
    assert one([(0, 10), (0, 10)], overlapping, thresholds=(0.95,)) == 0.5


def test_an_iou_equal_to_the_threshold_is_a_hit():
    assert one([(0, 10)], [(0, 5)]) == 1.0


def test_a_query_without_targets_is_nan_and_others_are_not():
    spans = [np.array([[0.0, 5.0]])] * 2
    targets = [np.empty((0, 2)), np.array([[0.0, 5.0]])]
    precisions = average_precisions(spans, [np.ones(1)] * 2, targets, (0.5,), non_finite="official")
    np.testing.assert_array_equal(precisions, [[NAN], [1.0]])
    ious = first_ious(spans, targets, non_finite="official")
    np.testing.assert_array_equal(ious, [NAN, 1.0])


@pytest.mark.parametrize("span", [(NAN, NAN), (0, NAN), (10, 0), (0, INF), (-INF, INF), (5, 5)])
def test_invalid_spans_never_hit_under_the_strict_rule(span):
    assert one([span], [(0, 10)]) == 0.0
    assert first([span], [(0, 10)]) == 0.0
    assert one([span, (0, 10)], [(0, 10)]) == 0.5


@pytest.mark.parametrize(
    ("span", "expected"), [((NAN, 0), 1.0), ((10, 0), 1.0), ((0, INF), 0.0), ((5, 5), 0.0)]
)
def test_a_nan_iou_hits_in_the_official_ap_and_misses_in_the_official_first_iou(span, expected):
    assert one([span], [(0, 10)], thresholds=(0.95,), non_finite="official") == expected
    assert first([span], [(0, 10)], "official") == 0.0


def test_non_finite_scores_rank_last_under_the_strict_rule():
    spans, targets = [(50, 60), (0, 10)], [(0, 10)]
    for bad in (NAN, INF, -INF):
        assert one(spans, targets, scores=[bad, 0.1]) == 1.0


def test_no_spans_score_0_or_raise_where_the_evaluator_stops():
    assert one([], [(0, 10)]) == 0.0
    assert first([], [(0, 10)]) == 0.0
    with pytest.raises(ValueError, match=r"query 0 .* no spans"):
        one([], [(0, 10)], non_finite="official")
    with pytest.raises(ValueError, match=r"query 0 .* no spans"):
        first([], [(0, 10)], "official")


def test_each_span_needs_a_score_and_each_query_targets():
    span = np.array([[0.0, 10.0]])
    with pytest.raises(ValueError, match="one score for each"):
        average_precisions([span], [np.empty(0)], [span], non_finite="zero")
    with pytest.raises(ValueError, match="1 queries have spans, but 2"):
        first_ious([span], [span, span], non_finite="zero")


def test_the_first_iou_is_that_of_the_best_target():
    assert first([(0, 10), (20, 30)], [(20, 30), (0, 5)]) == 0.5


def test_no_queries_give_no_values():
    assert average_precisions([], [], [], non_finite="official").shape == (0, 10)
    assert first_ious([], [], non_finite="zero").shape == (0,)
    assert length_range([], 0, 10) == []


def test_length_ranges_exclude_the_low_end_and_include_the_high_end():
    targets = [np.array([[0.0, 10.0], [20.0, 32.0]]), np.array([[0.0, 30.0], [40.0, 150.0]])]

    def in_range(name):
        return [kept.tolist() for kept in length_range(targets, *LENGTH_RANGES[name])]

    assert in_range("short") == [[[0, 10]], []]
    assert in_range("middle") == [[[20, 32]], [[0, 30]]]
    assert in_range("long") == [[], [[40, 150]]]
    assert in_range("full") == [spans.tolist() for spans in targets]


def test_full_keeps_targets_of_any_length():
    unusual = [np.array([[0.0, 151.0], [5.0, 5.0], [9.0, 2.0]])]
    assert length_range(unusual, *LENGTH_RANGES["full"])[0].shape == (3, 2)


@given(st.integers(0, 2**32 - 1))
def test_sums_equal_those_of_the_selected_values_alone_to_the_last_bit(seed):
    random = np.random.default_rng(seed)
    values, selected = random.random((20, 30)), random.random((20, 30)) < random.random((20, 1))
    expected = [row[mask].sum() for row, mask in zip(values, selected, strict=True)]
    assert sums_of_selected(values, selected).tolist() == expected
