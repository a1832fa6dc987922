import json
import math
from pathlib import Path

import pytest

from vtg_eval.errors import DataError, UserError
from vtg_eval.failures import Failure
from vtg_eval.parsing.predictions_file import MAX_SPANS, read_predictions
from vtg_eval.types import Prediction, ScoredSpan


def read(tmp_path: Path, *lines: str | bytes):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\n".join(s if isinstance(s, bytes) else s.encode() for s in lines))
    return read_predictions(path)


def test_text_spans_scores_choice_and_saliency_are_read(tmp_path):
    predictions = read(
        tmp_path,
        '{"id": "a", "text": "1 - 2"}',
        "",
        '{"id": "b", "spans": [[1, 2.5, 0.9], [3, 4, 0.1]], "choice": "B", "saliency": [1, 0]}',
        '{"id": "c", "spans": null}',
        '{"id": "d", "spans": []}',
    )
    assert predictions == (
        Prediction("a", text="1 - 2"),
        Prediction("b", None, (ScoredSpan(1, 2.5, 0.9), ScoredSpan(3, 4, 0.1)), "B", (1.0, 0.0)),
        Prediction("c"),
        Prediction("d", spans=()),
    )


@pytest.mark.parametrize(
    "spans",
    ['["1", "2"]', "[1, 2]", "[[1]]", "[[1, 2, 3, 4]]", '[["1", "2"]]', "[[true, 2]]", "{}", "3"],
)
def test_spans_of_the_wrong_type_are_malformed_and_not_an_error(tmp_path, spans):
    (prediction,) = read(tmp_path, f'{{"id": "a", "spans": {spans}}}')
    assert prediction == Prediction("a", failure=Failure.MALFORMED)


def test_other_fields_of_the_wrong_type_are_malformed(tmp_path):
    for field in ('"text": 3', '"choice": 1', '"saliency": "x"', '"saliency": [null]'):
        (prediction,) = read(tmp_path, f'{{"id": "a", {field}}}')
        assert prediction.failure == Failure.MALFORMED


def test_non_finite_and_huge_numbers_are_kept_where_they_are_allowed(tmp_path):
    line = '{"id": "a", "spans": [[NaN, 1e400], [-Infinity, 1%s]]}' % ("0" * 400)
    with pytest.raises(DataError, match=r"p\.jsonl, line 1 has a number in .spans. that is NaN"):
        read(tmp_path, line)
    (prediction,) = read_predictions(tmp_path / "p.jsonl", allow_non_finite=True)
    assert prediction.spans is not None
    (nan, inf), (low, high) = (tuple(span) for span in prediction.spans)
    assert math.isnan(nan)
    assert (inf, low, high) == (math.inf, -math.inf, math.inf)


def test_more_spans_than_the_limit_are_a_failure(tmp_path):
    (prediction,) = read(tmp_path, json.dumps({"id": "a", "spans": [[0, 1]] * 10**6}))
    assert prediction == Prediction("a", failure=Failure.TOO_MANY_SPANS)
    (prediction,) = read(tmp_path, json.dumps({"id": "a", "spans": [[0, 1]] * MAX_SPANS}))
    assert len(prediction.spans) == MAX_SPANS


@pytest.mark.parametrize(
    "line",
    [
        "oops",
        "[1, 2]",
        "{}",
        '{"id": 3}',
        '{"id": "a"',
        b"\xff\xfe",
        "[" * 10**5,
        '{"id": %s}' % ("9" * 5000),
    ],
)
def test_a_line_that_is_not_a_record_is_an_error_with_its_number(tmp_path, line):
    with pytest.raises(DataError, match=r"p\.jsonl, line 2") as caught:
        read(tmp_path, '{"id": "a"}', line)
    assert "\n" not in str(caught.value)


def test_a_byte_order_mark_is_ignored(tmp_path):
    assert read(tmp_path, b'\xef\xbb\xbf{"id": "a"}') == (Prediction("a"),)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_predictions(tmp_path / "none.jsonl")
