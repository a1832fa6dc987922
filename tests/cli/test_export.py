"""`vtg-eval export`: the frames of runs as files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import vtg_eval
from tests.shell import Shell


@pytest.fixture
def runs(shell: Shell) -> Shell:
    assert shell.run("--out", "one")[0] == 0
    assert shell.run("--out", "two", "--limit", "9")[0] == 0
    return shell


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_samples_come_back_from_the_file(runs: Shell, kind: str) -> None:
    code, out, err = runs.call("export", "one", "two", "--to", kind, "--out", "samples")
    assert (code, out) == (0, "samples (41 rows)\n"), err
    expected = vtg_eval.load_run(runs.home / "one").samples_frame()
    if kind == "csv":
        frame = pd.read_csv("samples", converters={"truth": json.loads, "spans": json.loads})
    elif kind == "jsonl":
        frame = pd.read_json("samples", lines=True)
    else:
        frame = pd.read_parquet("samples")
    assert frame["run"].value_counts().to_dict() == {"one": 32, "two": 9}
    first = frame[frame.run == "one"]
    assert first["id"].tolist() == expected["id"].tolist()
    assert first["mIoU"].tolist() == pytest.approx(expected["mIoU"].tolist(), nan_ok=True)
    truth = [[list(span) for span in spans] for spans in first["truth"]]
    assert truth == expected["truth"].tolist()


def test_metrics_of_several_runs_are_one_table(runs: Shell) -> None:
    arguments = ("--table", "metrics", "--to", "csv", "--out", "metrics.csv")
    assert runs.call("export", "one", "two", *arguments)[0] == 0
    frame = pd.read_csv("metrics.csv")
    of_model = frame[~frame.floor & (frame.metric == "mIoU")]
    assert of_model["samples"].tolist() == [32, 9]


def test_half_a_character_in_an_answer_does_not_stop_an_export(runs: Shell) -> None:
    journal = runs.home / "one/journal.jsonl"
    lines = journal.read_text().splitlines()
    record = {**json.loads(lines[0]), "text": "\ud83d 1 - 2"}
    journal.write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")
    for kind in ("parquet", "csv", "jsonl"):
        assert runs.call("export", "one", "--to", kind, "--out", "samples")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "--to", "csv", "--out", "a"), "not a run folder"),
        (("one", "--to", "csv", "--out", "no/such/file"), "is not a folder"),
        (("one", "--to", "xlsx", "--out", "a"), "invalid choice"),
        (("one", "--out", "a"), "--to"),
        (("one", "--to", "csv", "--out", "one/journal.jsonl"), "is a file of a run"),
        (("one", "--to", "csv", "--out", "one"), "is a folder"),
    ],
)
def test_mistakes_are_named(runs: Shell, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = runs.call("export", *arguments)
    assert code == 2
    assert message in err
    assert not Path("a").exists()
