import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data_task import SmallTask
from tests.run.conftest import Run
from vtg_eval.errors import UserError
from vtg_eval.failures import Failure, Finish
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.report.tables import report
from vtg_eval.run.journal import Record
from vtg_eval.run.results import (
    MAX_SPANS,
    TaskResults,
    answers_results,
    frame_grid,
    load_results,
    prediction,
)
from vtg_eval.types import Group, OutputType, Prediction, Sample, ScoredSpan, Span, Target

times = st.lists(st.integers(0, 1000), max_size=20).map(lambda t: tuple(x / 4 for x in sorted(t)))


@given(times)
def test_the_grid_holds_the_frames_and_one_step_more(shown: tuple[float, ...]) -> None:
    grid = frame_grid(Record("a", "v", Finish.STOP, frame_times=shown))
    assert set(shown) <= set(grid.tolist())
    assert np.all(np.diff(grid) > 0)
    assert len(grid) == len(set(shown)) + (len(set(shown)) > 1)


@given(times, st.sampled_from([0.1, 0.5, 1.0]))
def test_a_coarse_clock_coarsens_the_grid(shown: tuple[float, ...], quantum: float) -> None:
    grid = frame_grid(Record("a", "v", Finish.STOP, frame_times=shown), quantum)
    assert np.allclose(grid / quantum, np.round(grid / quantum))


def test_no_frame_no_grid() -> None:
    assert len(frame_grid(None)) == 0


@pytest.mark.parametrize(
    ("finish", "text", "failure"),
    [
        (Finish.STOP, "1 - 2", None),
        (Finish.LENGTH, "1 - 2", Failure.TRUNCATED),
        (Finish.UNDECODABLE, None, Failure.UNDECODABLE),
        (Finish.ERROR, None, Failure.ERROR),
    ],
)
def test_a_record_becomes_a_prediction_or_a_failure(
    finish: Finish, text: str | None, failure: Failure | None
) -> None:
    result = prediction(Record("a", "v", finish, text="1 - 2" if text else ""))
    assert result.text == text and result.failure is failure


def test_results_are_read_back_as_they_were(run: Run) -> None:
    outcome = run("one", options={"limit": 9})
    table = json.loads((outcome.folder / "results.json").read_text())
    assert load_results(table).metrics == outcome.results.metrics
    assert json.loads(json.dumps(load_results(table).to_json())) == table


def test_a_span_that_is_no_number_is_still_valid_json(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run("one")
    path = tmp_path / "one" / "journal.jsonl"
    record = json.loads(path.read_text().splitlines()[0])
    record["text"] = '{"start": 1, "end": 1e999}'
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")
    outcome = run("one")
    text = (outcome.folder / "results.json").read_text()
    assert "Infinity" not in text
    assert not any(math.isinf(sample.value or 0) for sample in outcome.results.samples)


@pytest.mark.parametrize("table", [{}, [], {"format": 99}, {"format": 1, "subset": {}}])
def test_json_of_another_kind_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(UserError, match="not a result"):
        load_results(table)


def results_of(samples: list[Sample], answers: list[Prediction], family: str) -> TaskResults:
    task = SmallTask(samples)
    task.card = replace(task.card, metric_family=family)
    protocol = ResolvedProtocol("test@1", "a test", "here")
    return answers_results(task, Path(), "test", samples, answers, protocol, (), "model")


def test_a_sample_has_every_metric_in_which_it_counts() -> None:
    kinds = {"long_acc": OutputType.CHOICE, "clue_acc": OutputType.CHOICE, "miou": OutputType.SPANS}
    targets = {"miou": Target((Span(0, 10),))}
    samples = [
        Sample(f"1/{kind}", "1", "q", targets.get(kind, Target(choice="B")), 20.0, ("x", "y"))
        for kind in kinds
    ]
    samples = [
        replace(s, asks=asks, groups=(Group("kind", kind),))
        for s, (kind, asks) in zip(samples, kinds.items(), strict=True)
    ]
    answers = [
        Prediction("1/long_acc", choice="B"),
        Prediction("1/clue_acc", choice="A"),
        Prediction("1/miou", spans=(Span(0, 5), Span(math.nan, 9))),
    ]
    long, clue, spans = results_of(samples, answers, "clues").samples
    counted = [{k: v for k, v in s.values.items() if v is not None} for s in (long, clue, spans)]
    assert counted[:2] == [{"long-acc": 1.0}, {"clue-acc": 0.0}]
    assert (long.value, clue.value, spans.value) == (None, None, counted[2]["mIoU"])
    assert counted[2]["acc@0.3"] == 1.0 and counted[2].keys().isdisjoint(counted[0])
    assert (long.letters, clue.letters, spans.letters) == (("B",), ("A",), ())
    assert spans.spans == ((0.0, 5.0), (None, 9.0))


def test_a_sample_has_its_spans_with_their_scores_up_to_a_limit() -> None:
    target = Target((Span(0, 10),), saliency=((1, 1, 1),) * 10)
    many = tuple(ScoredSpan(k, k + 1.0, 1 - k / 100) for k in range(99))
    samples = [Sample("1", "1", "q", target, 150.0)]
    (sample,) = results_of(samples, [Prediction("1", spans=many)], "highlights").samples
    assert sample.spans == tuple(map(tuple, many[:MAX_SPANS]))
    assert sample.values["MR-full-R1@0.5"] == 0.0
    assert sample.values["MR-long-R1@0.5"] is None


def test_what_no_sample_counts_in_is_null_and_a_dash() -> None:
    target = Target((Span(0, 10),))
    samples = [Sample(f"{k}", f"{k}", "q", target, 150.0) for k in range(9)]
    answers = [Prediction(f"{k}", spans=(ScoredSpan(0, 10, 1.0),)) for k in range(9)]
    results = results_of(samples, answers, "highlights")
    assert (results.metrics["MR-short-mAP"], results.metrics["MR-long-mAP"]) == (100.0, None)
    assert results.intervals["MR-long-mAP"] == (None, None)
    assert {floor["MR-long-mAP"] for floor in results.floors.values()} == {None}
    assert results.floors
    row, *_ = (line for line in report(results).splitlines() if line.startswith("| model"))
    assert row.split("|")[-2].strip() == "–"
    json.dumps(results.to_json(), allow_nan=False)


def test_results_of_former_formats_are_read(run: Run) -> None:
    table = json.loads(json.dumps(run("one").results.to_json()))
    new = ("values", "spans", "letters")
    samples = [{k: v for k, v in s.items() if k not in new} for s in table["samples"]]
    format_3 = {**table, "samples": samples, "failures": {"said_never": 3}, "format": 3}
    format_2 = {**format_3, "format": 2}
    del format_2["scores_across_protocols"]
    current = load_results({**table, "failures": {"false_absent": 3}})
    for former in (format_3, format_2):
        results = load_results(former)
        assert replace(results, samples=()) == replace(current, samples=())
        for old, sample in zip(results.samples, current.samples, strict=True):
            assert old.values == {"mIoU": sample.value}
            assert old.spans == sample.spans[:1] and old.letters == sample.letters
