"""Fetching a task's files."""

from __future__ import annotations

import hashlib
import io
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from data_task import SmallTask, sample

from vtg_eval.data.prepare import FileState, fetch, prepare_files
from vtg_eval.errors import UserError
from vtg_eval.task import SourceFile

ADDRESS = "https://example.org/a.txt"
CONTENT = bytes(range(256)) * 20
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Response(io.BytesIO):
    """What `urlopen` returns, as far as it is used."""

    def __init__(self, content: bytes, status: int, length: int) -> None:
        super().__init__(content)
        self.status = status
        self.headers = Message()
        self.headers["Content-Length"] = str(length)


class Server:
    """Stands in for the network: holds CONTENT, can break off, knows Range or not."""

    def __init__(self, content: bytes = CONTENT, ranges: bool = True) -> None:
        self.content = content
        self.ranges = ranges
        self.break_after: int | None = None
        self.asked: list[str | None] = []

    def __call__(self, request: urllib.request.Request, timeout: float) -> Any:
        wanted = request.get_header("Range")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start and start >= len(self.content):
            raise urllib.error.HTTPError(ADDRESS, 416, "Range Not Satisfiable", Message(), None)
        rest = self.content[start:]
        return Response(rest[: self.break_after], 206 if start else 200, len(rest))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(urllib.request, "urlopen", server)
    return server


def quiet(name: str, done: int, total: int | None) -> None:
    """No progress."""


def test_a_file_is_fetched_and_in_place_only_when_whole(server: Server, tmp_path: Path) -> None:
    seen = []
    fetch(ADDRESS, tmp_path / "b" / "a.txt", SHA256, lambda *args: seen.append(args))
    assert (tmp_path / "b" / "a.txt").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["a.txt"]
    assert seen[-1] == ("a.txt", len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_fetch_goes_on(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.ranges = ranges
    server.break_after = 1000
    with pytest.raises(UserError, match="out of reach"):
        fetch(ADDRESS, tmp_path / "a.txt", SHA256, quiet)
    assert not (tmp_path / "a.txt").exists()
    server.break_after = None
    fetch(ADDRESS, tmp_path / "a.txt", SHA256, quiet)
    assert server.asked == [None, "bytes=1000-"]
    assert (tmp_path / "a.txt").read_bytes() == CONTENT


def test_a_partial_file_that_is_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.txt.part").write_bytes(CONTENT)
    fetch(ADDRESS, tmp_path / "a.txt", SHA256, quiet)
    assert (tmp_path / "a.txt").read_bytes() == CONTENT


def test_other_content_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.content = b"a page that says not found"
    with pytest.raises(UserError, match="other content than expected"):
        fetch(ADDRESS, tmp_path / "a.txt", SHA256, quiet)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (urllib.error.URLError("Name or service not known"), "no network"),
        (TimeoutError("timed out"), "no network"),
        (urllib.error.HTTPError(ADDRESS, 404, "Not Found", Message(), None), "404 Not Found"),
    ],
)
def test_no_network_is_said_clearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(UserError, match=message) as caught:
        fetch(ADDRESS, tmp_path / "a.txt", SHA256, quiet)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://example.org/a", "file:///etc/hostname", "ftp://a/b"])
def test_only_https_is_fetched(server: Server, tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match="https"):
        fetch(address, tmp_path / "a.txt", SHA256, quiet)
    assert server.asked == []


def states(tmp_path: Path, *files: SourceFile) -> list[FileState]:
    return prepare_files(SmallTask([sample("a/0", (0, 1))], files), tmp_path, quiet)


def source(**changes: Any) -> SourceFile:
    facts = {"path": "a.txt", "home": "https://example.org", "sha256": SHA256, "fetch": ADDRESS}
    return SourceFile(**facts | changes)


def test_what_is_there_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(CONTENT)
    (tmp_path / "b.txt").write_bytes(b"my own")
    first, second = states(tmp_path, source(), source(path="b.txt"))
    assert server.asked == []
    assert (first.present, first.problem) == (True, "")
    assert second.present
    assert "differs" in second.problem
    assert (tmp_path / "b.txt").read_bytes() == b"my own"


def test_what_is_missing_is_fetched_or_named(server: Server, tmp_path: Path) -> None:
    first, second = states(tmp_path, source(), source(path="b.txt", fetch=None))
    assert first.present
    assert not second.present
    assert second.path == tmp_path / "b.txt"
    assert "by hand" in second.problem


@pytest.mark.parametrize("path", ["../a.txt", "/etc/a.txt", "b/../../a.txt"])
def test_a_card_cannot_write_outside_the_folder(server: Server, tmp_path: Path, path: str) -> None:

    with pytest.raises(UserError, match="outside"):
        states(tmp_path, source(path=path))
