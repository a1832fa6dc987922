"""Every number of the official QVHighlights script, to the last digit, as a user gets it."""

import json

import pytest
from vtg_eval.tasks.qvhighlights import TASK

from tests.reference_data import BENCHMARKS, GOLDEN, needs_both
from vtg_eval.cli import main

pytestmark = needs_both
FIRST = 40  # queries of val to which the small cases belong
# cases with figures of the official script; in the others it stops with an exception
SCORED = (
    "first40_clean",
    "one_query_missing_match_number_false",
    "one_extra_query_match_number_false",
    "duplicate_qid_appended",
    "moments_only",
    "saliency_only",
    "all_windows_nan",
    "all_windows_exactly_reversed_first_gt",
    "perfect_windows_tied_scores",
    "perfect_windows_after_position_10_high_score",
)


@pytest.fixture(scope="module")
def cases():
    return json.loads((GOLDEN / "qvhighlights/edge_cases.official.json").read_text())


@pytest.fixture
def score(tmp_path):
    def run(root, submission, split="val", protocol="moment-detr@1"):
        answers, out = tmp_path / "p.jsonl", tmp_path / "out.json"
        answers.write_text("".join(json.dumps(answer(line)) + "\n" for line in submission))
        words = ["score", "--task", "qvhighlights", "--split", split, "--data-root", str(root)]
        words += ["--predictions", str(answers), "--protocol", protocol, "--json", str(out)]
        assert main(words) == 0
        return json.loads(out.read_text())

    return run


@pytest.fixture
def few(tmp_path):
    """A data root with the first val queries only."""
    name = TASK.annotation["val"]
    whole = BENCHMARKS / "qvhighlights" / name
    (tmp_path / name).write_text("".join(whole.read_text().splitlines(keepends=True)[:FIRST]))
    return tmp_path


def answer(line):
    """One line of the official format in ours."""
    pairs = (("spans", "pred_relevant_windows"), ("saliency", "pred_saliency_scores"))
    return {"id": str(line["qid"])} | {ours: line[key] for ours, key in pairs if key in line}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def in_our_names(official):
    """The official table, every number of it, with our names."""
    found = {}
    for name, table in official.items():
        for metric, value in table.items():
            if name == "brief":
                found[metric] = value
            elif name.startswith("HL"):
                found[f"{name}-{metric.removeprefix('HL-')}"] = value
            else:
                for threshold, figure in value.items():
                    end = "" if threshold == "average" else f"@{threshold}"
                    found[f"MR-{name}-{metric.removeprefix('MR-')}{end}"] = figure
    return found


def test_all_predictions_of_val(score):
    folder = GOLDEN / "qvhighlights"
    found = score(BENCHMARKS, lines(folder / "val_seed101_sorted.preds.jsonl"))["metrics"]
    wanted = in_our_names(json.loads((folder / "val_seed101_sorted.official.json").read_text()))
    assert (found, len(found)) == (wanted, 90)


def test_the_authors_own_sample(score):
    folder = BENCHMARKS / "qvhighlights"
    found = score(BENCHMARKS, lines(folder / "sample_val_preds.jsonl"))["metrics"]
    wanted = json.loads((folder / "sample_val_preds_metrics_raw.json").read_text())
    assert found == in_our_names(wanted)


@pytest.mark.parametrize("name", SCORED)
def test_small_cases_with_figures(score, few, cases, name):
    found = score(few, cases[name]["submission"])["metrics"]
    wanted = in_our_names(cases[name]["official"]["result"])
    if name == "saliency_only":  # moments that were not given are 0 here, left out there
        assert {found.pop(metric) for metric in [*found] if metric.startswith("MR")} == {0.0}
    assert found == wanted


def test_the_small_cases_with_figures_are_all_there(cases):
    assert {name for name, case in cases.items() if "result" in case["official"]} == set(SCORED)


def test_one_query_without_windows_scores_0_where_the_script_stops(score, few, cases):
    case = cases["one_query_with_empty_window_list"]
    assert case["official"]["raises"] == "IndexError"
    found = score(few, case["submission"])
    assert (found["n_scored"], found["failures"]["false_absent"]) == (FIRST, 1)
    (lost,) = (line for line in case["submission"] if not line["pred_relevant_windows"])
    (row,) = (row for row in found["samples"] if row["id"] == str(lost["qid"]))
    assert row["value"] == 0.0
    # as if the query had a window that hits nothing
    nowhere = {**lost, "pred_relevant_windows": [[200, 201, 1]]}
    instead = [nowhere if line is lost else line for line in case["submission"]]
    assert score(few, instead)["metrics"] == found["metrics"]


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("one_query_missing", "one_query_missing_match_number_false"),
        ("one_extra_query_not_in_gt", "one_extra_query_match_number_false"),
    ],
)
def test_other_queries_are_dropped_where_the_script_stops(score, few, cases, name, dropped):
    assert cases[name]["official"]["raises"] == "AssertionError"
    found = score(few, cases[name]["submission"])["metrics"]
    assert found == in_our_names(cases[dropped]["official"]["result"])


def test_windows_without_scores_are_ranked_as_listed(score, few, cases):
    case = cases["windows_without_scores"]
    assert case["official"]["raises"] == "IndexError"
    key = "pred_relevant_windows"
    ranked = [
        {**line, key: [[*window, -rank] for rank, window in enumerate(line[key])]}
        for line in case["submission"]
    ]
    assert score(few, case["submission"])["metrics"] == score(few, ranked)["metrics"]


@pytest.mark.parametrize("name", ["saliency_all_nan", "saliency_empty"])
def test_saliency_at_which_the_script_stops_scores_0(score, few, cases, name):
    assert cases[name]["official"]["raises"] == "ValueError"
    found = score(few, cases[name]["submission"])["metrics"]
    assert {value for metric, value in found.items() if metric.startswith("HL")} == {0.0}
    moments = in_our_names(cases["moments_only"]["official"]["result"])
    assert {metric: found[metric] for metric in moments} == moments


def test_the_nan_of_the_official_rule_wins_nothing_under_strict(score, few, cases):
    for name in ("all_windows_nan", "all_windows_exactly_reversed_first_gt"):
        found = score(few, cases[name]["submission"], protocol="strict@1")["metrics"]
        assert {value for metric, value in found.items() if metric.startswith("MR")} == {0.0}
