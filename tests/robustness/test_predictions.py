"""Files of predictions, good, odd and broken: the right score, a counted failure, or a refusal."""

import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.robustness.case import RIGHT_VALUE, Case
from vtg_eval.cli import main

SAMPLES = 8
LENGTH = 20.0  # seconds of each video
IDS = [f"V{number}/0" for number in range(SAMPLES)]
TRUTH = [(float(number), number + 8.0) for number in range(SAMPLES)]
SECONDS = 10.0  # limit of one call
MEGABYTES = 1 << 20

Records = list[dict[str, Any]]


def records(seed: int, key: str = "spans") -> Records:
    """One answer for each sample, with times drawn from a seed."""
    draw = random.Random(seed)
    pairs = [sorted(round(draw.uniform(0, LENGTH), 2) for _ in range(2)) for _ in IDS]
    answers = {
        "spans": lambda start, end: [[start, end]],
        "text": lambda start, end: f"From {start} to {end} seconds.",
    }
    return [{"id": name, key: answers[key](*pair)} for name, pair in zip(IDS, pairs, strict=True)]


def times(seed: int) -> list[tuple[float, float]]:
    return [tuple(record["spans"][0]) for record in records(seed)]


def ious(pairs: Sequence[tuple[float, float] | None]) -> list[float]:
    """IoU by its definition, 0 for None."""
    values = []
    for pair, (low, high) in zip(pairs, TRUTH, strict=True):
        shared = 0.0 if pair is None else max(0.0, min(pair[1], high) - max(pair[0], low))
        whole = 1.0 if pair is None else max(pair[1], high) - min(pair[0], low)
        values.append(shared / whole)
    return values


def lines(some: Records) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in some).encode()


def with_line(line: str | bytes, at: int = 2, seed: int = 0) -> bytes:
    """A good file with one line more, in front of line `at`."""
    good = lines(records(seed)).splitlines(keepends=True)
    extra = line if isinstance(line, bytes) else line.encode()
    return b"".join([*good[: at - 1], extra + b"\n", *good[at - 1 :]])


def changed(change: dict[str, Any], seed: int = 0, at: int = 3) -> Records:
    """Good answers, one of them (line `at`) with other values."""
    some = records(seed)
    some[at - 1] = {"id": IDS[at - 1], **change}
    return some


@dataclass(frozen=True, slots=True)
class Predictions(Case):
    """A file.

    values: each sample's IoU, None for a file that is refused. failures: those counted. messages:
    texts in the message. args: of the command.
    """

    content: bytes | Callable[[], bytes]  # a call where they are many
    values: Sequence[float] | None = None
    failures: dict[str, int] = field(default_factory=dict)
    status: int = 0
    messages: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


def right(name: str, content: bytes, seed: int = 0) -> Predictions:
    return Predictions(name, RIGHT_VALUE, content, ious(times(seed)))


def counted(name: str, failure: str, change: dict[str, Any], **more: Any) -> Predictions:
    """Line 3 is an answer with a failure; it is worth nothing, the others keep their values."""
    pairs: list[tuple[float, float] | None] = [*times(0)]
    pairs[2] = None
    return Predictions(name, failure, lines(changed(change)), ious(pairs), {failure: 1}, **more)


def refused(name: str, content: bytes | Callable[[], bytes], *messages: str) -> Predictions:
    return Predictions(name, messages[0], content, status=2, messages=messages)


def shuffled(seed: int) -> bytes:
    some = records(seed)
    random.Random(seed).shuffle(some)
    return lines(some)


def renamed(old: str, new: str, key: str = "text") -> bytes:
    return lines([{new if k == old else k: v for k, v in r.items()} for r in records(0, key)])


RIGHT = (
    *(right(f"shuffled {s}", shuffled(s), s) for s in range(6)),
    *(right(f"texts {s}", lines(records(s, "text")), s) for s in range(6, 10)),
    right("byte order mark", b"\xef\xbb\xbf" + lines(records(0))),
    right(
        "byte order mark on each line",
        lines(records(0)).replace(b'{"id"', b'\xef\xbb\xbf{"id"'),
    ),
    right("carriage returns", lines(records(0)).replace(b"\n", b"\r\n")),
    right("no last line feed", lines(records(0)).rstrip()),
    right("blank lines", b"\n \n" + lines(records(0)).replace(b"\n", b"\n\t\n\n")),
    right("further keys", lines([{**r, "query": "q", "n": {"a": [None]}} for r in records(0)])),
    right("options beside a text", lines([{**r, "choices": ["a"]} for r in records(0)])),
    right(
        "NaN in a key that is not read",
        lines([{**r, "logprob": math.nan} for r in records(0)]),
    ),
    right("null keys", lines([{"text": None, "choice": None, **r} for r in records(0)])),
    right("escaped ids", lines(records(0)).replace(b'"V', b'"\\u0056')),
    right("scores", lines([{**r, "spans": [[*r["spans"][0], 0.5]]} for r in records(0)])),
    right("spans before text", lines([{**r, "text": "1 - 2"} for r in records(0)])),
    right(
        "worse further spans",
        lines([{**r, "spans": [*r["spans"], [90, 91]]} for r in records(0)]),
    ),
    right("exponents", lines(records(0)).replace(b"]]", b"e0]]")),
    right("text with NUL escaped", lines([{**r, "note": "\0"} for r in records(0)])),
)
MALFORMED: tuple[Any, ...] = (
    *([["1", "2"]], [1, 2], [[1]], [[1, 2, 3, 4]], [[True, 2]], {}, 3, "1 - 2", [None]),
    *([[None, 2]], [[1, 2], [3, 4, 5]], [[]], [[[1, 2]]]),
)
COUNTED = (
    *(counted(f"spans {json.dumps(value)}", "malformed", {"spans": value}) for value in MALFORMED),
    counted("a number as text", "malformed", {"text": 3}),
    counted("a list as text", "malformed", {"text": ["1 - 2"]}),
    counted("a number as choice", "malformed", {"choice": 1}),
    counted("saliency of strings", "malformed", {"saliency": ["a"]}),
    counted("a thousand and one spans", "too_many_spans", {"spans": [[0, 1]] * 1001}),
    counted("reversed", "reversed", {"spans": [[10, 2]]}),
    counted("zero length", "zero_length", {"spans": [[5, 5]]}),
    counted("far out", "out_of_range", {"spans": [[1e308, 1.5e308]]}),
    counted("before the start", "out_of_range", {"spans": [[-9, -5]]}),
    counted("no spans", "false_absent", {"spans": []}),
    counted("no answer", "unparsed", {"spans": None}),
    counted("an id alone", "unparsed", {}),
    counted("empty text", "unparsed", {"text": ""}),
    Predictions(
        "an id twice",
        "duplicate",
        lines([*records(0), {"id": IDS[0], "spans": [[*TRUTH[0]]]}]),
        ious(times(0)),
        {"duplicate": 1},
    ),
    *(
        counted(f"{value} allowed", "non_finite", {"spans": [value]}, args=("--allow-non-finite",))
        for value in ([math.nan, 5.0], [0.0, math.inf], [-math.inf, math.inf])
    ),
)
COVERAGE = (
    Predictions(
        "an unknown id",
        "1 record names an unknown id",
        lines([*records(0), {"id": "x", "text": "1 - 2"}]),
        ious(times(0)),
        {"unknown_id": 1},
        1,
        ('Answers for 8 of 8 samples; 1 record names an unknown id (first: "x")',),
    ),
    Predictions(
        "ids of another split",
        "8 records name unknown ids",
        lines([{**r, "id": f"W{r['id']}"} for r in records(0)]),
        [0.0] * SAMPLES,
        {"missing": 8, "unknown_id": 8},
        1,
        ('8 records name unknown ids (first: "WV0/0")', "`vtg-eval samples charades_sta` lists"),
    ),
    Predictions(
        "ids with a space",
        "8 records name unknown ids",
        lines([{**r, "id": f"{r['id']} "} for r in records(0)]),
        [0.0] * SAMPLES,
        {"missing": 8, "unknown_id": 8},
        1,
        ('first: "V0/0 "',),
    ),
    Predictions(
        "ids with control characters",
        "8 records name unknown ids",
        lines([{**r, "id": "\u202e\n\x1b[31m"} for r in records(0)]),
        [0.0] * SAMPLES,
        {"missing": 8, "unknown_id": 8},
        1,
        ('first: "\\u202e\\n\\u001b[31m"',),
    ),
    Predictions(
        "most are missing",
        "Answers for 3 of 8 samples",
        lines(records(0)[:3]),
        ious([*times(0)[:3], *[None] * 5]),
        {"missing": 5},
        1,
        ("Answers for 3 of 8 samples. `vtg-eval samples",),
    ),
    Predictions(
        "some are missing",
        "missing",
        lines(records(0)[:7]),
        ious([*times(0)[:7], None]),
        {"missing": 1},
        0,
        ("Answers for 7 of 8 samples.",),
    ),
)
LINE_2 = "line 2 "
REFUSED = (
    *(
        refused(
            f'"{name}" for "text"',
            renamed("text", name),
            "line 1 has an",
            f'Is "{name}" the "text"?',
        )
        for name in ("response", "pred", "answer", "output", "TEXT", "Text")
    ),
    refused(
        '"timestamps" for "spans"',
        renamed("spans", "timestamps", "spans"),
        "line 1 has an",
        'the "spans"?',
    ),
    refused(
        "keys unlike any",
        renamed("text", "zzz"),
        'line 1 has an "id" but no answer, only "id", "zzz"',
        "The keys that are read: id, text",
    ),
    refused(
        "qid for id",
        renamed("id", "qid"),
        'line 1 has no "id", only "qid", "text"',
        'Is "qid" the "id"?',
    ),
    refused(
        "ID for id",
        renamed("id", "ID"),
        'line 1 has no "id", only "ID", "text"',
        'Is "ID" the "id"?',
    ),
    refused("no id", renamed("id", "q"), 'line 1 has no "id", only "q", "text"'),
    refused(
        "one record of other keys",
        lines(changed({"response": "1 - 2"})),
        "line 3 has an",
        'Is "response" the "text"?',
    ),
    refused(
        "a misspelt key beside another",
        lines(changed({"text": None, "span": [[1, 2]]})),
        'line 3 has the key "span". Did you mean "spans"?',
    ),
    refused(
        "an id that is a number",
        lines(changed({"id": 7, "text": ""})),
        "line 3 has an",
        'not a string: write "7"',
    ),
    refused(
        "an id that is null",
        lines(changed({"id": None, "text": ""})),
        "line 3 has an",
        "not a string.",
    ),
    refused(
        "a key twice",
        with_line('{"id": "V0/0", "text": "1 - 2", "text": "3 - 4"}'),
        'line 2 has the key "text" twice',
    ),
    refused(
        "an object of ids",
        json.dumps({name: "1 - 2" for name in IDS}).encode(),
        'line 1 has no "id", only "V0/0"',
        "and 2 more",
    ),
    refused(
        "a list on one line",
        json.dumps(records(0)).encode(),
        "line 1 is not an object",
        "Write one object a line",
    ),
    refused(
        "a list on several lines",
        json.dumps(records(0), indent=1).encode(),
        "line 1 is not JSON",
        "Write one object a line",
    ),
    refused("a table", b"id,text\nV0/0,1 - 2\n", "line 1 is not JSON", "Write one object a line"),
    refused("plain text", with_line("oops"), f"{LINE_2}is not JSON"),
    refused("a string", with_line('"V0/0"'), f"{LINE_2}is not an object"),
    refused("an open brace", with_line('{"id": "V0/0"'), f"{LINE_2}is not JSON"),
    refused("a trailing comma", with_line('{"id": "V0/0",}'), f"{LINE_2}is not JSON"),
    refused("two objects on a line", with_line('{"id": "a"} {"id": "b"}'), f"{LINE_2}is not JSON"),
    refused(
        "nested 100,000 deep", with_line("[" * 10**5), f"{LINE_2}is not JSON: nested too deeply"
    ),
    refused(
        "an object nested 100,000 deep", with_line('{"a":' * 10**5), f"{LINE_2}is not JSON: nested"
    ),
    refused("5,000 digits", with_line('{"id": %s}' % ("9" * 5000)), f"{LINE_2}is not JSON"),
    refused(
        "a line of 65 MiB",
        lambda: with_line(b'{"id": "' + b"a" * (65 * MEGABYTES)),
        f"{LINE_2}is longer than 64 MiB",
    ),
    refused(
        "UTF-16",
        lines(records(0)).decode().encode("utf-16"),
        "line 1 has NUL bytes or a mark of UTF-16",
    ),
    refused(
        "UTF-16 without a mark",
        lines(records(0)).decode().encode("utf-16-le"),
        "line 1 has NUL bytes",
    ),
    refused(
        "Latin-1",
        with_line('{"id": "\xe9", "text": ""}'.encode("latin-1")),
        f"{LINE_2}is not UTF-8",
    ),
    refused("bytes of zero", with_line(b"\0" * 50), f"{LINE_2}has NUL bytes"),
    refused("compressed", b"\x1f\x8b\x08\x00\xff\xff\n", "line 1 "),
    refused("empty", b"", "has no predictions: it is empty"),
    refused("blank", b"\n \n\r\n", "has no predictions: it is empty"),
    refused("a byte order mark alone", b"\xef\xbb\xbf", "has no predictions: it is empty"),
    *(
        refused(
            f"{what} of {value[:9]}",
            with_line(f'{{"id": "V0/0", "{key}": {form.format(value)}}}'),
            f'{LINE_2}has a number in "{key}" that is NaN or infinite',
            "--allow-non-finite",
        )
        for value in ("NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, '"nan"', '"-inf"')
        for key, form, what in (
            ("spans", "[[{}, 5]]", "a time"),
            ("spans", "[[0, 1, 0.5], [0, 5, {}]]", "a score"),
            ("saliency", "[0.5, {}]", "saliency"),
        )
    ),
)
CASES = (*RIGHT, *COUNTED, *COVERAGE, *REFUSED)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predictions")
    annotations = zip(IDS, TRUTH, strict=True)
    text = "".join(
        f"{name[:2]} {start} {end}##person {name}.\n" for name, (start, end) in annotations
    )
    (folder / "charades_sta_test.txt").write_text(text)
    durations = "".join(f"{name[:2]},{LENGTH}\n" for name in IDS)
    (folder / "Charades_v1_test.csv").write_text(f"id,length\n{durations}")
    return folder


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_of_predictions(
    case: Predictions, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(case.content if isinstance(case.content, bytes) else case.content())
    command = ["score", "--task", "charades_sta", "--data-root", str(root)]
    command += ["--predictions", str(path), "--json", "-", *case.args]
    start = time.monotonic()
    status = main(command)
    assert time.monotonic() - start < SECONDS
    out, err = capsys.readouterr()
    assert status == case.status
    assert all(text in err for text in case.messages), err
    remarked = bool(case.messages) or "of the records have no text/" in err
    assert err.count("\n") == remarked, err
    if case.values is None:
        assert out == "" and f"{path}" in err and case.outcome in err
        return
    scores = json.loads(out)
    values = [sample["value"] for sample in scores["samples"]]
    assert values == pytest.approx(list(case.values))
    assert scores["metrics"]["mIoU"] == pytest.approx(100 * sum(case.values) / SAMPLES)
    assert (scores["n_expected"], scores["n_scored"]) == (SAMPLES, SAMPLES)
    scores["failures"].pop("whole_video", None)  # some of the drawn spans
    assert scores["failures"] == case.failures
    assert case.outcome in (RIGHT_VALUE, *case.failures) or case.outcome in err


def test_the_line_on_coverage_is_above_the_table(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(lines(records(0)[:1]))
    command = ["score", "--task", "charades_sta", "--data-root", str(root)]
    assert main([*command, "--predictions", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("Answers for 1 of 8 samples. ")
    assert out.index("charades_sta test, ") > 0
    assert err == f"vtg-eval: {out.splitlines()[0]}\n"


def test_records_that_cannot_be_used_are_no_answers(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.jsonl"
    useless: tuple[dict[str, object], ...] = ({"spans": [1, 5]}, {"choice": "A"}, {"text": None})
    for content in useless:
        path.write_bytes(lines([{"id": row["id"], **content} for row in records(0)]))
        command = ["score", "--task", "charades_sta", "--data-root", str(root)]
        assert main([*command, "--predictions", str(path)]) == 1
        out = capsys.readouterr().out
        assert out.startswith("Answers for 0 of 8 samples; 8 of the records have no text/spans/")
