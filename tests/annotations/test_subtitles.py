"""Subtitles in the formats of Video-MME and LongVideoBench, and malformed or malicious files."""

from __future__ import annotations

import json
import logging
import math
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.annotations.subtitles import (
    decoded,
    parse_json,
    parse_srt,
    read_subtitles,
    subtitle_text,
)
from vtg_eval.errors import DataError
from vtg_eval.types import Cue

PLAIN = """1
00:00:01,520 --> 00:00:05,040
<font color="white" size=".72c">next track</font>

2
00:00:03,520 --> 00:00:06,000
<font color="white" size=".72c">is the</font>
"""
CUES = (Cue(1.52, 5.04, "next track"), Cue(3.52, 6.0, "is the"))


def srt(text: str) -> list[tuple[float, float, str]]:
    return [(cue.start, cue.end, cue.text) for cue in parse_srt(text, "a.srt").cues]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("\n\n", "\n").encode(),
        PLAIN.replace("1\n", "", 1).replace("2\n", "").encode(),
        PLAIN.replace(",", ".").encode(),
        PLAIN.replace("00:00:", "00:").encode(),
        PLAIN.replace("00:00:0", "0:0:0").encode(),
        PLAIN.replace(" --> ", "-->").encode(),
        PLAIN.replace("<font", "{\\an8}<i><font").encode(),
        ("WEBVTT\n\n" + PLAIN).encode(),
        PLAIN.replace("5,040", "5,040  X1:10 X2:20 Y1:30 Y2:40").encode(),
        ("\n\n \n" + PLAIN + "\n\n").encode(),
    ],
)
def test_srt_is_read_in_its_variants(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.srt").write_bytes(content)
    assert read_subtitles(tmp_path / "a.srt") == CUES


def test_hours_count() -> None:
    assert srt("01:02:03,5 --> 1:02:04\nx") == [(3723.5, 3724.0, "x")]


def test_a_cue_is_one_line_without_tags_and_entities() -> None:
    text = "00:01,0 --> 00:02,0\n<b>Tom</b> &amp;\n <00:00:01.500>Jerry&#39;s <3  2 < 3\n"
    assert srt(text) == [(1, 2, "Tom & Jerry's <3 2 < 3")]


def test_digits_are_text_unless_a_time_line_follows() -> None:
    text = "1\n00:01,0 --> 00:02,0\n42\n\n2\n00:03,0 --> 00:04,0\n7\n"
    assert srt(text) == [(1, 2, "42"), (3, 4, "7")]
    assert srt("00:01,0 --> 00:02,0\n42\n\n00:03,0 --> 00:04,0\nx") == [(1, 2, "42"), (3, 4, "x")]


def test_empty_cues_are_left_out_and_malformed_ones_counted() -> None:
    text = (
        "00:01,0 --> 00:02,0\n\n00:02,0 --> 00:03,0\n<i></i>\n\n"
        "00:04,0 --> 00:03,0\nreversed\n\n00:xx --> 00:05,0\nno times\n\n"
        "--> 00:06,0\nno start\n\n00:07,0 --> 00:07,0\ngood, and a --> b\n"
    )
    parsed = parse_srt(text, "a.srt")
    assert parsed.cues == (Cue(7.0, 7.0, "good, and a --> b"),)
    assert parsed.malformed == 3


def test_skipped_cues_are_warned_of_with_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.srt").write_text("00:02,0 --> 00:01,0\nx\n\n00:01,0 --> 00:02,0\ny\n")
    with caplog.at_level(logging.WARNING):
        assert read_subtitles(tmp_path / "a.srt") == (Cue(1, 2, "y"),)
    assert "a.srt: 1 malformed cue(s)" in caplog.text


def test_bytes_that_are_not_utf8_are_replaced_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.srt").write_bytes(b"00:01,0 --> 00:02,0\ncaf\xe9\n")
    with caplog.at_level(logging.WARNING):
        read_subtitles(tmp_path / "a.srt")
    assert "a.srt, line 2: bytes that are not UTF-8" in caplog.text
    assert read_subtitles(tmp_path / "a.srt") == (Cue(1, 2, "caf�"),)


def test_cues_are_sorted_by_start_and_then_by_file_order() -> None:
    text = "00:03,0 --> 00:04,0\nc\n00:01,0 --> 00:09,0\na\n00:01,0 --> 00:02,0\nb\n"
    assert [cue for *_, cue in srt(text)] == ["a", "b", "c"]


LINES = [
    {"start": "00:00:10.000", "end": "00:00:12.500", "line": "first"},
    {"start": "00:00:12.500", "end": "01:00:13.000", "line": "<i>second</i>"},
]
STAMPED = [
    {"timestamp": [10.0, 12.5], "text": "first"},
    {"timestamp": [12.5, 3613], "text": "second"},
]


@pytest.mark.parametrize("rows", [LINES, STAMPED])
def test_longvideobench_json_is_read_in_both_shapes(
    tmp_path: Path, rows: list[dict[str, object]]
) -> None:
    (tmp_path / "a_en.json").write_text(json.dumps(rows))
    cues = read_subtitles(tmp_path / "a_en.json")
    assert cues == (Cue(10.0, 12.5, "first"), Cue(12.5, 3613.0, "second"))
    moved = read_subtitles(tmp_path / "a_en.json", offset=12.0)
    assert moved == (Cue(-2.0, 0.5, "first"), Cue(0.5, 3601.0, "second"))


def test_cues_outside_the_video_are_left_out(tmp_path: Path) -> None:
    times = [(0, 9.9), (9, 10), (14, 99), (15, 16), (15.1, 16)]
    rows = [{"timestamp": pair, "text": str(k)} for k, pair in enumerate(times)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    cues = read_subtitles(tmp_path / "a.json", offset=10.0, duration=5.0)
    assert [cue.text for cue in cues] == ["1", "2", "3"]


def test_a_cue_without_an_end_lasts_to_the_end_of_the_video() -> None:
    parsed = parse_json('[{"timestamp": [3, null], "text": "x"}]', "a.json")
    assert parsed.cues == (Cue(3.0, math.inf, "x"),)
    assert subtitle_text(parsed.cues, [1e6], "shown-frames") == "x"


@pytest.mark.parametrize(
    "row",
    [
        None,
        7,
        {},
        {"start": "00:00:01", "end": "00:00:02"},
        {"start": "1 s", "end": "00:00:02", "line": "x"},
        {"start": None, "end": "00:00:02", "line": "x"},
        {"timestamp": [1], "text": "x"},
        {"timestamp": "12", "text": "x"},
        {"timestamp": [2, 1], "text": "x"},
        {"timestamp": [True, 2], "text": "x"},
        {"timestamp": [1, 10**400], "text": "x"},
        {"timestamp": [float("nan"), 2], "text": "x"},
        {"timestamp": [1, float("inf")], "text": "x"},
        {"timestamp": [1, 2], "text": ["x"]},
    ],
)
def test_a_malformed_row_is_skipped_and_counted(row: object) -> None:
    rows = [row, {"timestamp": [1, 2], "text": "good"}, {"timestamp": [1, 2], "text": " "}]
    parsed = parse_json(json.dumps(rows), "a.json")
    assert parsed.cues == (Cue(1, 2, "good"),)
    assert parsed.malformed == 1


def test_half_a_surrogate_does_not_survive() -> None:
    parsed = parse_json('[{"timestamp": [1, 2], "text": "a\\ud800b"}]', "a.json")
    assert parsed.cues[0].text == "a?b"


TALK = (Cue(0, 2, "a"), Cue(1, 3, "b"), Cue(5, 6, "b"), Cue(7, 8, "a"))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([], ""),
        ([0.5], "a"),
        ([2.0], "a\nb"),
        ([4.0], ""),
        ([5.0, 5.5, 6.0], "b"),
        ([2.5, 5.5], "b"),
        ([8.0, 0.0], "a"),
        ([8.0, 0.0, 3.0], "a\nb\na"),
        ([math.nan, 7.5], "a"),
    ],
)
def test_cues_on_screen_at_a_shown_frame_are_selected(times: list[float], expected: str) -> None:
    assert subtitle_text(TALK, times, "shown-frames") == expected


def test_all_selects_every_cue_and_drops_adjacent_duplicates() -> None:
    assert subtitle_text(TALK, [], "all") == "a\nb\na"
    assert subtitle_text((), [1.0], "all") == ""


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=8),
    st.lists(st.integers(0, 25), max_size=6),
)
def test_a_cue_is_chosen_exactly_when_a_frame_lies_in_it(
    spans: list[tuple[int, int]], times: list[int]
) -> None:
    cues = [Cue(s, s + n, str(k)) for k, (s, n) in enumerate(spans)]
    expected = [c.text for c in cues if any(c.start <= t <= c.end for t in times)]
    assert subtitle_text(cues, times, "shown-frames").split() == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.srt", b"<html>404 not found</html>"),
        ("a.srt", b"1\n00:xx --> 00:yy\nno\n"),
        ("a.json", b""),
        ("a.json", b"{}"),
        ("a.json", b"[1, 2]"),
        ("a.json", b"[" * 100_000),
        ("a.json", b'[{"timestamp": [' + b"9" * 5000 + b", 1]}]"),
        ("a.json", b"[{"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        read_subtitles(tmp_path / name)


def test_no_subtitles_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_bytes(b"\xef\xbb\xbf \r\n")
    (tmp_path / "a.json").write_text("[]")
    assert read_subtitles(tmp_path / "a.srt") == read_subtitles(tmp_path / "a.json") == ()


def test_the_error_for_an_unreadable_file_names_it(tmp_path: Path) -> None:
    for path in (tmp_path / "none.srt", tmp_path, tmp_path / "a\0.srt"):
        with pytest.raises(DataError, match=path.name):
            read_subtitles(path)


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.srt").open("wb") as file:
        file.truncate(1 << 32)
    with pytest.raises(DataError, match="larger than 16 MiB"):
        read_subtitles(tmp_path / "a.srt")


@pytest.mark.parametrize(
    "part",
    [
        *("\r", "\n", "<", "<a", "<a <0", "{\\", "{\\{", "&#", "&#1", "&", "1", "1:", " ", "\t\n"),
        *("-->", "->", "00:01 -->", "00:01 --> 00:02\n", "<i>", "00:01 --> 00:02\n<a", "1\n"),
    ],
)
def test_reading_takes_time_in_proportion_to_the_length(part: str) -> None:
    text = "00:00:01,000 --> 00:00:02,000\n" + part * (400_000 // len(part))
    begin = time.process_time()
    parse_srt(text, "a.srt")
    parse_srt(text + "\n" + text, "a.srt")
    assert time.process_time() - begin < 5.0  # quadratic time takes minutes


@given(st.binary(max_size=200), st.sampled_from([".srt", ".json"]))
def test_any_bytes_are_read_or_refused(content: bytes, suffix: str) -> None:
    parse = parse_json if suffix == ".json" else parse_srt
    try:
        cues = parse(decoded(content), "a").cues
    except DataError:
        return
    assert all(cue.start <= cue.end and cue.text.strip() for cue in cues)


pieces = st.sampled_from(
    [
        "1",
        "\n",
        "\r",
        "00:01",
        ",5",
        " --> ",
        "-->",
        "x",
        "<i>",
        "<",
        "&amp;",
        "&#0;",
        "0:0:9",
        "\0",
    ]
)


@given(st.lists(pieces, max_size=40).map("".join))
def test_anything_like_srt_is_read_or_refused(text: str) -> None:
    try:
        cues = parse_srt(text, "a").cues
    except DataError:
        return
    assert all(cue.start <= cue.end and "\n" not in cue.text for cue in cues)


def test_an_entity_with_thousands_of_digits_is_left_unchanged() -> None:
    entity = "&#" + "9" * 5000 + ";"
    assert srt(f"00:01,0 --> 00:02,0\n{entity}\n") == [(1, 2, entity)]


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["0:01", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["start", "end", "line", "timestamp", "text"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(values)
def test_any_json_is_read_or_refused(value: object) -> None:
    try:
        cues = parse_json(json.dumps(value), "a").cues
    except DataError:
        return
    assert all(cue.start <= cue.end and cue.text for cue in cues)
