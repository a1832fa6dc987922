import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.metrics.highlight import LEVELS, highlight_values

NAN, INF = np.nan, np.inf
value = st.sampled_from([-1.5, -0.5, 0.0, 0.5, 0.75, 2.0])
any_value = st.one_of(value, st.sampled_from([NAN, INF, -INF]))
labels = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12)
query = st.tuples(st.lists(value, min_size=1, max_size=15), labels)
messy = st.tuples(st.lists(any_value, min_size=0, max_size=15), labels)


def arrays(queries):
    return (
        [np.array(values, dtype=float) for values, _ in queries],
        [np.array(marks) for _, marks in queries],
    )


def one(values, marks, non_finite="zero"):
    """Average precision and hit of a single query with a single annotator, at one level."""
    column = 4 * np.array(marks)[:, None]
    result = highlight_values([np.array(values, float)], [column], (2,), non_finite=non_finite)
    return float(result.ap[0, 0]), float(result.hit[0, 0])


def precision_by_thresholds(values, marks):
    """One annotator: every distinct prediction as a threshold, from the lowest up."""
    padded = ([*values, *[0.0] * len(marks)])[: len(marks)]
    highest, gains = 0.0, []
    for threshold in sorted(set(padded)):
        kept = [on for value, on in zip(padded, marks, strict=True) if value >= threshold]
        highest = max(highest, sum(kept) / len(kept))
        if any(on for value, on in zip(padded, marks, strict=True) if value == threshold):
            gains.append(highest)
    return sum(gains) / len(gains) if gains else 0.0


@given(st.lists(query, min_size=1, max_size=5), st.sampled_from(["zero", "official"]))
def test_values_agree_with_a_loop_over_all_thresholds(queries, mode):
    result = highlight_values(*arrays(queries), non_finite=mode)
    for row, (values, marks) in enumerate(queries):
        for k, level in enumerate(LEVELS.values()):
            on = np.array(marks) >= level
            expected = [precision_by_thresholds(values, column.tolist()) for column in on.T]
            assert result.ap[row, k] == pytest.approx(sum(expected) / 3)
            top = values.index(max(values))
            assert result.hit[row, k] == (top < len(on) and on[top].any())


@given(st.lists(messy, min_size=1, max_size=5), st.randoms())
def test_the_order_of_queries_does_not_matter(queries, random):
    order = list(range(len(queries)))
    random.shuffle(order)
    result = highlight_values(*arrays(queries), non_finite="zero")
    mixed = highlight_values(*arrays([queries[row] for row in order]), non_finite="zero")
    np.testing.assert_array_equal(result.ap[order], mixed.ap)
    np.testing.assert_array_equal(result.hit[order], mixed.hit)


@given(st.lists(messy, min_size=1, max_size=5))
def test_values_lie_within_0_and_1(queries):
    result = highlight_values(*arrays(queries), non_finite="zero")
    assert ((result.ap >= 0) & (result.ap <= 1)).all()
    assert np.isin(result.hit, (0, 1)).all()


@given(labels.filter(lambda marks: any(row[0] == 4 for row in marks)))
def test_a_perfect_prediction_gives_1(marks):
    column = np.array(marks)[:, :1]
    result = highlight_values([column[:, 0].astype(float)], [column], non_finite="official")
    assert result.ap.tolist() == result.hit.tolist() == [[1.0, 1.0, 1.0]]


def test_precision_is_interpolated_and_averaged_over_steps_of_recall():
    assert one([0.9, 0.8, 0.7], [1, 0, 1])[0] == pytest.approx((1 + 2 / 3) / 2)
    assert one([0.9, 0.8, 0.7], [0, 1, 1])[0] == pytest.approx(2 / 3)
    assert one([0.9, 0.9, 0.7], [1, 1, 0])[0] == 1.0
    assert one([0.5, 0.5, 0.5], [0, 1, 0])[0] == pytest.approx(1 / 3)


def test_without_highlights_ap_is_0_and_with_highlights_only_it_is_1():
    assert one([0.9, 0.8], [0, 0]) == (0.0, 0.0)
    assert one([0.9, 0.8], [1, 1]) == (1.0, 1.0)


def test_ap_is_averaged_over_annotators_and_a_hit_needs_one_of_them():
    result = highlight_values(
        [np.array([2.0, 1.0])], [np.array([[4, 3, 0], [0, 0, 0]])], non_finite="zero"
    )
    np.testing.assert_allclose(result.ap, [[2 / 3, 2 / 3, 1 / 3]])
    assert result.hit.tolist() == [[1.0, 1.0, 1.0]]


def test_short_lists_are_padded_with_zeros_and_long_ones_cut():
    assert one([-1.0], [0, 1])[0] == 1.0
    assert one([1.0, 2.0, 9.0], [0, 1])[0] == 1.0


def test_of_equal_highest_predictions_the_first_decides_the_hit():
    assert one([1.0, 1.0], [0, 1])[1] == 0.0
    assert one([1.0, 1.0], [1, 0])[1] == 1.0


def test_a_highest_prediction_beyond_the_clips_misses():
    assert one([1.0, 2.0, 9.0], [0, 1])[1] == 0.0


def test_a_highest_prediction_among_padding_does_not_count():
    assert one([-1.0], [1, 0])[1] == 1.0


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_non_finite_predictions_never_hit_under_the_strict_rule(bad):
    assert one([bad, bad], [1, 0]) == (0.0, 0.0)
    assert one([bad, bad], [1, 1]) == (0.0, 0.0)
    assert one([bad, 0.5], [1, 0]) == (0.0, 0.0)
    assert one([bad, 0.5], [0, 1]) == (1.0, 1.0)
    assert one([bad, 0.5, 0.1], [1, 1, 0]) == (0.5, 1.0)


def test_longer_videos_in_a_batch_do_not_change_the_values_of_a_short_one():
    short, long = np.array([NAN, NAN]), np.ones(9)
    result = highlight_values(
        [short, long], [np.full((2, 1), 4), np.full((9, 1), 4)], (2,), non_finite="zero"
    )
    assert result.ap.tolist() == [[0.0], [1.0]]


def test_an_empty_list_scores_0_under_the_strict_rule():
    assert one([], [1, 1]) == (0.0, 0.0)
    assert one([], [0, 1]) == (0.0, 0.0)


def test_the_official_rule_raises_where_the_evaluator_stops():
    with pytest.raises(ValueError, match=r"query 0 .* no saliency"):
        one([], [1, 0], "official")
    for bad in (NAN, INF, -INF):
        with pytest.raises(ValueError, match=r"query 0 .* non-finite"):
            one([bad, 1.0], [1, 0], "official")


def test_the_official_rule_accepts_non_finite_predictions_that_the_evaluator_never_uses():
    assert one([NAN, 1.0], [1, 1], "official") == (1.0, 1.0)
    assert one([NAN, 1.0], [0, 0], "official") == (0.0, 0.0)
    assert one([2.0, 1.0, NAN], [1, 0], "official") == (1.0, 0.0)


def test_lists_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="1 predictions, but 0 queries"):
        highlight_values([np.ones(3)], [], non_finite="zero")


def test_no_queries_give_no_values():
    result = highlight_values([], [], non_finite="official")
    assert result.ap.shape == result.hit.shape == (0, 3)
