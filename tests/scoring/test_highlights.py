"""The rules of QVHighlights beyond its golden files.

Expected values of moment-detr@1 come from a run of the official script (jayleicn/moment_detr at
b7e553ac) on the same cases, unless a comment gives the computation.
"""

import json
import math
from typing import Any

import pytest
from vtg_eval.tasks.qvhighlights import TASK

from vtg_eval.parsing.predictions_file import read_predictions
from vtg_eval.registry import Registry
from vtg_eval.scoring.floors import floors
from vtg_eval.scoring.score import score as score_samples
from vtg_eval.types import Sample, Span, Target

NAN = math.nan
REGISTRY = Registry.discover()
# clip 1 is Very Good to everyone, clip 2 Fair to one
SALIENCY = ((0, 0, 0), (4, 4, 4), (2, 1, 0), (0, 0, 0), (0, 0, 0))


def sample(name="1", *spans, saliency=SALIENCY):
    target = Target(tuple(Span(*span) for span in spans or [(0, 10)]), saliency=saliency)
    return Sample(name, "v" + name, "q", target, duration=10.0)


@pytest.fixture
def score(tmp_path):
    def run(samples, *records, protocol="moment-detr@1"):
        path = tmp_path / "p.jsonl"
        path.write_text("".join(json.dumps({"id": "1"} | record) + "\n" for record in records))
        rules = REGISTRY.protocol_for(TASK.card, protocol)
        return score_samples(
            TASK.card, samples, read_predictions(path, allow_non_finite=True), rules, "val"
        )

    return run


def values(result, *names):
    return [result.metrics[name] for name in names]


def test_the_metrics_in_their_order(score):
    result = score([sample()], {"spans": [[0, 10, 1]], "saliency": [0, 1, 0, 0, 0]})
    names = [*result.metrics]
    assert names[:8] == [
        *("MR-full-mAP", "MR-full-mAP@0.5", "MR-full-mAP@0.75", "MR-full-R1@0.5"),
        *("MR-full-R1@0.7", "MR-short-mAP", "MR-middle-mAP", "MR-long-mAP"),
    ]
    assert names[8:14] == [
        f"HL-min-{level}-{metric}"
        for level in ("Fair", "Good", "VeryGood")
        for metric in ("mAP", "Hit1")
    ]
    assert (len(names), result.table.headline) == (90, tuple(names[:14]))
    assert result.table.primary == "MR-full-R1@0.5"


def test_r1_follows_the_list_and_map_the_scores(score):
    result = score([sample()], {"spans": [[20, 30, 0.1], [0, 10, 0.9]]})
    assert values(result, "MR-full-R1@0.5", "MR-full-mAP") == [0.0, 100.0]


def test_the_mean_of_the_thresholds_is_taken_before_rounding(score):
    samples = [sample(str(k), (0, 100)) for k in range(3)]
    records = [{"id": str(k), "spans": [[0, 72, 1] if k else [200, 201, 1]]} for k in range(3)]
    # five of ten thresholds at 66.67: their mean is 33.335, the true one 33.333
    assert values(score(samples, *records), "MR-full-mAP@0.7", "MR-full-mAP@0.75") == [66.67, 0]
    assert values(score(samples, *records), "MR-full-mAP") == [33.33]


def test_a_query_counts_only_in_the_length_ranges_of_its_targets(score):
    samples = [sample("1", (0, 10), (20, 60)), sample("2", (0, 30))]
    result = score(samples, {"spans": [[20, 60, 1]]}, {"id": "2", "spans": [[0, 30, 1]]})
    assert values(result, "MR-short-mAP", "MR-middle-mAP", "MR-long-mAP") == [0.0, 100.0, 100.0]
    assert values(result, "MR-full-mAP", "MR-full-R1@0.5") == [75.0, 100.0]


def test_two_lines_of_a_query_are_pooled_in_the_order_of_the_file(score):
    first, second = {"spans": [[0, 10, 0.5]]}, {"spans": [[20, 30, 0.5]]}
    names = ("MR-full-mAP", "MR-full-R1@0.5")
    assert values(score([sample()], first, second), *names) == [100.0, 0.0]
    assert values(score([sample()], second, first), *names) == [50.0, 100.0]
    third = {"spans": [[40, 50, 0.5], [0, 10, 0.9]]}
    assert values(score([sample()], second, second, third), *names) == [100.0, 0.0]
    assert values(score([sample()], third, second, second), *names) == [100.0, 0.0]
    assert score([sample()], first, second).failures["duplicate"] == 1


def test_ten_spans_of_each_line_are_pooled(score):
    far = [[20, 30, 0.5]] * 10
    assert values(score([sample()], {"spans": [*far, [0, 10, 1]]}), "MR-full-mAP") == [0.0]
    lines = {"spans": far}, {"spans": [*far[1:], [0, 10, 1]]}
    assert values(score([sample()], *lines), "MR-full-mAP") == [100.0]


def test_highlights_are_those_of_the_last_line(score):
    lines = {"spans": [[0, 10, 1]], "saliency": [0, 1, 0, 0, 0]}, {"spans": [[0, 10, 1]]}
    assert values(score([sample()], *lines[::-1]), "HL-min-Good-Hit1") == [100.0]
    assert "HL-min-Good-Hit1" not in score([sample()], *lines).metrics


def test_spans_of_nan_score_rank_where_pythons_sort_puts_them(score):
    spans = [[20, 30, 0.2], [40, 50, NAN], [0, 10, 0.9], [60, 70, 0.5]]
    assert values(score([sample()], {"spans": spans}), "MR-full-mAP") == [33.33]
    result = score([sample()], {"spans": spans[:2]}, {"spans": spans[2:]})
    assert values(result, "MR-full-mAP", "MR-full-R1@0.5") == [33.33, 100.0]


def test_a_line_at_which_the_script_stops_scores_0(score):
    samples = [sample("1"), sample("2")]
    good = {"id": "2", "spans": [[0, 10, 1]], "saliency": [0, 1, 0, 0, 0]}
    unusable: list[dict[str, Any]] = [
        {"spans": []},
        {"spans": [[0, 10, 1], [0, 10]], "saliency": [0, 1, 0, 0, 0]},
        {"text": "nowhere to be seen"},
    ]
    for bad in unusable:
        result = score(samples, bad, good)
        assert values(result, "MR-full-mAP", "MR-full-R1@0.5", "MR-short-mAP") == [50.0] * 3
        assert result.n_scored == 2
    for saliency in ([], None, [0, NAN, 0, 0, 0], [0, math.inf, 0, 0, 0]):
        result = score(samples, {"spans": [[0, 10, 1]], "saliency": saliency}, good)
        assert values(result, "HL-min-Good-mAP", "HL-min-Good-Hit1", "MR-full-mAP") == [50, 50, 100]


def test_nan_saliency_counts_where_the_script_does_not_stop(score):
    beyond = {"saliency": [0, 1, 0, 0, 0, NAN]}
    assert values(score([sample()], beyond), "HL-min-Good-mAP", "HL-min-Good-Hit1") == [100, 0]
    assert values(score([sample()], beyond, protocol="strict@2"), "HL-min-Good-mAP") == [0]
    uniform = sample(saliency=((4, 4, 4),) * 5)
    result = score([uniform], {"saliency": [0, NAN, 0, 0, 0]})
    assert values(result, "HL-min-Good-mAP", "HL-min-Good-Hit1") == [100, 100]


def test_saliency_of_another_length_is_cut_or_filled(score):
    short, long = {"saliency": [-1, 1]}, {"saliency": [0, 1, 0.5, 0, 0, 2]}
    names = ("HL-min-Fair-mAP", "HL-min-Fair-Hit1")
    assert values(score([sample()], short), *names) == [91.67, 100.0]
    assert values(score([sample()], long), *names) == [100.0, 0.0]


def test_a_query_without_an_answer_leaves_the_denominator_or_scores_0(score):
    samples = [sample("1"), sample("2")]
    record = {"spans": [[0, 10, 1]], "saliency": [0, 1, 0, 0, 0]}
    dropped, counted = score(samples, record), score(samples, record, protocol="strict@2")
    names = ("MR-full-mAP", "HL-min-Good-mAP")
    assert (dropped.n_scored, values(dropped, *names)) == (1, [100.0, 100.0])
    assert (counted.n_scored, values(counted, *names)) == (2, [50.0, 50.0])


def test_spans_of_a_text_are_ranked_in_its_order_and_there_are_no_highlights(score):
    samples = [sample("1", (0, 10), (20, 30))]
    for protocol in ("strict@2", "moment-detr@1"):
        result = score(samples, {"text": "40 - 50, 20 - 30, 0 - 10"}, protocol=protocol)
        assert not [name for name in result.metrics if name.startswith("HL")]
        assert len(result.metrics) == 84
        assert values(result, "MR-full-R1@0.5") == [0.0]
        assert values(result, "MR-full-mAP") == [pytest.approx(200 / 3, abs=0.005)]
    text = ", ".join(["40 - 50"] * 10 + ["0 - 10", "20 - 30"])
    for protocol in ("strict@2", "moment-detr@1"):
        assert values(score(samples, {"text": text}, protocol=protocol), "MR-full-mAP") == [0.0]


def test_invalid_spans_score_0_under_strict(score):
    for span in ([NAN, NAN, 1], [10, 0, 1], [0, math.inf, 1], [5, 5, 1]):
        result = score([sample()], {"spans": [span]}, protocol="strict@2")
        columns = result.table.columns
        assert {result.metrics[name] for name in columns if columns[name].counted.any()} == {0.0}
    official = score([sample()], {"spans": [[10, 0, 1]]})
    assert values(official, "MR-full-mAP", "MR-full-R1@0.5") == [100.0, 0.0]


def test_floors_predict_spans_and_equal_saliency():
    samples = [sample("1"), sample("2", (0, 4))]
    for name in ("strict@2", "moment-detr@1"):
        metrics = {
            floor.name: floor.metrics
            for floor in floors(
                TASK.card, "val", samples, REGISTRY.protocol_for(TASK.card, name), (0.0, 0.4)
            )
        }
        assert [*metrics] == ["whole video", "random", "constant [0, 0.4]"]
        assert metrics["whole video"]["MR-full-R1@0.5"] == 50.0
        # all clips tie: the first is taken, and precision is the share of highlights
        assert metrics["whole video"]["HL-min-Good-Hit1"] == 0.0
        assert metrics["whole video"]["HL-min-Good-mAP"] == pytest.approx(20.0)


def test_where_no_sample_counts_there_are_no_figures(score):
    for samples in ([], [sample()]):
        result = score(samples, {"id": "another", "text": ""})
        assert result.n_scored == 0 and all(map(math.isnan, result.metrics.values()))
