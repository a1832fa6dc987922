from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vtg_eval.checkpoint import fingerprint
from vtg_eval.checkpoint.fingerprint import checkpoint_digest

LARGE = 70 << 20  # bytes; files up to 64 MiB are not remembered
Digest = Callable[[Path], str]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 64)
    return folder


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Digest:
    monkeypatch.setattr(fingerprint, "SETTLED", -1.0)  # files of this second are remembered, too
    return lambda folder: checkpoint_digest(folder, tmp_path / "cache")


@pytest.fixture
def large(checkpoint: Path) -> Path:
    """Return a file of weights above 64 MiB, beside the small ones."""
    path = checkpoint / "model-00002.safetensors"
    with path.open("wb") as file:
        file.truncate(LARGE)
    return path


def change(path: Path, offset: int) -> None:
    """Change one byte in place."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def test_the_digest_depends_on_the_content_only(checkpoint: Path, digest: Digest) -> None:
    before = digest(checkpoint)
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "README.md").write_text("about")
    (checkpoint / "logs").mkdir()
    assert digest(checkpoint.rename(checkpoint.with_name("moved"))) == before


def test_the_digest_of_small_files_is_that_of_earlier_versions(
    checkpoint: Path, digest: Digest
) -> None:
    assert digest(checkpoint) == "21f5b7aaed4675576c5a4580d261c6c0e5bfe67f4ac3e1c409a18de88871b744"


@pytest.mark.parametrize("offset", [0, 8192, 16383])
def test_any_byte_of_a_small_file_counts(checkpoint: Path, digest: Digest, offset: int) -> None:
    before = digest(checkpoint)
    change(checkpoint / "model.safetensors", offset)
    assert digest(checkpoint) != before


@pytest.mark.parametrize("offset", [0, LARGE // 2 + 77_777, LARGE - 1])
def test_any_byte_of_a_large_file_counts(large: Path, digest: Digest, offset: int) -> None:
    before = digest(large.parent)
    change(large, offset)
    assert digest(large.parent) != before


def test_a_change_counts_also_where_the_time_of_the_change_is_set_back(
    large: Path, digest: Digest
) -> None:
    before, state = digest(large.parent), large.stat()
    change(large, LARGE // 2)
    os.utime(large, ns=(state.st_atime_ns, state.st_mtime_ns))
    after = large.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        state.st_size,
        state.st_mtime_ns,
        state.st_ino,
    )
    assert digest(large.parent) != before


def test_an_unchanged_large_file_is_read_once(large: Path, digest: Digest, tmp_path: Path) -> None:
    before = digest(large.parent)
    (entry,) = (tmp_path / "cache" / "digests").iterdir()
    text = entry.read_text()
    false = "0" * 64
    assert large.name in text
    entry.write_text(text[: text.index('"sha256"')] + f'"sha256": "{false}"}}')
    assert digest(large.parent) != before  # it came from the cache
    entry.write_text(text)
    assert digest(large.parent) == before


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"sha256": 5}'])
def test_a_broken_cache_is_ignored_and_mended(
    large: Path, digest: Digest, tmp_path: Path, content: str
) -> None:
    before = digest(large.parent)
    (entry,) = (tmp_path / "cache" / "digests").iterdir()
    entry.write_text(content)
    assert digest(large.parent) == before
    assert "mtime_ns" in entry.read_text()


def test_a_cache_that_cannot_be_written_costs_nothing(large: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert checkpoint_digest(large.parent, file) == checkpoint_digest(large.parent, tmp_path / "x")


def test_a_file_that_has_just_changed_is_not_remembered(large: Path, tmp_path: Path) -> None:
    checkpoint_digest(large.parent, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
