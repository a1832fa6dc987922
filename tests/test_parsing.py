import json
import math
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.parsing import SPAN_PARSERS, span_parser, strict

GOLDEN = os.environ.get("VTG_EVAL_GOLDEN")
needs_golden = pytest.mark.skipif(not GOLDEN, reason="VTG_EVAL_GOLDEN is not set")

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
    "1" * 10**6,
    "1 " * 500_000,
    "1." * 500_000,
    "1-" * 500_000,
    "1" + " " * 10**6,
    "1" + "." * 10**6,
    "12:" * 330_000,
    "1,111" * 200_000,
    "<think>" * 140_000,
    "start 1\n" * 120_000,
    "[1," * 330_000,
    "does " * 200_000,
    "\ufdfa" * 10**6,
]
SOURCES = {
    "timelens.extract_time": ("timelens", None),
    "lmms_charades.extract_time": ("lmms-charades", None),
    "timechat.format_tvg.extract_time": ("timechat", None),
    "time_r1.extract_answer(tg)": ("to-or-and", -1),
    "timezero.parse_timestamp_output": ("to-or-and", -1),
}


@pytest.mark.parametrize(("text", "span"), STRICT_SPANS)
def test_strict_first_span(text, span):
    assert strict(text).spans[0] == span


@pytest.mark.parametrize(("text", "failure"), STRICT_FAILURES)
def test_strict_failure(text, failure):
    found = strict(text)
    assert (found.failure, found.spans, found.absent) == (failure, (), False)


@pytest.mark.parametrize("text", STRICT_ABSENT)
def test_strict_explicit_absence(text):
    found = strict(text)
    assert (found.failure, found.spans, found.absent) == (None, (), True)


@pytest.mark.parametrize("parser", SPAN_PARSERS.values(), ids=SPAN_PARSERS)
@given(text=st.text(alphabet=st.sampled_from("0123456789.:,-– \n!atoends<>/%٣１"), max_size=40))
def test_no_parser_raises_and_each_says_what_it_found(parser, text):
    found = parser(text)
    assert bool(found.spans) + found.absent + (found.failure is not None) == 1


@given(st.text(max_size=200))
def test_strict_times_are_finite(text):
    for span in strict(text).spans:
        assert all(map(math.isfinite, span))


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_strict_reads_what_was_written(start, end):
    assert strict(f"{start!r} - {end!r}").spans == ((start, end),)


@pytest.mark.parametrize("parser", SPAN_PARSERS.values(), ids=SPAN_PARSERS)
def test_a_million_characters_take_seconds_at_most(parser):
    for text in HOSTILE:
        began = time.process_time()
        parser(text)
        assert time.process_time() - began < 15, text[:10]  # a quadratic rule takes hours


def test_unknown_parser_names_the_nearest():
    with pytest.raises(UserError, match="timelens"):
        span_parser("timelen")


@needs_golden
@pytest.mark.parametrize("source", SOURCES)
def test_as_the_official_parsers(source):
    parser, index = SOURCES[source]
    for row in json.loads((Path(GOLDEN) / "parsers/time_strings.official.json").read_text()):
        spans = [list(span) for span in SPAN_PARSERS[parser](row["text"]).spans]
        found = spans if index is None else (spans[index] if spans else [None, None])
        assert found == row[source], row["text"]
