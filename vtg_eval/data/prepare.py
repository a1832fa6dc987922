"""A task's files: download and unpack where allowed, instructions for the others."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from vtg_eval.data.archives import unpack
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import sync_to_disk
from vtg_eval.files.links import refuse_links
from vtg_eval.task import SourceFile, Task

CHUNK = 1 << 20
TIMEOUT = 30.0
SCHEMES = ("https",)
PARTIAL = ".part"  # a fixed name, so that another process can go on with the file
# Suffix of a partial file's version: the ETag that the server sent with it.
TAG = ".tag"
RANGE_NOT_SATISFIABLE = 416
PARTIAL_CONTENT = 206

# Called with the file's name, the bytes so far and the bytes expected (None: unknown).
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class FileState:
    """One of a task's files: its path and whether it is present.

    `problem`: for a missing file the reason and remedy, for a present one what is wrong with it.
    """

    source: SourceFile
    path: Path
    present: bool
    problem: str = ""


def prepare_files(
    task: Task, root: Path, progress: Progress, videos: bool = False
) -> list[FileState]:
    """Fetch what is missing and may be fetched, unpack archives; return every file's state.

    Archives, which hold videos, are fetched only where `videos` is set. An existing file is kept,
    also where its digest differs from the card's: the state says so. Archives are unpacked into
    their own folder where the digest is right or the card has none. Raises UserError for a card
    that names files outside the task's folder.
    """
    folder = task.folder(root)
    return [
        _file_state(source, root, folder / _inside(source.path), progress, videos)
        for source in task.card.files
    ]


def _file_state(
    source: SourceFile, root: Path, path: Path, progress: Progress, videos: bool
) -> FileState:
    if not path.is_file() and source.fetch is None:
        return FileState(source, path, present=False, problem=_by_hand(source, path))
    if not path.is_file() and source.unpack and not videos:
        problem = f"videos; --videos fetches and unpacks them, or {_by_hand(source, path)}"
        return FileState(source, path, present=False, problem=problem)
    try:
        if source.fetch is not None and not path.is_file():
            for target in (path, _partial(path), _tag(_partial(path))):
                refuse_links(root, target)
            digest = fetch(source.fetch, path, source.sha256, progress)
        else:
            digest = _sha256(path)
    except UserError as exc:
        return FileState(source, path, present=False, problem=str(exc))
    except OSError as exc:
        return FileState(source, path, present=True, problem=f"cannot be read: {exc.strerror}")
    return FileState(source, path, present=True, problem=_unpacked(source, root, path, digest))


def _unpacked(source: SourceFile, root: Path, path: Path, digest: str) -> str:
    """Unpack a present file where the card says so; return what is wrong, "" for nothing."""
    if source.sha256 and digest != source.sha256:
        kept = " and is not unpacked" if source.unpack else ""
        return f"differs from the version on the card{kept}"
    if source.unpack:
        try:
            refuse_links(root, path.parent)
            unpack(path, path.parent)
        except UserError as exc:
            return str(exc)
    return "" if source.sha256 else f"its digest is not on the card: sha256 {digest}"


def _by_hand(source: SourceFile, path: Path) -> str:
    digest = f" (sha256 {source.sha256})" if source.sha256 else ""
    unpacking = " and run this again to unpack it" if source.unpack else ""
    return f"must be fetched by hand from {source.home}: save it as {path}{digest}{unpacking}"


def fetch(address: str, path: Path, sha256: str, progress: Progress) -> str:
    """Download a file, resuming an earlier attempt; it is in place only once it is whole.

    Returns its sha256, hexadecimal; with an empty `sha256` any content is kept. Raises UserError:
    no network, refused, disk full, an address or redirect that is not https, or content with
    another digest than `sha256`.
    """
    _require_secure(address)
    partial = _partial(path)
    by_hand = f"fetch it by hand and save it as {path}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(address, partial, sha256, progress)
        digest = _sha256(partial)
        if sha256 and digest != sha256:
            _discard(partial)
            raise UserError(
                f"{address} gave other content than expected (sha256 {digest[:12]}…, "
                f"not {sha256[:12]}…); the file was not kept; {by_hand}"
            )
        sync_to_disk(partial)
        partial.replace(path)
        _discard(partial)
    except urllib.error.HTTPError as exc:
        raise UserError(f"{address} answered {exc.code} {exc.reason}; {by_hand}") from exc
    except (
        urllib.error.URLError,
        ConnectionError,
        TimeoutError,
        ssl.SSLError,
        http.client.HTTPException,
    ) as exc:
        reason = getattr(exc, "reason", None) or exc
        raise UserError(
            f"no network, or the server cannot be reached or broke off ({reason}); "
            f"run this again to go on, or {by_hand}"
        ) from exc
    except OSError as exc:
        raise UserError(
            f"{path} cannot be written: {exc.strerror}; correct that and run this again"
        ) from exc
    return digest


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only where the address may be fetched itself."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> urllib.request.Request | None:
        """Return the next request; raises UserError where it is not secure."""
        request = super().redirect_request(*args, **kwargs)
        if request is not None:
            _require_secure(request.full_url)
        return request


def _require_secure(address: str) -> None:
    try:
        secure = urlsplit(address).scheme in SCHEMES
    except ValueError:
        secure = False
    if not secure:
        raise UserError(f"{address} is not an https address and is not fetched; fetch it by hand")


def _download(address: str, partial: Path, sha256: str, progress: Progress) -> None:
    tag = _read_tag(partial)
    done = partial.stat().st_size if partial.is_file() else 0
    if not (sha256 or tag):
        done = 0  # a mix of two versions could not be detected
    request = urllib.request.Request(address)  # noqa: S310 - https only, checked by `fetch`
    if done:
        request.add_header("Range", f"bytes={done}-")
        if tag:
            request.add_header("If-Range", tag)
    try:
        response = urllib.request.build_opener(_SecureRedirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as exc:
        whole = exc.headers.get("Content-Range", "").strip() == f"bytes */{done}"
        if exc.code == RANGE_NOT_SATISFIABLE and done and (sha256 or whole):
            return  # the partial file is whole; its digest is checked next
        if exc.code == RANGE_NOT_SATISFIABLE:
            _discard(partial)  # the next attempt starts from the beginning
        raise
    with response:
        if response.status != PARTIAL_CONTENT:
            done = 0
            _write_tag(partial, response.headers.get("ETag", ""))
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            _discard(partial)
            raise http.client.HTTPException("it sent another part than requested")
        _receive(response, partial, done, progress)


def _receive(
    response: http.client.HTTPResponse, partial: Path, done: int, progress: Progress
) -> None:
    """Append a response to the first `done` bytes of the partial file."""
    length = response.headers.get("Content-Length", "")
    total = done + int(length) if length.isdecimal() and len(length) < 20 else None
    free = shutil.disk_usage(partial.parent).free
    if total is not None and total - done > free:
        raise UserError(
            f"{partial.name.removesuffix(PARTIAL)} takes {(total - done) / 1e9:.2f} GB more, but "
            f"{partial.parent} has {free / 1e9:.2f} GB free. Make room and run this again."
        )
    with partial.open("ab" if done else "wb") as file:
        while chunk := response.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            progress(partial.name.removesuffix(PARTIAL), done, total)
    if total is not None and done < total:
        raise http.client.HTTPException(f"{total - done} bytes are missing")


def _read_tag(partial: Path) -> str:
    path = _tag(partial)
    return path.read_text(encoding="ascii", errors="replace") if path.is_file() else ""


def _write_tag(partial: Path, tag: str) -> None:
    """Keep a strong ETag; a weak one cannot be sent with a range request."""
    path = _tag(partial)
    if tag.startswith('"') and tag.isascii() and tag.isprintable():
        path.write_text(tag, encoding="ascii")
    else:
        path.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL)


def _tag(partial: Path) -> Path:
    return partial.with_name(partial.name + TAG)


def _discard(partial: Path) -> None:
    for path in (partial, _tag(partial)):
        path.unlink(missing_ok=True)


def _inside(path: str) -> PurePosixPath:
    """Return a card's relative path; raises UserError where it leaves the task's folder."""
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts:
        raise UserError(
            f"The card names a file outside the task's folder: {path}. Correct the card."
        )
    return relative


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
