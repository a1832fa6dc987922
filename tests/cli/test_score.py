import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from vtg_eval.cli import main

LINES = "AAAAA 0.0 10.0##person sits.\nBBBBB 5.0 10.0##person runs.\nBBBBB 0.0 5.0##person eats.\n"
CSV = "id,length\nAAAAA,20.0\nBBBBB,20.0\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "charades_sta_test.txt").write_text(LINES)
    (tmp_path / "Charades_v1_test.csv").write_text(CSV)
    return tmp_path


@pytest.fixture
def run(root, capsys):
    def call(*records, args=()):
        path = root / "p.jsonl"
        path.write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records))
        command = ["score", "--task", "charades_sta", "--data-root", str(root)]
        status = main([*command, "--predictions", str(path), *args])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def scored(run, *records, args=()):
    status, out, _ = run(*records, args=("--json", "-", *args))
    assert status in (0, 1)
    return json.loads(out)


def test_scores_are_printed_as_json_or_written_to_a_file(run, root):
    scores = scored(run, {"id": "AAAAA/0", "text": "0 - 5"}, {"id": "BBBBB/0", "spans": [[5, 10]]})
    expected = {
        "task": "charades_sta",
        "split": "test",
        "protocol": "strict@2",
        "n_expected": 3,
        "n_scored": 3,
        "metrics": {
            "R1@0.3": pytest.approx(200 / 3),
            "R1@0.5": pytest.approx(200 / 3),
            "R1@0.7": pytest.approx(100 / 3),
            "mIoU": 50.0,
        },
        "failures": {"missing": 1},
        "primary": "mIoU",
        "model": "p.jsonl",
    }
    assert {key: scores[key] for key in expected} == expected
    assert [sample["value"] for sample in scores["samples"]] == [0.5, 1.0, 0.0]
    out = root / "out.json"
    assert run({"id": "AAAAA/0", "text": "x"}, args=("--json", str(out)))[1] == ""
    assert json.loads(out.read_text())["failures"] == {"missing": 2, "unparsed": 1}


def test_hostile_records_are_counted_and_never_hit(run):
    records = [
        '{"id": "AAAAA/0", "spans": [[NaN, NaN]]}',
        '{"id": "BBBBB/0", "spans": [[0, 1e400]]}',
        {"id": "BBBBB/1", "spans": [["0", "5"]]},
        {"id": "BBBBB/1", "spans": [[0, 5]]},
        {"id": "nobody", "spans": [[0, 5]]},
    ]
    scores = scored(run, *records, args=("--allow-non-finite",))
    assert set(scores["metrics"].values()) == {0.0}
    assert scores["failures"] == {"malformed": 1, "non_finite": 2, "unknown_id": 1, "duplicate": 1}


def test_a_metric_that_is_not_finite_is_null(run):
    answer = {"id": "AAAAA/0", "spans": [[math.nan, math.nan]]}
    args = ("--protocol", "time-r1@1", "--allow-non-finite")
    scores = scored(run, answer, args=args)
    assert scores["metrics"] == {"R1@0.3": 0, "R1@0.5": 0, "R1@0.7": 0, "mIoU": None, "avg": None}
    _, out, _ = run(answer, args=args)
    assert "–" in out


def test_empty_lists_and_a_million_spans(run):
    scores = scored(
        run,
        {"id": "AAAAA/0", "spans": []},
        {"id": "BBBBB/0", "spans": [[5, 10]] * 10**6},
        {"id": "BBBBB/1", "spans": [[]]},
    )
    assert set(scores["metrics"].values()) == {0.0}
    assert scores["failures"] == {"malformed": 1, "too_many_spans": 1, "false_absent": 1}


@pytest.mark.parametrize("line", ["not json", "{}", "[]", "[" * 10**5])
def test_a_broken_line_is_a_one_line_error(run, line):
    status, out, err = run({"id": "AAAAA/0", "text": "x"}, line)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "p.jsonl, line 2" in err


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("--protocol", "timelens@2"), "timelens@1"),
        (("--split", "tset"), "test"),
        (("--task", "charades_st"), "charades_sta"),
        (("--data-root", "nowhere"), "nowhere is not a folder"),
        (("--split", "train"), "charades_sta_train.txt"),
        (("--predictions", "nowhere"), "cannot be read"),
        (("--json", "no/such/folder/out.json"), "cannot be written"),
    ],
)
def test_mistakes_are_named(run, args, named):
    status, _, err = run({"id": "AAAAA/0", "text": "x"}, args=args)
    assert (status, err.count("\n")) == (2, 1)
    assert named in err


def test_tables_state_the_runs_and_the_differences(run):
    _, out, _ = run({"id": "AAAAA/0", "text": "0 - 5"}, {"id": "BBBBB/0", "text": "20 - 0"})
    for text in (
        "samples: 3, in the denominator: 3",
        "95 % intervals",
        "whole video",
        "random",
        "constant",
        "reversed",
        "missing",
        "time-r1@1",
        "lmms-eval@0.7",
    ):
        assert text in out
    assert "vtimellm@1" not in out


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["tasks"],
        ["score", "--help"],
        ["protocols"],
        ["samples", "charades_sta", "--data-root", "."],
        ["score", "--task", "charades_sta", "--data-root", ".", "--predictions", "p.jsonl"],
    ],
)
def test_core_commands_import_no_heavy_package(root, args):
    ids = ("AAAAA/0", "BBBBB/0", "BBBBB/1")
    lines = [json.dumps({"id": name, "text": "0 - 5"}) for name in ids]
    (root / "p.jsonl").write_text("\n".join(lines))
    code = (
        "import sys; from vtg_eval.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'vllm', 'av', 'decord'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=root, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_constant_is_not_fitted_on_a_malformed_split(tmp_path, capsys):
    record = {"num_segments": 6, "description": "x", "times": [[1, 1]], "video": "v.mov"}
    (tmp_path / "test_data.json").write_text(json.dumps([record | {"annotation_id": 1}]))
    answers = tmp_path / "p.jsonl"
    answers.write_text('{"id": "1", "text": "5 - 10"}\n')
    args = ["score", "--task", "didemo", "--data-root", str(tmp_path)]
    assert main([*args, "--predictions", str(answers)]) == 0
    printed = capsys.readouterr().out
    assert "floor: random" in printed and "constant" not in printed, "no val split to fit it on"
    (tmp_path / "val_data.json").write_text(json.dumps([record]))
    assert main([*args, "--predictions", str(answers)]) == 2
    printed = capsys.readouterr().err
    assert "val_data.json, item 0" in printed and "annotation_id" in printed


def test_a_run_knows_where_its_data_is(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    monkeypatch.delenv("VTG_EVAL_DATA", raising=False)
    (root / "here/charades_sta").mkdir(parents=True)
    for name in ("charades_sta_test.txt", "Charades_v1_test.csv"):
        (root / name).rename(root / "here/charades_sta" / name)
    command = ["run", "--model", "baseline:whole-video", "--tasks", "charades_sta", "--out", "run"]
    assert main([*command, "--data-root", "here", "--quiet"]) == 0
    manifest = json.loads((root / "run/manifest.json").read_text())
    assert manifest["data_root"] == {"given": "here", "folder": str(root / "here")}
    monkeypatch.setenv("VTG_EVAL_DATA", str(root))  # holds other things
    assert main(["score", "run"]) == 0
    assert main(["compare", "run", "run"]) == 0
    capsys.readouterr()

    (root / "here").rename(root / "there")
    assert main(["score", "run"]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "charades_sta_test.txt" in err
    assert f"The run's data root, {root / 'here'}, does not exist any more;" in err
    assert main(["score", "run", "--data-root", "there"]) == 0
    monkeypatch.setenv("VTG_EVAL_DATA", "there")
    assert main(["score", "run"]) == 0


def test_a_run_of_an_earlier_version_has_its_data_where_the_defaults_say(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    command = ["run", "--model", "baseline:whole-video", "--tasks", "charades_sta", "--out", "run"]
    assert main([*command, "--data-root", ".", "--quiet"]) == 0
    path = root / "run/manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["data_root"]
    path.write_text(json.dumps(manifest))
    monkeypatch.setenv("VTG_EVAL_DATA", ".")
    assert main(["score", "run"]) == 0
