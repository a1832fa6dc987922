import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.errors import UserError
from vtg_eval.failures import Finish
from vtg_eval.run.journal import Journal, Record, parse_line, read_contents, read_journal

records = st.builds(
    Record,
    id=st.text(min_size=1, max_size=8),
    video=st.text(max_size=5),
    finish=st.sampled_from(Finish),
    text=st.text(st.characters(), max_size=40),  # with lone surrogates, which models can emit
    error=st.none() | st.text(max_size=10),
    frame_times=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4).map(tuple),
    prompt_tokens=st.integers(0, 10**6),
)


def write(path: Path, *some: Record) -> None:
    with Journal(path) as journal:
        for record in some:
            journal.append(record)


@given(records)
def test_a_line_is_read_back_as_it_was(record: Record) -> None:
    line = record.to_line()
    assert line.count(b"\n") == 1
    assert parse_line(line) == record


@given(st.lists(records, min_size=1, max_size=5, unique_by=lambda r: r.id), st.data())
def test_a_journal_cut_at_any_byte_keeps_every_whole_line(
    tmp_path_factory: pytest.TempPathFactory, some: list[Record], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("run") / "journal.jsonl"
    write(path, *some)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = some[: whole[:cut].count(b"\n")]
    records, damaged = read_contents(path)
    assert (list(records.values()), damaged) == (kept, 0)

    write(path, *some[len(kept) :])

    assert path.read_bytes() == whole


def test_records_of_the_same_frames_share_their_times_where_these_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    first = Record("a", "v", Finish.STOP, frames="0", frame_times=(0.5, 1.5), model_times=(1.0,))
    some = [
        first,
        replace(first, id="b"),
        replace(first, id="c", model_times=(2.0,)),
        replace(first, id="d", frames="1"),
    ]
    write(path, *some)
    back = read_journal(path)
    assert list(back.values()) == some
    assert back["b"].frame_times is back["a"].frame_times
    assert back["b"].model_times is back["a"].model_times


def test_the_last_record_of_a_sample_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(
        path,
        Record("a", "v", Finish.ERROR),
        Record("b", "v", Finish.STOP),
        Record("a", "v", Finish.STOP),
    )
    assert {r.id: r.finish for r in read_journal(path).values()} == {"a": "stop", "b": "stop"}


@pytest.mark.parametrize(
    "line",
    [
        *(b"\0" * 40, b"{}", b"[1]", b"{" * 9999, b"\xff"),
        b'{"id": 1, "video": "v", "finish": "stop"}',
        b'{"id": "b", "video": "v", "finish": "stopped"}',
    ],
)
def test_a_damaged_line_loses_only_its_own_sample(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    good = Record("a", "v", Finish.STOP).to_line()
    path.write_bytes(line + b"\n" + good)
    records, damaged = read_contents(path)
    assert (list(records), damaged) == (["a"], 1)


def test_a_line_is_in_the_file_before_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(Record("a", "v", Finish.STOP))
        assert list(read_journal(path)) == ["a"]


def test_lines_reach_the_disk_every_half_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, now = [], 0.0
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(now))
    monkeypatch.setattr("vtg_eval.run.journal.time.monotonic", lambda: now)
    with Journal(tmp_path / "journal.jsonl") as journal:
        for tenth in range(12):
            now = tenth / 10
            journal.append(Record(str(tenth), "v", Finish.STOP))
        assert synced == [0.5, 1.0]
    assert synced == [0.5, 1.0, 1.1]


def test_a_full_disk_is_an_error_and_written_lines_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write_now = tmp_path / "journal.jsonl", os.write
    room = len(Record("a", "v", Finish.STOP).to_line()) + 10

    def write_until_full(file: int, data: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write_now(file, data[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", write_until_full)
    with (
        pytest.raises(UserError, match=r"No space left.*run the same command again"),
        Journal(path) as journal,
    ):
        journal.append(Record("a", "v", Finish.STOP))
        journal.append(Record("b", "v", Finish.STOP))
    monkeypatch.undo()

    write(path, Record("b", "v", Finish.LENGTH))
    assert [r.finish for r in read_journal(path).values()] == ["stop", "length"]


@given(records, st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4).map(tuple))
def test_times_can_be_left_unread_and_nothing_else_changes(
    tmp_path_factory: pytest.TempPathFactory, record: Record, model_times: tuple[float, ...]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    hostile = replace(record, model_times=model_times, text=f'{record.text},"frame_times":[1,')
    write(path, hostile)
    bare = replace(hostile, frame_times=(), model_times=())
    assert read_journal(path, times=False) == {record.id: bare}
