import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.parsing.spans import SPAN_PARSERS, span_parser, strict, strict_1

STRICT_SPANS = [
    ("12.5 - 20.3", (12.5, 20.3)),
    ("12.5s to 20.3s", (12.5, 20.3)),
    ("12.5 seconds and 20.3 seconds", (12.5, 20.3)),
    ("between 12.5 and 20.3 seconds", (12.5, 20.3)),
    ("From second 12 to second 20", (12, 20)),
    ("12.0 — 15.5", (12.0, 15.5)),
    ("12.0 – 15.5", (12.0, 15.5)),
    ("12.3 to\n20.1", (12.3, 20.1)),
    ("[12.5, 20.3]", (12.5, 20.3)),
    ("[12,345]", (12, 345)),
    ("(1.5,3)", (1.5, 3)),
    ('["00:12", "00:20"]', (12, 20)),
    ('{"start": 12.5, "end": 20.3}', (12.5, 20.3)),
    ("```json\n{'start': '1:02', 'end': '1:05.5'}\n```", (62, 65.5)),
    ("start: 3.5\nend: 7.5", (3.5, 7.5)),
    ("Starting time: 0.8 seconds. Ending time: 1.1 seconds", (0.8, 1.1)),
    ("The 2 people start at 3.5 and end at 7.5", (3.5, 7.5)),
    ("0:01:12.5 - 0:01:20.3", (72.5, 80.3)),
    ("From 00:12 to 00:20", (12, 20)),
    ("1,234.5 - 1,240.0", (1234.5, 1240)),
    ("1e3 - 2e3", (1000, 2000)),
    ("１２ － ２０", (12, 20)),
    ("3.0 to 5.0, 9.0 to 12.0", (3, 5)),
    ("-3.0 to 5.0", (-3, 5)),
    ("5 - -3", (5, -3)),
    ("12 -20", (12, 20)),
    ("20.3 - 12.5", (20.3, 12.5)),
    ("<think>at 3.0 to 5.0</think><answer>12.5 to 20.3</answer>", (12.5, 20.3)),
    ("at 3.0 to 5.0 </think> 12.5 to 20.3", (12.5, 20.3)),
    ("<answer>1 to 2</answer> wait <ANSWER>3 to 4</ANSWER>", (3, 4)),
    ("<answer>1 to 2</answer> not 3 to 4", (1, 2)),
    ("<answer>3 to 4", (3, 4)),
    ("It happens at 3 - 5. It never happens again.", (3, 5)),
]
STRICT_FAILURES = [
    ("", Failure.UNPARSED),
    ("None", Failure.UNPARSED),
    ("At 12.5 seconds.", Failure.UNPARSED),
    ("10% to 20%", Failure.UNPARSED),
    ("frames 3 to 9", Failure.UNPARSED),
    ("2 minutes to 3 minutes", Failure.UNPARSED),
    ("12.3.4 - 20", Failure.UNPARSED),
    ("nan - inf", Failure.UNPARSED),
    ("Qwen2.5 - 7B", Failure.UNPARSED),
    ("<answer></answer>", Failure.UNPARSED),
    ("1e400 - 2", Failure.NON_FINITE),
    ("9" * 400 + " - " + "9" * 400, Failure.NON_FINITE),
    ("<think>maybe 3 to 5", Failure.TRUNCATED),
    ("I cannot determine when this happens.", Failure.REFUSED),
    ("Sorry, that is not possible.", Failure.REFUSED),
]
STRICT_ABSENT = [
    "never",
    "Never.",
    "<answer>never</answer>",
    "The event does not happen.",
    "The event doesn’t occur in the video.",
    "There is no such event.",
    "The event is not visible in the video.",
]
HOSTILE = [
    "1" * 300_000,
    "1 " * 150_000,
    "1." * 150_000,
    "1-" * 150_000,
    "1" + " " * 300_000,
    "1" + "." * 300_000,
    "12:" * 100_000,
    "1,111" * 60_000,
    "<think>" * 40_000,
    "start 1\n" * 40_000,
    "[1," * 100_000,
    "does " * 60_000,
    "\ufdfa" * 300_000,
]
FENCE = "```json\n{}\n```"
# text, intervals that CG-Bench's script parses, those that VLMEvalKit parses (None: unparsed)
INTERVALS = [
    (FENCE.format('{"result": [[1, 2.5], [4, 6]]}'), [(1, 2.5), (4, 6)], [(1, 2.5), (4, 6)]),
    (FENCE.format('{"result": [5, 9]}'), [(5, 9)], [(5, 9)]),
    (FENCE.format('{"result": [5, 9, 12]}'), None, [(5, 9)]),
    (FENCE.format('{"result": []}'), [], None),
    (FENCE.format('{"result": null}') + " 3 4", [], None),
    (FENCE.format('{"result": "3 4"}'), [(3, 4)], None),
    (FENCE.format('{"result": [[3, null]]}'), None, None),
    (FENCE.format('{"result": [["3", "4"]]}'), [(3, 4)], [(3, 4)]),
    (FENCE.format('{"result": [{"start": 3, "end": 4}]}'), [(3, 4)], [(3, 4)]),
    (FENCE.format('{"result": [[1, 5, 7]]}'), None, [(1, 5)]),
    (FENCE.format('{"result": [[1, 9], [2, 3, 7]]}'), [(1, 9), (2, 3)], [(1, 9), (2, 3)]),
    (FENCE.format('{"result": [[9, 3]]}'), [(9, 3)], [(9, 3)]),
    ("```json\n[[1, 2]]", [(1, 2)], [(1, 2)]),
    ("no clue", [], None),
    ("at 3", None, None),
    ("1 - 2, 3 - 4 and 5", None, [(1, 2), (3, 4)]),
    ("1 - 4, 3 - 5", None, [(1, 4), (3, 5)]),
    ("5 - 4, -3 to 2.", [(5, 4), (-3, 2)], [(5, 4), (-3, 2)]),
    ("", None, None),
]


both_versions = pytest.mark.parametrize("strict", [strict, strict_1], ids=["2", "1"])


@both_versions
@pytest.mark.parametrize(("text", "span"), STRICT_SPANS)
def test_strict_parses_the_first_span(strict, text, span):
    assert strict(text).spans[0] == span


@both_versions
@pytest.mark.parametrize(("text", "failure"), STRICT_FAILURES)
def test_strict_names_the_failure(strict, text, failure):
    answer = strict(text)
    assert (answer.failure, answer.spans, answer.absent) == (failure, (), False)


@both_versions
@pytest.mark.parametrize("text", STRICT_ABSENT)
def test_strict_accepts_an_explicit_absence(strict, text):
    answer = strict(text)
    assert (answer.failure, answer.spans, answer.absent) == (None, (), True)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("<think>from 1.0 to 2.0</think>\n<answer>\n8.50s to 12.40s\n</answer>", [(8.5, 12.4)]),
        ("8.5 to 12.4, it takes 3 seconds", [(12.4, 3.0)]),
        ("<think>at 3.25s", []),
        ("1:05", [(1.0, 5.0)]),
        ("no", []),
    ],
)
def test_the_last_two_numbers(text, spans):
    assert list(SPAN_PARSERS["last-two-numbers"](text).spans) == spans


@pytest.mark.parametrize("parser", SPAN_PARSERS.values(), ids=SPAN_PARSERS)
@given(text=st.text(alphabet=st.sampled_from("0123456789.:,-– \n!atoends<>/%٣１"), max_size=40))
def test_every_parser_returns_spans_absence_or_a_failure_for_any_text(parser, text):
    answer = parser(text)
    assert bool(answer.spans) + answer.absent + (answer.failure is not None) == 1


@given(st.text(max_size=200))
def test_strict_times_are_finite(text):
    for span in strict(text).spans:
        assert all(map(math.isfinite, span))


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_strict_parses_any_two_floats(start, end):
    assert strict(f"{start!r} - {end!r}").spans == ((start, end),)


@pytest.mark.parametrize("parser", SPAN_PARSERS.values(), ids=SPAN_PARSERS)
def test_very_long_texts_are_parsed_in_linear_time(parser):
    for text in HOSTILE:
        start = time.process_time()
        parser(text)
        assert time.process_time() - start < 5, text[:10]  # a quadratic rule takes many minutes


def test_an_unknown_parser_is_an_error_that_names_the_nearest():
    with pytest.raises(UserError, match="timelens"):
        span_parser("timelen")


@pytest.mark.parametrize(("text", "official", "vlmevalkit"), INTERVALS)
def test_sets_of_intervals_are_those_of_both_scripts(text, official, vlmevalkit):
    for name, expected in (("cg-bench", official), ("vlmevalkit-cg-bench", vlmevalkit)):
        answer = SPAN_PARSERS[name](text)
        if expected is None:
            assert answer.failure is Failure.UNPARSED
        else:
            assert (list(answer.spans), answer.absent) == (expected, not expected)


@pytest.mark.parametrize(
    ("text", "fractions"),
    [
        (FENCE.format('{"result": [[0.1, 0.5], [-1, 1]]}'), True),
        (FENCE.format('{"result": [[0.1, 0.5, 9]]}'), True),
        (FENCE.format('{"result": [[0.1, 0.5], [1, 2]]}'), False),
        ("0.1 - 0.5", False),
    ],
)
def test_only_a_fenced_result_of_times_up_to_1_is_in_fractions(text, fractions):
    answer = SPAN_PARSERS["vlmevalkit-cg-bench"](text)
    assert (answer.fractions, answer.spans[0]) == (fractions, (0.1, 0.5))
    assert not SPAN_PARSERS["cg-bench"](text).fractions
