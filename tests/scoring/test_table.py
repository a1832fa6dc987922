import math

import numpy as np

from tests.grounding_case import CARD, protocol, sample, spans
from vtg_eval.scoring.score import score
from vtg_eval.scoring.table import Derived, counted_in

SAMPLES = [sample(f"{video}/{k}", (0, 10)) for video in "abcdefgh" for k in range(3)]


def test_a_derived_metric_counts_the_samples_of_any_of_its_parts():
    columns = dict(zip("xyz", np.eye(3, dtype=np.bool_), strict=True))
    derived = {"mean": Derived(("x", "y"))}
    assert counted_in("mean", columns, derived).tolist() == [True, True, False]
    assert counted_in("z", columns, derived).tolist() == [False, False, True]


def test_an_interval_needs_four_videos_with_counted_samples():
    answers = [spans(s.id, (0, 2 + 3 * (row % 3))) for row, s in enumerate(SAMPLES)]
    rules = protocol(missing="drop", thresholds=(0.3, 0.5), average=True)
    for videos, has_interval in (("abcd", True), ("abc", False)):
        counted = [answer for answer in answers if answer.id[0] in videos]
        intervals = score(CARD, SAMPLES, counted, rules, "test").intervals
        for name in ("mIoU", "avg"):
            assert math.isfinite(intervals[name].low) == has_interval
