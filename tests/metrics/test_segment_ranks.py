import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.metrics.segment_ranks import segment_scores

ALL = [(first, last) for first in range(6) for last in range(first, 6)]
PADDING = (-1, -1)


def scores(ranking, truths):
    shape = (1, -1, 2)
    result = segment_scores(np.array(ranking).reshape(shape), np.array(truths).reshape(shape))
    return result.rank1.item(), result.rank5.item(), result.iou.item()


def test_a_ranking_whose_first_segment_all_annotators_gave_scores_1():
    assert scores(ALL, [(0, 0)] * 4) == (1.0, 1.0, 1.0)


def test_the_three_annotators_that_fit_best_count():
    assert scores(ALL, [(0, 0), (5, 5), (0, 0), (0, 0)]) == (1.0, 1.0, 1.0)
    # ranks 1, 1 and 21
    assert scores(ALL, [(0, 0), (5, 5), (5, 5), (0, 0)]) == (0.0, 0.0, pytest.approx(2 / 3))


def test_a_mean_rank_of_5_is_within_rank_5():
    # ranks 3, 5 and 7, then 3, 5 and 8
    assert scores(ALL, [ALL[2], ALL[4], ALL[6]])[1] == 1.0
    assert scores(ALL, [ALL[2], ALL[4], ALL[7]])[1] == 0.0


def test_ends_are_included_in_the_overlap():
    assert scores([(1, 2)], [(2, 3)] * 3)[2] == pytest.approx(1 / 3)
    assert scores([(1, 1)], [(2, 2)] * 3)[2] == 0.0


def test_a_short_list_has_no_advantage():
    assert scores([(0, 0)], [(0, 0)] * 3) == (1.0, 1.0, 1.0)
    assert scores([(0, 0)], [(0, 0), (0, 0), (1, 1)])[:2] == (0.0, 0.0)
    assert scores([(0, 0), PADDING], [(1, 1)] * 3) == (0.0, 0.0, 0.0)


def test_the_first_of_equal_entries_counts():
    assert scores([(0, 0), (0, 0)], [(0, 0)] * 3)[0] == 1.0


def test_without_annotators_or_ranking_all_scores_are_0():
    assert scores(ALL, [PADDING] * 4) == (0.0, 0.0, 0.0)
    assert scores([PADDING] * 21, [(0, 5)] * 4) == (0.0, 0.0, 0.0)
    assert scores([], [(0, 5)] * 4) == (0.0, 0.0, 0.0)


def test_a_reversed_segment_overlaps_nothing():
    assert scores([(3, 1)], [(0, 5)] * 3)[2] == 0.0


@given(st.permutations(ALL), st.lists(st.sampled_from(ALL), min_size=1, max_size=7))
def test_scores_agree_with_a_computation_by_sets_in_any_order_and_padding(ranking, truths):
    ranks = sorted(ranking.index(truth) + 1 for truth in truths)[:3]
    chunks = [set(range(a, b + 1)) for a, b in truths]
    first = set(range(ranking[0][0], ranking[0][1] + 1))
    hulls = [max(first | truth) - min(first | truth) + 1 for truth in chunks]
    ious = sorted(len(first & truth) / hull for truth, hull in zip(chunks, hulls, strict=True))[-3:]
    rank1, rank5, iou = scores(ranking, [*truths[::-1], PADDING])
    assert (rank1, rank5) == (np.mean(ranks) <= 1, np.mean(ranks) <= 5)
    assert iou == np.mean(ious)
