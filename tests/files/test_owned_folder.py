"""A folder belongs to one piece of work and is used by one process at a time."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.folder_holder import held_elsewhere
from vtg_eval.errors import UserError
from vtg_eval.files.owned_folder import FolderInUse, check_owner, lock_folder, require_same

METADATA = {"seed": 0, "data": {"files": ("a", "b"), "share": 0.5}}


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Return the owner record of a folder that does not exist."""
    return tmp_path / "deep" / "folder" / "owner.json"


def begin(record: Path, metadata: dict[str, object] = METADATA) -> None:
    with lock_folder(record, "test folder", ("notes",)):
        check_owner(record, metadata)


def test_a_new_folder_is_made_and_has_its_record(record: Path) -> None:
    begin(record)
    assert json.loads(record.read_text()) == json.loads(json.dumps(METADATA))
    before = record.stat().st_mtime_ns
    begin(record)
    assert record.stat().st_mtime_ns == before


def test_the_error_for_another_owner_names_every_difference(record: Path) -> None:
    begin(record)
    before = record.read_bytes()
    other = {"seed": 1, "data": {"files": ("a", "b"), "share": 0.25}, "new": True}
    with pytest.raises(UserError) as caught:
        begin(record, other)
    for difference in (
        "seed (before 0, now 1)",
        "data.share (before 0.5, now 0.25)",
        "new (before not set, now true)",
    ):
        assert difference in str(caught.value)
    assert str(record.parent) in str(caught.value) and "data.files" not in str(caught.value)
    assert record.read_bytes() == before


def test_equal_values_of_other_types_are_the_same() -> None:
    require_same("x", {"a": [1, 2]}, {"a": (1, 2)})


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_broken_record_is_named(record: Path, content: str) -> None:
    begin(record)
    record.write_text(content)
    with pytest.raises(UserError, match=r"owner\.json .* Choose another --out"):
        begin(record)


def test_a_folder_of_something_else_is_refused_and_left_alone(record: Path) -> None:
    record.parent.mkdir(parents=True)
    (record.parent / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"is no test folder, but holds thesis\.tex"):
        begin(record)
    assert [path.name for path in record.parent.iterdir()] == ["thesis.tex"]


def test_allowed_files_and_those_of_a_killed_start_are_accepted(
    record: Path,
) -> None:
    record.parent.mkdir(parents=True)
    for name in ("notes", "lock", ".owner.json.part", "owner.json.part", ".0123456789abcdef.part"):
        (record.parent / name).touch()
    os.utime(record.parent / ".owner.json.part", (0, 0))
    begin(record)
    assert record.is_file() and not (record.parent / ".owner.json.part").exists()


def test_a_folder_that_cannot_be_made_is_named(record: Path) -> None:
    record.parent.parent.mkdir()
    record.parent.touch()
    with pytest.raises(UserError, match=r"folder cannot be made: .* Choose another --out"):
        begin(record)


def test_another_process_is_refused_until_the_first_is_done_or_killed(record: Path) -> None:
    with held_elsewhere(record.parent) as process:
        with pytest.raises(FolderInUse, match=r"at work in .*folder\. Wait for it to end, or"):
            begin(record)
        process.kill()
        process.wait()
        begin(record)
    with lock_folder(record, "test folder"), pytest.raises(FolderInUse):
        begin(record)
    begin(record)


RACE = """
import sys
from pathlib import Path
from vtg_eval.errors import UserError
from vtg_eval.files.owned_folder import check_owner, lock_folder
record = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    with lock_folder(record, "test folder"):
        check_owner(record, {"seed": int(sys.argv[2])})
        print("mine", flush=True)
        sys.stdin.read()
except UserError as error:
    print(error, flush=True)
"""


def test_of_concurrent_processes_one_gets_the_folder(record: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(record), str(seed)],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for seed in range(4)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    lines = [process.stdout.readline() for process in processes if process.stdout]
    for process in processes:
        process.communicate()
    assert lines.count("mine\n") == 1
    assert all("Another vtg-eval process is at work" in line for line in lines if line != "mine\n")
    assert json.loads(record.read_text()) == {"seed": lines.index("mine\n")}


def test_a_file_system_without_locks_is_named(
    record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(
        UserError, match=r"cannot be locked: Function not implemented.*flock.*--out"
    ):
        begin(record)
