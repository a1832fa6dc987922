"""A written file or folder has its complete new or its old content, also after a crash."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import STALE, atomic_path, remove_stale, write_bytes, write_text
from vtg_eval.files.json_files import read_object, write_json


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Yield a path that holds "old"; nothing else may be in its folder afterwards."""
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_text("old")
    yield path
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_file_gets_its_new_content(path: Path) -> None:
    write_text(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"
    write_bytes(path, b"\0")
    assert path.read_bytes() == b"\0"


def test_an_exception_leaves_the_old_content(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as part:
        part.write_text("half")
        assert path.read_text() == "old"
        raise KeyboardInterrupt
    assert path.read_text() == "old"


def test_a_full_disk_leaves_the_old_content(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"file cannot be written: No space left .* same command"):
        write_json(path, {"new": True})
    assert path.read_text() == "old"


def test_content_is_synced_before_the_file_is_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink())
    )
    with atomic_path(path) as part:
        part.write_text("new")
    assert synced == [part]
    with atomic_path(path, sync=False) as part:
        part.write_text("newer")
    assert len(synced) == 1


def test_a_folder_appears_at_once(tmp_path: Path) -> None:
    out = tmp_path / "checkpoint"
    with atomic_path(out) as part:
        part.mkdir()
        (part / "config.json").write_text("{}")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["config.json"]
    with pytest.raises(OSError, match="not empty"), atomic_path(out) as part:
        (part / "deep").mkdir(parents=True)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and path.read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        content = pool.submit((tmp_path / "pipe").read_bytes)
        write_bytes(tmp_path / "pipe", b"through")
        assert content.result(10) == b"through"


def test_a_name_as_long_as_may_be_can_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("n" * 255), "x")


WRITE = """
import sys
from pathlib import Path
from vtg_eval.files.atomic import write_text
while True:
    write_text(Path(sys.argv[1]), sys.argv[2] * 200_000)
"""


def test_writers_of_one_file_do_not_mix_and_may_be_killed(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(path), letter]) for letter in "ab"
    ]
    seen: set[str] = set()
    deadline = time.monotonic() + 20
    while seen != {"a", "b"} and time.monotonic() < deadline:
        text = path.read_text()
        assert text == "old" or text in ("a" * 200_000, "b" * 200_000)
        seen |= {text[0]} - {"o"}
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    assert seen == {"a", "b"}
    write_text(path, "after")
    assert path.read_text() == "after"
    for part in path.parent.glob(".*.part"):  # of the killed writers; removed once stale
        os.utime(part, (0, 0))
    remove_stale(path.parent)


def test_only_stale_partial_files_are_removed(tmp_path: Path) -> None:
    now = time.time()
    for name, age in {".new.part": 0, ".old.part": STALE + 60, "my.part": STALE + 60}.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now - age, now - age))
    (tmp_path / ".folder.part").mkdir()
    (tmp_path / ".folder.part" / "weights").touch()
    os.utime(tmp_path / ".folder.part", (0, 0))
    remove_stale(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new.part", "my.part"]


def test_a_json_file_is_read_as_an_object(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_object(path, "Do that.") == {}
    write_json(path, {"name": "é", "list": (1, 2)})
    assert read_object(path, "Do that.") == {"name": "é", "list": [1, 2]}
    for content in ("[", "[1]", "\xff"):
        path.write_text(content, encoding="latin-1")
        with pytest.raises(UserError, match=r"a\.json .* Do that\."):
            read_object(path, "Do that.")
