"""Broken annotation files of every layout: read right, or refused with their place, never lost."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.robustness.annotation_files import HOLE, LAYOUTS, QUERY, RECORDS, written
from tests.robustness.case import RIGHT_VALUE, Case
from vtg_eval.cli import main

SEED = 20261130
DEEP = 100_000
Break = Callable[[str, random.Random], str | bytes]


@dataclass(frozen=True, slots=True)
class AnnotationCase(Case):
    """A broken file of a layout. finding: what `data check` says, where that is something else.

    `odd`: no refusal, but a finding of `data check`; every record is still read.
    """

    layout: str
    broken: Break
    finding: str = ""
    odd: bool = False


def cases() -> Iterator[AnnotationCase]:
    for layout in ("sentence lines", "captions", "chunks", "highlights", "questions"):
        yield from _texts(layout)
    yield from _documents()
    yield from _values()
    yield from _tables()
    yield from _oddities()


def _texts(layout: str) -> Iterator[AnnotationCase]:
    """The same text in other encodings and with other line ends, and files without text."""

    def case(name: str, outcome: str, broken: Break, finding: str = "") -> AnnotationCase:
        return AnnotationCase(f"{layout}: {name}", outcome, layout, broken, finding)

    yield case("byte order mark", RIGHT_VALUE, lambda text, _: text.encode("utf-8-sig"))
    yield case("CRLF", RIGHT_VALUE, lambda text, _: text.replace("\n", "\r\n"))
    yield case("CR", RIGHT_VALUE, lambda text, _: text.replace("\n", "\r"))
    yield case("blank lines", RIGHT_VALUE, lambda text, _: f"{text}\n \n\n")
    yield case("UTF-16", "is UTF-16", lambda text, _: text.encode("utf-16"))
    yield case("UTF-32", "is UTF-32", lambda text, _: text.encode("utf-32"))
    yield case("Latin-1", "not UTF-8", lambda text, _: text.encode("latin-1"))
    empty, finding = {
        "sentence lines": ("hold no samples", "0 queries"),
        "highlights": ("hold no samples", "0 queries"),
        "questions": ("must begin with a line of different column names", ""),
    }.get(layout, ("is empty", ""))
    yield case("empty", empty, lambda text, _: "", finding)


def _documents() -> Iterator[AnnotationCase]:
    """JSON that is none, or another value than the file should hold."""
    kinds = {"captions": "{", "chunks": "[", "highlights": "{"}
    for layout, opening in kinds.items():
        inside = '{"a":' if opening == "{" else "["

        def case(name: str, outcome: str, broken: Break, layout: str = layout) -> AnnotationCase:
            return AnnotationCase(f"{layout}: {name}", outcome, layout, broken)

        yield case("cut", "is not JSON", lambda text, rng: text[: -rng.randint(5, 40)])
        yield case(f"nested {DEEP}", "nested too deeply", _always(inside * DEEP))
        yield case("a number", "is not a JSON", lambda _, __: "3")
        yield case("a text", "is not a JSON", lambda _, __: '"x"')
        yield case("two values", "is not JSON", lambda text, _: f"{text.rstrip()}}}")
        yield case(
            "no quotes",
            "is not JSON",
            lambda text, _: text.replace('"duration', "duration").replace('"video', "video"),
        )
        yield case("a key twice", "is there twice", _twice)
    yield AnnotationCase(
        "captions: a video twice",
        "is there twice",
        "captions",
        lambda text, rng: text.replace(f'"v_{rng.randrange(1, RECORDS)}"', '"v_0"'),
    )


def _twice(text: str, rng: random.Random) -> str:
    """Give one object of a file its first key a second time."""
    key = next(k for k in ("timestamps", "annotation_id", "qid") if f'"{k}"' in text)
    parts = text.split(f'"{key}":')
    place = rng.randrange(1, len(parts))
    head, tail = (f'"{key}":'.join(part) for part in (parts[:place], parts[place:]))
    return f'{head}"{key}": 1, "{key}":{tail}'


NOT_A_LENGTH = (
    *("1e15", "-5", "0", "NaN", "Infinity", "-Infinity", "1e400", "9" * 5000, '"long"', '"1_0"'),
    *('"nan"', "true", "null", "[1]", "{}", "1e-320", '"٣"'),
)
NOT_A_TIME = ("1e400", "NaN", '"a"', "null", "true", "1e15", "9" * 5000, "[1]")
NOT_AN_ID = {
    json.dumps("x" * 5000): "has an id of 5,000 characters",
    '""': "has an id that is empty",
    r'"a\u0000b"': "has an id that is empty or has control characters",
    r'"a\nb"': "has an id that is empty or has control characters",
    r'"\ud800"': "must be text",
    "null": "must be text",
    "true": "must be text",
    "NaN": "must be text",
    "[]": "must be text",
}
NOT_A_VIDEO = (
    *('"../x"', '"/etc/passwd"', '"a/../../b"', r'"a\u0000b"', r'"a\nb"', '""', '"."'),
    json.dumps("v" * 300),
    json.dumps("é/" * 600),
)
NOT_SALIENT = (str(2**70), "-1", "5", "1.5", '"4"', "null", "1e400", "9" * 5000)


def _values() -> Iterator[AnnotationCase]:
    """One value of one record that cannot be what it should be."""
    measured = ("captions", "highlights", "clues", "moments", "sources", "referring", "locations")
    for number, value in enumerate(NOT_A_LENGTH):
        layout = measured[number % len(measured)]
        yield _value(layout, "duration", value, '"duration" must be a length')
    spans = {"captions": "timestamps", "moments": "relevant_windows", "clues": "clue_intervals"}
    for number, value in enumerate(NOT_A_TIME):
        layout = list(spans)[number % len(spans)]
        yield _value(layout, spans[layout], f"[[1, {value}]]", f'"{spans[layout]}" must be')
    for value in ("7", "null", "[[1]]", "[[1, 2, 3]]", '["1-2"]'):
        yield _value("captions", "timestamps", value, '"timestamps" must be a list')
    named = {"highlights": "qid", "moments": "qid", "referring": "id", "chunks": "annotation_id"}
    for number, (value, outcome) in enumerate(NOT_AN_ID.items()):
        layout = list(named)[number % len(named)]
        yield _value(layout, named[layout], value, outcome)
    yield _value("highlights", "qid", "500", "has the id of another", "duplicate sample ids")
    videos = {"highlights": "vid", "moments": "vid", "referring": "video_path", "chunks": "video"}
    for number, value in enumerate(NOT_A_VIDEO):
        layout = list(videos)[number % len(videos)]
        yield _value(layout, videos[layout], value, "names a video that cannot be a file")
    for value in NOT_SALIENT:
        row = f"[[1, 2, {value}], [1, 2, 3]]"
        yield _value("highlights", "saliency_scores", row, '"saliency_scores" must be integers')
    yield _value("highlights", "saliency_scores", "[[1, 2], [1, 2, 3]]", "must have 3 a clip")
    yield _value("highlights", "relevant_clip_ids", "[2, 2]", "has a clip twice")
    yield _value("highlights", "relevant_clip_ids", f"[2, {10**30}]", '"relevant_clip_ids" must')
    yield _value("chunks", "num_segments", str(10**30), '"num_segments" must be an integer')
    yield _value("chunks", "num_segments", "0", "has a duration of 0 s")
    yield _value("frames", "fps", "0", '"fps" must be above 0')
    yield _value("frames", "fps", "1e400", '"fps" must be a number')
    yield _value("frames", "num_frames", "-1", "has a duration of")
    yield _value("referring", "correct_choice", str(10**30), '"correct_choice" must be')
    yield _value("referring", "candidates", json.dumps(["x"] * 30), "has 30 options")
    yield _value("referring", "candidates", "[]", '"correct_choice" is')
    yield _value("template", "questions", "[3]", "is not a JSON object")
    yield _value("hours", "qa", '{"uid": 1}', '"qa" must be a list')
    yield _value("locations", "location", "[]", '"location" must be an object')
    yield _value("captions", "sentences", '["one"]', "2 timestamps, but 1 sentences")
    yield _value("sources", "answer", '"1e400-3"', '"answer" must be like')
    yield _value("clues", "right_answer", '"Z"', "which is no option's letter")


def _value(
    layout: str, key: str, value: str, outcome: str, finding: str = "", odd: bool = False
) -> AnnotationCase:
    """Give one record, not the first, this JSON text under the key."""

    def broken(_: str, rng: random.Random) -> str:
        source = LAYOUTS[layout]
        content = source.files[source.file](random.Random(SEED))
        place = rng.randrange(1, RECORDS)
        record = list(content.values())[place] if isinstance(content, dict) else content[place]
        record[key] = HOLE
        return written(content, source.file).replace(json.dumps(HOLE), value)

    name = f"{layout}: {key} {value if len(value) < 30 else f'{value[:12]}… ({len(value)})'}"
    return AnnotationCase(name, outcome, layout, broken, finding, odd)


def _tables() -> Iterator[AnnotationCase]:
    """CSV and sentence lines with values that are missing, too many or no numbers."""
    for name, layout, old, new, outcome in (
        ("no column", "questions", ",question,", ",text,", 'has no "question"'),
        ("a column twice", "questions", ",qid,", ",a0,", "different column names"),
        ("a value too many", "questions", ",TP,", ",TP,,", "does not have 13 values"),
        ("a value too few", "questions", ",TP,go", ",TP", "does not have 13 values"),
        ("an open quote", "questions", ",go,1,TP", ',"go,1,TP', "is not CSV"),
        ("another type", "questions", ",TP,", ",XX,", '"type" is'),
        ("no right option", "questions", ",go,1,", ",fly,1,", '"answer" is'),
        ("a long field", "questions", QUERY, "x" * 200_000, "is not CSV"),
        ("an unknown question", "questions", ",go,1,TP", ",go,7,TP", "has no"),
        ("a row twice", "questions", "\n1,", "\n2,", "again"),
        ("length -3", "lengths", "V1,", "V1,-3", '"length" must be'),
        ("length nan", "lengths", "V1,2", "V1,nan", '"length" must be'),
        ("length 1e15", "lengths", "V1,2", "V1,1e15", '"length" must be'),
        ("no length", "lengths", "id,length", "id,size", 'has no "length"'),
        ("another length", "lengths", "V1,", "V2,9", "expected another `id`"),
        ("no sentence", "sentence lines", "##", "#", "expected `VIDEO START END##sentence`"),
        ("time nan", "sentence lines", "V1 ", "V1 nan ", "expected `VIDEO START END##sentence`"),
        ("time 1e400", "sentence lines", "V1 ", "V1 1e400", "expected `VIDEO START"),
        ("time 1e15", "sentence lines", "V1 ", "V1 1e15", "expected `VIDEO START"),
        ("5,000 digits", "sentence lines", "V1 ", f"V1 {'9' * 5000}", "expected `VIDEO START"),
        ("a path", "sentence lines", "V1 ", "../V1 ", "expected `VIDEO START END##sentence`"),
        ("NUL", "sentence lines", "V1 ", "V\x001 ", "expected `VIDEO START END##sentence`"),
    ):
        yield AnnotationCase(
            f"{layout}: {name}",
            outcome,
            layout,
            _replacing(old, new),
        )


def _replacing(old: str, new: str) -> Break:
    def broken(text: str, _: random.Random) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return broken


def _always(text: str) -> Break:
    return lambda _, __: text


def _oddities() -> Iterator[AnnotationCase]:
    """Files that real benchmarks have too: every record is read, and `data check` tells."""
    yield AnnotationCase(
        "sentence lines: an empty query",
        "empty query",
        "sentence lines",
        lambda text, _: text.replace(f"{QUERY}.\n", "\n", 1),
        odd=True,
    )
    for key, value, outcome in (
        ("query", '" "', "empty query"),
        ("relevant_windows", "[[8, 4]]", "truth empty or reversed"),
        ("relevant_windows", "[[4, 4]]", "truth empty or reversed"),
        ("relevant_windows", "[[-4, 4]]", "truth before the start or not finite"),
        ("relevant_windows", "[[4, 400]]", "truth beyond the annotated end by over 1 s"),
        ("relevant_windows", "[[4, 6], [5, 8]]", "truth spans that overlap or touch"),
    ):
        yield _value("highlights", key, value, outcome, odd=True)
    yield _value("clues", "choices", '["Grey", "", "White"]', "empty options", odd=True)
    yield _value("highlights", "relevant_windows", '[["4", "8"]]', RIGHT_VALUE)
    yield _value("highlights", "duration", '"20"', RIGHT_VALUE)


CASES = tuple(cases())


def called(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    status = main(args)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return status, out, err


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_file_is_read_right_or_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: AnnotationCase
) -> None:
    layout = LAYOUTS[case.layout]
    place = ("--data-root", str(tmp_path), "--split", layout.split)
    path = layout.write(tmp_path, SEED)
    _, right, _ = called(capsys, "samples", layout.task, *place)
    assert right.count("\n") >= RECORDS
    broken = case.broken(path.read_text(encoding="utf-8"), random.Random(SEED))
    content = broken if isinstance(broken, bytes) else broken.encode("utf-8")
    assert content != path.read_bytes() or case.outcome == RIGHT_VALUE
    path.write_bytes(content)

    status, out, err = called(capsys, "samples", layout.task, *place)
    checked, report, refusal = called(capsys, "data", "check", layout.task, *place)
    if case.outcome == RIGHT_VALUE:
        assert (status, out, err) == (0, right, "")
    elif case.odd:
        assert (status, out.count("\n"), err) == (0, right.count("\n"), "")
        assert checked == 1
        assert re.search(rf"  {case.outcome}: [12] \(", report)
    else:
        assert (status, out) == (2, "")
        assert err.startswith("vtg-eval: ")
        assert err.count("\n") == 1
        assert case.outcome in err
        assert str(tmp_path) in err
        assert checked in (1, 2)
        assert (case.finding or case.outcome) in report + refusal


def test_there_are_many_different_cases() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60
