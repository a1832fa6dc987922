import math

import numpy as np

from tests.grounding_case import CARD, protocol, sample, spans
from vtg_eval.scoring.score import score
from vtg_eval.scoring.table import Derived, counted_in

SAMPLES = [sample(f"{video}/{k}", (0, 10)) for video in "abcdefgh" for k in range(3)]


def test_a_figure_that_follows_from_others_counts_what_any_of_them_counts():
    columns = dict(zip("xyz", np.eye(3, dtype=np.bool_), strict=True))
    derived = {"mean": Derived(("x", "y"))}
    assert counted_in("mean", columns, derived).tolist() == [True, True, False]
    assert counted_in("z", columns, derived).tolist() == [False, False, True]


def test_an_interval_rests_on_the_videos_whose_samples_count():
    answers = [spans(each.id, (0, 2 + 3 * (row % 3))) for row, each in enumerate(SAMPLES)]
    rules = protocol(missing="drop", thresholds=(0.3, 0.5), average=True)
    for videos, known in (("abcd", True), ("abc", False)):  # below four there is no interval
        some = [each for each in answers if each.id[0] in videos]
        found = score(CARD, SAMPLES, some, rules, "test").intervals
        for name in ("mIoU", "avg"):
            assert math.isfinite(found[name].low) == known
