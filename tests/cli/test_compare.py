import json
import shutil
from pathlib import Path

import pytest

from vtg_eval.cli import main

VIDEOS = [f"V{number:04d}" for number in range(30)]
LINES = "".join(  # one to three queries a video
    f"{video} {k}.0 {k + 8}.0##person {k} {video}.\n"
    for number, video in enumerate(VIDEOS)
    for k in range(1 + number % 3)
)
CSV = "id,length\n" + "".join(f"{video},30.0\n" for video in VIDEOS)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A data root with two runs, "a" and "b", of blind baselines."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "charades_sta_test.txt").write_text(LINES)
    (folder / "Charades_v1_test.csv").write_text(CSV)
    for name, model in (("a", "baseline:whole-video"), ("b", "baseline:constant:0:0.3")):
        args = ["--tasks", "charades_sta", "--data-root", str(folder), "--quiet"]
        assert main(["run", "--model", model, *args, "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture
def call(home, monkeypatch, capsys):
    monkeypatch.chdir(home)

    def compare(*args, root="."):
        capsys.readouterr()
        status = main(["compare", *args, "--data-root", root])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return compare


def compared(call, *args):
    status, out, _ = call(*args, "--json", "-")
    assert status == 0
    return json.loads(out)


def test_tables_state_the_runs_and_the_differences(call):
    status, out, err = call("a", "b")
    assert (status, err) == (0, "")
    for text in (
        "A: baseline:whole-video, strict@2, 60 samples (a)",
        "B: baseline:constant:0:0.3, strict@2, 60 samples (b)",
        "| charades_sta test ",
        "| B - A ",
        "p (Holm)",
        "60 samples on 30 videos",
        "moment length: ",
        "mIoU changed most",
        "0.0 to 9.0",
        "person 0 V00",
    ):
        assert text in out


def test_json(call):
    result = compared(call, "a", "b")
    assert result["format"] == 1
    (comparison,) = result["comparisons"]
    assert comparison.keys() == {
        *("first", "second", "task", "task_version", "split", "samples", "videos", "digest"),
        *("metric", "metrics", "groups", "changed", "remarks", "format"),
    }
    assert comparison["first"] == {
        "name": "a",
        "model": "baseline:whole-video",
        "protocol": "strict@2",
        "samples": 60,
    }
    row = comparison["metrics"][-1]
    assert row.keys() == {
        *(
            "metric",
            "estimate",
            "minimum_detectable_effect",
            "correlation",
            "design_effect",
            "p_holm",
        ),
    }
    estimate = row["estimate"]
    assert estimate.keys() == {
        *("samples", "videos", "first", "second", "difference", "error", "degrees_of_freedom"),
        *("low", "high", "p", "better", "worse", "equal"),
    }
    assert (row["metric"], comparison["metric"]) == ("mIoU", "mIoU")
    assert estimate["first"] == pytest.approx(100 * 8 / 30)
    assert estimate["low"] <= estimate["difference"] <= estimate["high"]
    assert comparison["groups"][0].keys() == {"grouping", "group", "estimate"}
    assert comparison["changed"][0].keys() == {
        *("id", "video", "query", "first", "second", "truth", "first_answer", "second_answer"),
    }
    assert comparison["changed"][0]["truth"] == {
        "spans": [[0.0, 8.0]],
        "choice": None,
        "never": False,
    }


def test_figures_are_those_of_score(call, capsys):
    (comparison,) = compared(call, "a", "b")["comparisons"]
    for name, side in (("a", "first"), ("b", "second")):
        assert main(["score", name, "--data-root", ".", "--json", "-"]) == 0
        metrics = json.loads(capsys.readouterr().out)["metrics"]
        assert {row["metric"]: row["estimate"][side] for row in comparison["metrics"]} == metrics


def test_several_runs_are_compared_with_the_first(call):
    comparisons = compared(call, "a", "b", "a")["comparisons"]
    pairs = [(row["first"]["name"], row["second"]["name"]) for row in comparisons]
    assert pairs == [("a", "b"), ("a", "a")]
    status, out, _ = call("a", "b", "a")
    assert (status, out.count("p (Holm)")) == (0, 2)


def test_scores_as_json_have_their_metrics(call):
    whole = compared(call, "a", "b")["comparisons"][0]
    part = compared(call, "a/results.json", "b/results.json")["comparisons"][0]
    assert part["metrics"] == whole["metrics"]
    assert part["groups"] == []
    assert [row["id"] for row in part["changed"]] == [row["id"] for row in whole["changed"]]
    mixed = compared(call, "a", "b/results.json")["comparisons"][0]
    assert mixed["metrics"] == part["metrics"]


def test_predictions_of_a_task(call, home):
    for name, end in (("p", 10), ("q", 9)):
        lines = [
            json.dumps({"id": f"{video}/{k}", "spans": [[k, end]]})
            for number, video in enumerate(VIDEOS)
            for k in range(1 + number % 3)
        ]
        (home / f"{name}.jsonl").write_text("\n".join(lines))
    comparison = compared(call, "p.jsonl", "q.jsonl", "--task", "charades_sta")["comparisons"][0]
    assert [row["metric"] for row in comparison["metrics"]] == [
        "R1@0.3",
        "R1@0.5",
        "R1@0.7",
        "mIoU",
    ]
    assert (comparison["first"]["model"], comparison["samples"]) == ("p.jsonl", 60)


def test_a_subset_is_compared_on_the_common_samples(call, home):
    args = ["--tasks", "charades_sta", "--data-root", ".", "--quiet", "--limit", "30"]
    assert main(["run", "--model", "baseline:random", *args, "--out", "part"]) == 0
    status, out, _ = call("a", "part")
    assert status == 0
    assert "Compared on the 30 samples only that both runs were asked (A 60, B 30)" in out
    assert "15 videos only: below" in out


def test_runs_are_compared_under_a_named_protocol(call):
    comparison = compared(call, "a", "b", "--protocol", "time-r1@1")["comparisons"][0]
    assert comparison["second"]["protocol"] == "time-r1@1"
    assert [remark.split(":")[0] for remark in comparison["remarks"]] == ["A SUBSET"] * 2


def test_hostile_text_stays_on_its_line(call, home):
    evil = home / "evil"
    evil.mkdir()
    text = LINES.replace("##person 2 V0002.", "##a | b \x1b[31m \u202e <script>.")
    (evil / "charades_sta_test.txt").write_text(text)
    shutil.copy(home / "Charades_v1_test.csv", evil)
    for name, end in (("p", 10), ("q", 2.1)):
        record = {"id": "V0002/2", "spans": [[2, end]]}
        (evil / f"{name}.jsonl").write_text(json.dumps(record))
    files = ["evil/p.jsonl", "evil/q.jsonl"]
    status, out, err = call(*files, "--task", "charades_sta", root="evil")
    assert status == 1
    assert "evil/p.jsonl: Answers for 1 of 60 samples." in err
    assert "\x1b" not in out and "\u202e" not in out
    assert "a \\| b  [31m" in out


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["a"], "Name two runs or more"),
        ([], "Name two runs or more"),
        (["a", "nowhere"], "nowhere cannot be read"),
        (["a", "Charades_v1_test.csv"], "name their task by --task"),
        (["a", "."], "is not a run folder"),
        (["a", "a/manifest.json"], "not a result of vtg-eval"),
        (["a", "b", "--metric", "mIuO"], 'Did you mean "mIoU"?'),
        (["a", "b", "--protocol", "strict@3"], "strict@2"),
        (["a/results.json", "b", "--protocol", "time-r1@1"], "holds scores under strict@2"),
        (
            ["a", "b", "--effect", "1"],
            "--effect is used only with --plan: add --plan",
        ),
        (["a", "b", "--plan", "--correlation", "0.3"], "is for plans from fewer runs"),
        (["a", "--plan", "--figure", "30"], "is for plans from fewer runs"),
        (["a", "b", "a", "--plan"], "from one run or from two"),
        (["--plan"], "or else --task and --figure"),
        (["--plan", "--task", "charades_sta"], "or else --task and --figure"),
        (["a", "a", "--plan"], "Nothing can be planned"),
        (["a", "b", "--json", "no/such/folder/out.json"], "cannot be written"),
    ],
)
def test_mistakes_are_named(call, args, named):
    status, out, err = call(*args)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert named in err


@pytest.mark.parametrize(
    "args",
    [
        ["--effect", "0"],
        ["--effect", "x"],
        ["--samples", "1"],
        ["--figure", "100"],
        ["--correlation", "1"],
        ["--within", "-0.1"],
    ],
)
def test_numbers_out_of_range_are_refused(call, args, capsys):
    with pytest.raises(SystemExit) as stopped:
        call("--plan", *args)
    assert stopped.value.code == 2
    assert args[0] in capsys.readouterr().err


def test_a_plan_states_the_samples_needed(call):
    status, out, _ = call("a", "b", "--plan", "--effect", "2,4", "--samples", "500")
    assert status == 0
    for text in ("for 2 points", "for 4 points", "with 500", "60 (30)", "measured on these two"):
        assert text in out
    plan = compared(call, "--plan", "--task", "charades_sta", "--figure", "30", "--within", "0")
    (row,) = plan["rows"]
    assert row["size"] == {"samples": 60, "videos": 30}
    assert row["error"] == pytest.approx(100 * (0.3 * 0.7 / 60) ** 0.5)
    assert {row["metric"] for row in compared(call, "b", "--plan")["rows"]} >= {"mIoU"}


def test_a_comparison_is_repeatable(call):
    assert compared(call, "a", "b") == compared(call, "a", "b")


def test_queries_of_the_train_split_are_a_group(home, tmp_path, capsys):
    folder = tmp_path / "root"
    shutil.copytree(home, folder)
    args = ["compare", str(folder / "a"), str(folder / "b"), "--data-root", str(folder)]
    groupings = []
    for lines in (None, "V1 0.0 5.0##Person 0  V0000\nV2 0.0 5.0##person 1 V0001.\n"):
        if lines:
            (folder / "charades_sta_train.txt").write_text(lines)
        assert main([*args, "--json", "-"]) == 0
        (comparison,) = json.loads(capsys.readouterr().out)["comparisons"]
        rows = [row for row in comparison["groups"] if row["grouping"] == "query"]
        groupings.append({row["group"]: row["estimate"]["samples"] for row in rows})
    assert groupings == [{}, {"in the train split": 2, "not in the train split": 58}]


def test_a_malformed_train_split_is_an_error(home, tmp_path, capsys):
    folder = tmp_path / "root"
    shutil.copytree(home, folder)
    train = folder / "charades_sta_train.txt"
    train.write_text("V1 0.0 5.0##person sits.\nnonsense\n")
    args = ["compare", str(folder / "a"), str(folder / "b"), "--data-root", str(folder)]
    assert main(args) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert f"{train}, line 2" in printed.err
