"""Fetching a task's files from a server on this machine."""

from __future__ import annotations

import hashlib
import http.client
import io
import shutil
import socket
import urllib.request
import zipfile
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.data_task import SmallTask, sample
from tests.file_server import CONTENT, Server
from vtg_eval.data import prepare
from vtg_eval.data.prepare import FileState, fetch, prepare_files
from vtg_eval.errors import UserError
from vtg_eval.task import SourceFile

OTHER = CONTENT[::-1]
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Start a server without encryption and allow http."""
    monkeypatch.setattr(prepare, "SCHEMES", ("http",))
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    yield server
    server.close()


def quiet(name: str, done: int, total: int | None) -> None:
    """No progress."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_fetched_file_appears_only_when_complete(server: Server, tmp_path: Path) -> None:
    seen = []
    path = tmp_path / "b" / "a.txt"
    assert fetch(server.address, path, SHA256, lambda *args: seen.append(args)) == SHA256
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "b") == ["a.txt"]
    assert seen[-1] == ("a.txt", len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("sha256", [SHA256, ""])
@pytest.mark.parametrize("tag", ['"first"', ""])
@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_fetch_is_resumed(
    server: Server, tmp_path: Path, ranges: bool, tag: str, sha256: str
) -> None:
    server.ranges, server.tag, server.break_after = ranges, tag, 1000
    with pytest.raises(UserError, match=r"broke off .*4120 bytes are missing.* run this again"):
        fetch(server.address, tmp_path / "a.txt", sha256, quiet)
    assert not (tmp_path / "a.txt").exists()
    server.break_after = None
    assert fetch(server.address, tmp_path / "a.txt", sha256, quiet) == SHA256
    resumes = bool(tag or sha256)
    assert server.asked == [None, "bytes=1000-" if resumes else None]
    assert (tmp_path / "a.txt").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.txt"]


def test_a_connection_reset_is_reported_as_broken_off(server: Server, tmp_path: Path) -> None:
    server.break_after, server.reset = 1000, True
    with pytest.raises(UserError, match="broke off"):
        fetch(server.address, tmp_path / "a.txt", SHA256, quiet)
    server.break_after, server.reset = None, False
    assert fetch(server.address, tmp_path / "a.txt", SHA256, quiet) == SHA256


def test_two_versions_are_never_joined(server: Server, tmp_path: Path) -> None:
    server.break_after = 1000
    with pytest.raises(UserError):
        fetch(server.address, tmp_path / "a.txt", "", quiet)
    server.break_after, server.content, server.tag = None, OTHER, '"second"'
    fetch(server.address, tmp_path / "a.txt", "", quiet)
    assert (tmp_path / "a.txt").read_bytes() == OTHER


def test_a_weak_tag_proves_nothing(server: Server, tmp_path: Path) -> None:
    server.tag, server.break_after = 'W/"first"', 1000
    with pytest.raises(UserError):
        fetch(server.address, tmp_path / "a.txt", "", quiet)
    assert names(tmp_path) == ["a.txt.part"]


def test_another_byte_range_than_requested_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.txt.part").write_bytes(CONTENT[:1000])
    server.shifted = 7
    with pytest.raises(UserError, match="another part"):
        fetch(server.address, tmp_path / "a.txt", SHA256, quiet)
    assert fetch(server.address, tmp_path / "a.txt", SHA256, quiet) == SHA256


def test_a_partial_file_that_is_already_complete_is_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.txt.part").write_bytes(CONTENT)
    fetch(server.address, tmp_path / "a.txt", SHA256, quiet)
    assert (tmp_path / "a.txt").read_bytes() == CONTENT
    (tmp_path / "b.txt.part").write_bytes(CONTENT)
    (tmp_path / "b.txt.part.tag").write_text('"first"')
    assert fetch(server.address, tmp_path / "b.txt", "", quiet) == SHA256
    assert names(tmp_path) == ["a.txt", "b.txt"]


def test_a_partial_file_that_is_too_long_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.txt.part").write_bytes(CONTENT + b"more")
    (tmp_path / "a.txt.part.tag").write_text('"first"')
    with pytest.raises(UserError, match="416"):
        fetch(server.address, tmp_path / "a.txt", "", quiet)
    assert fetch(server.address, tmp_path / "a.txt", "", quiet) == SHA256


def test_other_content_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.content = b"a page that says not found"
    with pytest.raises(UserError, match="other content than expected"):
        fetch(server.address, tmp_path / "a.txt", SHA256, quiet)
    assert names(tmp_path) == []


def test_a_disk_that_is_too_small_is_an_error_before_the_first_byte(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4500))
    with pytest.raises(UserError, match="Make room"):
        fetch(server.address, tmp_path / "a.txt", SHA256, quiet)
    assert not (tmp_path / "a.txt.part").exists()
    (tmp_path / "a.txt.part").write_bytes(CONTENT[:1000])
    assert fetch(server.address, tmp_path / "a.txt", SHA256, quiet) == SHA256
    server.claimed = 1 << 60
    with pytest.raises(UserError, match="Make room"):
        fetch(server.address, tmp_path / "b.txt", SHA256, quiet)


def test_the_error_without_a_network_names_the_next_step(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(UserError, match="404 Not Found"):
        fetch(f"{server.root}/none", path, SHA256, quiet)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/a.txt"
        with pytest.raises(UserError, match="no network") as caught:
            fetch(nobody, path, SHA256, quiet)
    assert f"save it as {path}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_slow_server_times_out(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "TIMEOUT", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(UserError, match="timed out"):
            fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/", tmp_path / "a", SHA256, quiet)


@pytest.mark.parametrize(
    "address", ["http://example.org/a", "file:///etc/hostname", "ftp://a/b", "https://[", "a"]
)
def test_only_https_is_fetched(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match="not an https address"):
        fetch(address, tmp_path / "a.txt", SHA256, quiet)
    assert names(tmp_path) == []


def test_a_redirect_is_followed_to_the_same_scheme_only(server: Server, tmp_path: Path) -> None:
    server.redirect = "/b.txt"
    assert fetch(server.address, tmp_path / "a.txt", SHA256, quiet) == SHA256
    for target in ("https://127.0.0.1/b.txt", "ftp://127.0.0.1/b.txt", "file:///etc/hostname"):
        server.redirect = target
        with pytest.raises(UserError, match=r"not an https address|302"):
            fetch(server.address, tmp_path / "b.txt", "", quiet)
    assert names(tmp_path) == ["a.txt"]


def test_https_does_not_lead_to_http() -> None:
    request = urllib.request.Request("https://example.org/a")
    follow = prepare._SecureRedirects().redirect_request
    response: tuple[Any, ...] = (io.BytesIO(), 302, "Found", Message())
    assert follow(request, *response, "https://example.com/a") is not None
    with pytest.raises(UserError, match="is not an https address"):
        follow(request, *response, "http://example.com/a")


def test_an_invalid_http_response_is_a_network_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise http.client.BadStatusLine("\x00\x01")

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", fail)
    with pytest.raises(UserError, match="no network"):
        fetch(server.address, tmp_path / "a.txt", SHA256, quiet)


def states(tmp_path: Path, *files: SourceFile) -> list[FileState]:
    return prepare_files(SmallTask([sample("a/0", (0, 1))], files), tmp_path, quiet, videos=True)


def source(server: Server, **changes: Any) -> SourceFile:
    fields = {"path": "a.txt", "home": "https://example.org", "sha256": SHA256}
    return SourceFile(**fields | {"fetch": server.address} | changes)


def test_existing_files_are_not_overwritten(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(CONTENT)
    (tmp_path / "b.txt").write_bytes(b"my own")
    first, second = states(tmp_path, source(server), source(server, path="b.txt"))
    assert server.asked == []
    assert (first.present, first.problem) == (True, "")
    assert second.present
    assert "differs" in second.problem
    assert (tmp_path / "b.txt").read_bytes() == b"my own"


def test_missing_files_are_fetched_or_named(server: Server, tmp_path: Path) -> None:
    first, second = states(
        tmp_path, source(server), source(server, path="b.txt", fetch=None, unpack=True)
    )
    assert (first.present, first.problem) == (True, "")
    assert not second.present
    assert second.path == tmp_path / "b.txt"
    for part in ("by hand from https://example.org", str(second.path), SHA256, "to unpack it"):
        assert part in second.problem


def test_an_unknown_digest_is_reported(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        (state,) = states(tmp_path, source(server, sha256=""))
        assert state.present
        assert state.problem == f"its digest is not on the card: sha256 {SHA256}"
    assert len(server.asked) == 1


def packed(tmp_path: Path, files: dict[str, bytes]) -> bytes:
    path = tmp_path / "made.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    content = path.read_bytes()
    path.unlink()
    return content


def test_an_archive_is_fetched_and_unpacked_beside_itself(server: Server, tmp_path: Path) -> None:
    server.content = packed(tmp_path, {"deep/a.mp4": CONTENT})
    digest = hashlib.sha256(server.content).hexdigest()
    archive = source(server, path="videos/all.zip", sha256=digest, unpack=True)
    for _ in range(2):
        (state,) = states(tmp_path, archive)
        assert (state.present, state.problem) == (True, "")
        assert (tmp_path / "videos" / "deep" / "a.mp4").read_bytes() == CONTENT
        (tmp_path / "videos" / "deep" / "a.mp4").unlink()
    assert len(server.asked) == 1


@pytest.mark.parametrize("link", ["deep", "deep/a.txt", "deep/a.txt.part", "deep/a.txt.part.tag"])
def test_a_file_is_not_fetched_through_a_link(server: Server, tmp_path: Path, link: str) -> None:
    (outside, root) = (tmp_path / "outside", tmp_path / "root")
    outside.mkdir()
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside if link == "deep" else outside / "victim")
    (state,) = states(root, source(server, path="deep/a.txt"))
    assert not state.present
    assert f"{root / link} is a link" in state.problem
    assert names(outside) == server.asked == []


@pytest.mark.parametrize("link", ["deep", "deep/a.mp4"])
def test_an_archive_is_not_unpacked_through_a_link(
    server: Server, tmp_path: Path, link: str
) -> None:
    (outside, root) = (tmp_path / "outside", tmp_path / "root")
    outside.mkdir()
    (outside / "a.mp4").write_bytes(b"mine")
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside if link == "deep" else outside / "a.mp4")
    (root / "all.zip").write_bytes(packed(tmp_path, {"b.mp4": CONTENT, "deep/a.mp4": CONTENT}))
    (state,) = states(root, source(server, path="all.zip", sha256="", unpack=True))
    assert f"{root / link} is a link" in state.problem
    assert (outside / "a.mp4").read_bytes() == b"mine"
    assert "b.mp4" not in names(root)


def test_an_archive_that_is_not_the_cards_is_not_unpacked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(packed(tmp_path, {"a.mp4": CONTENT}))
    (state,) = states(tmp_path, source(server, path="all.zip", unpack=True))
    assert "not unpacked" in state.problem
    assert names(tmp_path) == ["all.zip"]


def test_a_malicious_archive_is_kept_and_named(server: Server, tmp_path: Path) -> None:
    server.content = packed(tmp_path, {"a.mp4": CONTENT, "../evil": b"x"})
    root = tmp_path / "root"
    root.mkdir()
    (state,) = states(root, source(server, path="all.zip", sha256="", unpack=True))
    assert "'../evil'" in state.problem
    assert names(tmp_path) == ["root"]
    assert names(root) == ["all.zip"]


@pytest.mark.parametrize("path", ["../a.txt", "/etc/a.txt", "b/../../a.txt"])
def test_a_card_cannot_write_outside_the_folder(server: Server, tmp_path: Path, path: str) -> None:
    with pytest.raises(UserError, match="outside"):
        states(tmp_path, source(server, path=path))


def test_videos_are_fetched_only_on_request(server: Server, tmp_path: Path) -> None:
    task = SmallTask([sample("a/0", (0, 1))], (source(server, path="all.zip", unpack=True),))
    (state,) = prepare_files(task, tmp_path, quiet)
    assert (state.present, state.path.exists(), server.asked) == (False, False, [])
    assert "--videos fetches and unpacks them" in state.problem
