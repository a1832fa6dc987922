"""The Python functions give what the commands give; mistakes are errors that say what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vtg_eval
from tests import fakes
from vtg_eval.api.settings import SETTINGS, RunSettings, run_options
from vtg_eval.cli import main
from vtg_eval.cli.run import RunCommand
from vtg_eval.cli.run_options import run_options as from_command_line
from vtg_eval.types import Prediction, Span

FAKE = RunSettings(engine="fake", decoder="fake", quiet=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fakes.install("fakes", "tests.fakes", tmp_path / "site")
    fakes.use_home(tmp_path, monkeypatch)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path


def test_importing_takes_no_numpy_and_every_name_is_there() -> None:
    code = (
        "import sys, vtg_eval; assert not {'numpy', 'pandas', 'torch'} & set(sys.modules); "
        "assert set(vtg_eval.__all__) <= set(dir(vtg_eval)); "
        "[getattr(vtg_eval, name) for name in vtg_eval.__all__]; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        vtg_eval.evalute  # noqa: B018


def test_settings_are_the_arguments_of_the_command() -> None:
    parser = ArgumentParser()
    RunCommand().configure(parser)
    args = parser.parse_args(["--model", "nano", "--tasks", "synth_vtg"])
    others = {"model", "tasks", "out", "unchecked_times", "shard", "json", "plan"}
    assert set(vars(args)) - others == set(SETTINGS)
    assert run_options("nano", {}, from_command_line(args).command) == from_command_line(args)


def test_evaluate_makes_the_runs_of_the_command(home: Path) -> None:
    (run,) = vtg_eval.evaluate("model", "fake_vtg", out="python", **FAKE)
    command = ("--model", "model", "--tasks", "fake_vtg", "--engine", "fake", "--decoder", "fake")
    assert main([*command, "--out", "command", "--quiet"]) == 0
    results = (home / "command/results.json").read_bytes()
    assert (home / "python/results.json").read_bytes() == results
    loaded = vtg_eval.load_run("command")
    assert json.dumps(loaded.results.to_json()) == json.dumps(json.loads(results))
    assert run.results == loaded.results
    assert repr(run).startswith("<model on fake_vtg test, strict@2: mIoU ")
    again = vtg_eval.evaluate("model", ["fake_vtg"], out="python", **FAKE)
    assert again[0].results == run.results


def test_an_interrupted_evaluation_raises_and_is_finished_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(engine: object, requests: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(fakes.FakeEngine, "generate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            vtg_eval.evaluate("model", "fake_vtg", out="run", **FAKE)
    (run,) = vtg_eval.evaluate("model", "fake_vtg", out="run", **FAKE)
    assert run.results.lost == 0


def test_records_are_scored_as_a_file_of_them(home: Path) -> None:
    samples = vtg_eval.samples("fake_vtg")
    records = [{"id": sample.id, "spans": [[1, 3]]} for sample in samples]
    (home / "p.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    by_file = vtg_eval.score("fake_vtg", "p.jsonl")
    by_records = vtg_eval.score("fake_vtg", records, name="p.jsonl")
    predictions = [Prediction(sample.id, spans=(Span(1, 3),)) for sample in samples]
    by_predictions = vtg_eval.score("fake_vtg", predictions, name="p.jsonl")
    assert by_file.results == by_records.results == by_predictions.results
    assert by_file.coverage.answered == len(samples)
    frame = by_file.samples_frame()
    assert "seconds" not in frame and frame["spans"].tolist() == [[[1, 3]]] * len(samples)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"id": "v0/0", "answer": "1 - 2"}, 'Is "answer" the "text"'),
        ({"qid": "v0/0", "text": "1 - 2"}, 'Is "qid" the "id"'),
        ({"id": "v0/0", "spans": [[1, float("nan")]]}, "v0/0"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(home: Path, record, message: str) -> None:
    with pytest.raises(vtg_eval.UserError, match="The record") as caught:
        vtg_eval.score("fake_vtg", [record])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "span", [(0.5, 3), np.array([0.5, 3]), [np.float32(0.5), np.int64(3)], Span(0.5, 3)]
)
def test_tuples_and_numbers_of_numpy_are_read(home: Path, span) -> None:
    samples = vtg_eval.samples("fake_vtg")
    plain = vtg_eval.score("fake_vtg", [{"id": s.id, "spans": [[0.5, 3]]} for s in samples])
    records = ({"id": s.id, "spans": [span], "text": float("nan"), "choice": None} for s in samples)
    assert vtg_eval.score("fake_vtg", records).results == plain.results


def test_a_data_frame_with_empty_cells_is_read(home: Path) -> None:
    samples = vtg_eval.samples("fake_vtg")
    records = [{"id": s.id, **({"text": "1 - 3"} if n % 2 else {"spans": [[1.0, 3.0]]})}
               for n, s in enumerate(samples)]  # fmt: skip
    frame = vtg_eval.score("fake_vtg", pd.DataFrame(records))
    assert frame.results == vtg_eval.score("fake_vtg", records).results
    assert frame.coverage.answered == len(samples)


def test_what_is_missing_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scored = vtg_eval.score("fake_vtg", [{"id": "v0/0", "text": "1 - 2"}, {"id": "x", "text": ""}])
    err = capsys.readouterr().err
    assert "predictions: Answers for 1 of 32 samples; 1 record names an unknown id" in err
    assert "31 of them without an answer" in repr(scored)
    vtg_eval.evaluate("model", "fake_vtg", out="run", **FAKE)
    lines = (home / "run/journal.jsonl").read_text().splitlines(keepends=True)
    (home / "run/journal.jsonl").write_text("".join(lines[:9]))
    capsys.readouterr()
    assert vtg_eval.load_run("run").unanswered == 23
    assert "run is not finished: 23 of 32 samples have no answer yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"limt": 3}, 'no setting "limt". Did you mean "limit"'),
        ({"plan": True}, 'no setting "plan"'),
        ({"limit": -1}, ">= 1"),
        ({"limit": True}, "limit"),
        ({"limit": "3"}, "limit"),
        ({"seed": "a"}, "seed"),
        ({"devices": "x"}, "devices"),
        ({"engine_arg": "a=1"}, "engine_arg"),
        ({"protocol": 2}, "protocol"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_made(home: Path, settings, message) -> None:
    with pytest.raises(vtg_eval.UserError) as caught:
        vtg_eval.evaluate("model", "fake_vtg", out="run", **{**FAKE, **settings})
    assert message in str(caught.value)
    assert not (home / "run").exists()


@pytest.mark.parametrize("predictions", [{"v0/0": "1 - 2"}, None, 3, ["a"]])
def test_predictions_that_are_no_records_are_refused(home: Path, predictions) -> None:
    with pytest.raises(vtg_eval.UserError, match='"id": '):
        vtg_eval.score("fake_vtg", predictions)


def test_a_mistake_is_an_error_that_says_what_to_do(home: Path) -> None:
    with pytest.raises(vtg_eval.UserError, match='Did you mean "fake_vtg"'):
        vtg_eval.evaluate("model", "fake_vgt", **FAKE)
    with pytest.raises(vtg_eval.UserError, match="not a run folder"):
        vtg_eval.load_run("nowhere")
    with pytest.raises(vtg_eval.UserError, match="one or more tasks"):
        vtg_eval.evaluate("model", [], **FAKE)
    with pytest.raises(vtg_eval.UserError, match="two runs or more"):
        vtg_eval.compare("run")


def test_a_frame_has_a_row_for_each_sample(home: Path) -> None:
    (run,) = vtg_eval.evaluate("model", "fake_vtg", out="run", **FAKE)
    frame = run.samples_frame()
    assert frame["id"].tolist() == [sample.id for sample in run.samples]
    assert frame["mIoU"].mean() * 100 == pytest.approx(run.metrics["mIoU"])
    assert set(frame["group: kind"]) == {"never", "once"}
    assert (frame["seconds"] >= 0).all() and frame["frame_times"].map(len).min() > 0
    assert frame["truth"].map(len).sum() == sum(len(s.target.spans) for s in run.samples)


def test_metrics_have_intervals_and_floors_have_none(home: Path) -> None:
    (run,) = vtg_eval.evaluate("model", "fake_vtg", out="run", **FAKE)
    frame = vtg_eval.metrics_frame([run, run])
    row = frame[(frame.metric == "mIoU") & ~frame.floor].iloc[0]
    assert row.value == run.metrics["mIoU"] and row.low <= row.value <= row.high
    floors = frame[frame.floor]
    assert set(floors.model) == set(run.results.floors) and floors.low.isna().all()


def test_a_comparison_is_that_of_the_command(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vtg_eval.evaluate("model", "fake_vtg", out="one", **FAKE)
    nine: RunSettings = {**FAKE, "limit": 9}
    vtg_eval.evaluate("model", "fake_vtg", out="two", **nine)
    comparisons = vtg_eval.compare("one", vtg_eval.load_run("two"), "one")
    capsys.readouterr()
    assert main(["compare", "one", "two", "one", "--json", "-"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert json.loads(json.dumps([c.to_json() for c in comparisons])) == table["comparisons"]
    frame = comparisons.frame()
    assert frame["second"].unique().tolist() == ["two", "one"]
    first = comparisons[0].metrics[0]
    assert frame.iloc[0][["metric", "difference"]].tolist() == [
        first.metric,
        first.estimate.difference,
    ]


def test_scored_answers_and_other_protocols_are_compared(home: Path) -> None:
    (run,) = vtg_eval.evaluate("model", "fake_vtg", out="run", **FAKE)
    records = [{"id": s.id, "spans": [[0, 3]]} for s in run.samples]
    scored = vtg_eval.score("fake_vtg", records, name="first three")
    other = vtg_eval.load_run("run", protocol="timelens@1")
    comparisons = vtg_eval.compare(run, scored, other)
    assert "first three" in repr(comparisons)
    frame = comparisons.frame()
    assert frame["second_protocol"].unique().tolist() == ["strict@2", "timelens@1"]
    of_scored = frame[(frame.second == "first three") & (frame.metric == "mIoU")].iloc[0]
    assert of_scored.second_value == pytest.approx(scored.metrics["mIoU"])


def test_tasks_are_listed_by_their_cards(home: Path) -> None:
    names = [card.name for card in vtg_eval.list_tasks()]
    assert {"charades_sta", "fake_vtg"} <= set(names)
