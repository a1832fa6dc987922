import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.run.conftest import Run
from vtg_eval.errors import UserError
from vtg_eval.failures import Failure, Finish
from vtg_eval.run.journal import Record
from vtg_eval.run.results import frame_grid, load_results, prediction

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
