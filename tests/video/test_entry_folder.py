"""Which entries the frame store keeps, on traces of runs, and what it knows of its own size."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean

import numpy as np
import pytest

from vtg_eval.video import entry_folder
from vtg_eval.video.entry_file import entry_bytes
from vtg_eval.video.entry_folder import EntryFolder

SHAPE = (2, 4, 4, 3)
SIZE = entry_bytes(SHAPE)
ROOM = 30
Keys = list[str]


def benchmark(name: str, videos: int = 40) -> Keys:
    """Return the keys of the videos' entries, in the order of a run."""
    return [hashlib.sha256(f"{name} {n}".encode()).hexdigest() for n in range(videos)]


def run(store: EntryFolder, keys: Keys) -> float:
    """Return the share of entries that were there; the others are offered to the store."""
    hits = 0
    for key in keys:
        entry = np.full(SHAPE, int(key[:2], 16), np.uint8), np.arange(2, dtype=np.float64)
        stored = store.read(key)
        if stored is None:
            store.write(key, entry)
        else:
            hits += 1
            np.testing.assert_array_equal(stored[0], entry[0])
    return hits / len(keys)


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*/*.frames"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def new(folder: Path, room: float = ROOM) -> EntryFolder:
    """Return the store as a new process sees it. room: entries."""
    return EntryFolder(folder, round(room * SIZE))


@pytest.fixture(params=["same order", "other order"])
def order(request: pytest.FixtureRequest) -> random.Random | None:
    return random.Random(0) if request.param == "other order" else None


def test_three_quarters_of_a_benchmark_are_kept(folder: Path, order: random.Random | None) -> None:
    keys = benchmark("a")
    for number in range(8):
        rate = run(new(folder), order.sample(keys, len(keys)) if order else keys)
        assert rate == (0.75 if number else 0)


def test_all_runs_together_keep_three_quarters_where_they_are_mixed(folder: Path) -> None:
    first, second = new(folder), new(folder)
    keys = benchmark("a")
    rates = [
        (run(first, [key]), run(second, [other]))
        for _ in range(4)
        for key, other in zip(keys, keys[20:] + keys[:20], strict=True)
    ]
    assert mean(map(mean, rates[len(keys) :])) == 0.75


def test_benchmarks_in_use_have_a_share_each(folder: Path) -> None:
    a, b, small = benchmark("a"), benchmark("b"), benchmark("small", 5)
    rates = [[run(new(folder), keys) for keys in (a, b, small)] for _ in range(4)]
    assert all(rate > 0.2 for rates_of_run in rates[1:] for rate in rates_of_run)
    assert sum(round(x * len(k)) for x, k in zip(rates[3], (a, b, small), strict=True)) == ROOM


def test_another_benchmark_has_all_the_room_after_a_few_runs(folder: Path) -> None:
    for _ in range(4):
        run(new(folder), benchmark("a"))
    rates = [run(new(folder), benchmark("b")) for _ in range(6)]
    assert rates[1] > 0.3
    assert rates[5] == 0.75


def test_stale_entries_stay_while_there_is_room(folder: Path) -> None:
    old = benchmark("old", 10)
    run(new(folder), old)
    for _ in range(20):
        run(new(folder), benchmark("a", 10))
    assert run(new(folder), old) == 1


def test_the_limit_holds_and_the_size_is_known(folder: Path) -> None:
    for name in ("a", "b"):
        store = new(folder)
        run(store, benchmark(name))
        assert store.stored_bytes() == on_disk(folder) == ROOM * SIZE


def test_writers_at_once_keep_to_the_limit(folder: Path) -> None:
    keys = benchmark("a", 400)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda start: run(new(folder, 150), keys[start::8]), range(8)))
    assert 130 * SIZE < on_disk(folder) <= 170 * SIZE
    assert new(folder).stored_bytes() == pytest.approx(on_disk(folder), abs=20 * SIZE)
    run(new(folder, 150), keys)
    assert run(new(folder, 150), keys) == 0.375
    assert new(folder).stored_bytes() == on_disk(folder) == 150 * SIZE


def test_entries_are_not_listed_while_there_is_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = benchmark("a")
    run(new(folder, 100), keys[:1])

    def fail(path: Path, pattern: str) -> Iterator[Path]:
        raise AssertionError(path)

    monkeypatch.setattr(Path, "glob", fail)
    assert run(new(folder, 100), keys) == 1 / 40
    assert run(new(folder, 100), keys) == 1
    assert new(folder).stored_bytes() == 40 * SIZE


def test_a_smaller_limit_removes_what_is_too_much(folder: Path) -> None:
    run(new(folder, 40), benchmark("a"))
    run(new(folder, 20), ["f" * 64])
    assert on_disk(folder) == 20 * SIZE


def test_limit_0_keeps_nothing_and_removes_nothing(folder: Path) -> None:
    keys = benchmark("a")
    run(new(folder), keys[:20])
    assert run(new(folder, 0), keys) == 0.5
    assert on_disk(folder) == 20 * SIZE


def test_an_entry_without_room_evicts_nothing(folder: Path) -> None:
    keys = sorted(benchmark("a"))
    run(new(folder), keys[:ROOM])
    assert run(new(folder), keys[ROOM:]) == 0
    assert run(new(folder), keys[:ROOM]) == 1


def test_the_default_limit_is_half_of_the_free_disk_and_the_store(folder: Path) -> None:
    store = EntryFolder(folder, None)
    run(store, benchmark("a"))
    assert store.stored_bytes() == 40 * SIZE
    assert store.limit == pytest.approx(shutil.disk_usage(folder).free / 2, rel=0.1)


RECORDS = {
    "lost": None,
    "emptied": b"",
    "not text": b"\xff\xfe{",
    "cut short": b'{"stored":',
    "other types": b'{"stored":"many","asked":[],"rounds":5}',
    "too large": b'{"stored":1e30,"asked":1e30,"rounds":[]}',
    "far too much": b'{"stored":4000000000000000000,"asked":4000000000000000000,"rounds":[]}',
    "negative": b'{"stored":-1,"asked":-5,"rounds":[]}',
    "nothing": b'{"stored":0,"asked":0,"rounds":[]}',
    "times in the future": b'{"stored":0,"asked":0,"rounds":[9e99,9e99,9e99,9e99,9e99]}',
    "long": b'{"stored":0,"asked":0,"rounds":[' + b"0," * 9999 + b"0]}",
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_damaged_record_costs_hits_only(folder: Path, record: bytes | None) -> None:
    keys = benchmark("a")
    run(new(folder), keys)
    (path,) = folder.glob("usage.json")
    if record is None:
        path.unlink()
    else:
        path.write_bytes(record)
    for _ in range(8):
        run(new(folder), keys)
    assert new(folder).stored_bytes() == on_disk(folder) <= ROOM * SIZE
    assert run(new(folder), keys) == 0.75


def test_entries_removed_by_hand_are_noticed(folder: Path) -> None:
    keys = benchmark("a")
    run(new(folder), keys)
    for path in folder.glob("[0-7]*"):
        shutil.rmtree(path)
    for _ in range(3):
        run(new(folder), keys)
    assert run(new(folder), keys) == 0.75
    assert new(folder).stored_bytes() == on_disk(folder)


def test_a_damaged_entry_is_replaced_also_in_a_full_store(folder: Path) -> None:
    keys = benchmark("a")
    run(new(folder), keys)
    for path in folder.glob("*/*.frames"):
        path.write_bytes(path.read_bytes()[:-1])
    assert run(new(folder), keys) == 0
    assert run(new(folder), keys) == 0.75
    assert on_disk(folder) == ROOM * SIZE


def test_partial_files_of_a_dead_process_are_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = folder / "ab" / ".dead.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    monkeypatch.setattr(entry_folder, "STALE", -1.0)
    run(new(folder), benchmark("a", 1))
    assert not part.exists()
