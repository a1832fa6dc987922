"""Getting a task's files: fetch what may be fetched, make what can be made, name the rest."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vtg_eval.errors import UserError
from vtg_eval.task import SourceFile, Task

CHUNK = 1 << 20
TIMEOUT = 30.0
PARTIAL = ".part"
RANGE_NOT_SATISFIABLE = 416
PARTIAL_CONTENT = 206

# Called with the file's name, the bytes so far and the bytes expected (None: not known).
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class FileState:
    """One annotation file: where it belongs, whether it is there, and what went wrong if not."""

    source: SourceFile
    path: Path
    present: bool
    problem: str = ""


def prepare_files(task: Task, root: Path, progress: Progress) -> list[FileState]:
    """Fetch what is missing and may be fetched; return every file's state.

    A file that is there is left alone, also when its digest differs from the card's: the state
    says so.
    """
    folder = task.folder(root)
    return [
        _file_state(source, folder / _inside(source.path), progress) for source in task.card.files
    ]


def _file_state(source: SourceFile, path: Path, progress: Progress) -> FileState:
    if path.is_file():
        problem = "" if _sha256(path) == source.sha256 else "differs from the version on the card"
        return FileState(source, path, present=True, problem=problem)
    if source.fetch is None:
        return FileState(source, path, present=False, problem="must be fetched by hand")
    try:
        fetch(source.fetch, path, source.sha256, progress)
    except UserError as exc:
        return FileState(source, path, present=False, problem=str(exc))
    return FileState(source, path, present=True)


def fetch(address: str, path: Path, sha256: str, progress: Progress) -> None:
    """Fetch a file, going on where an earlier attempt stopped; in place only once it is whole.

    Raises UserError: no network, refused, no room, or other content than `sha256` says.
    """
    if not address.startswith("https://"):
        raise UserError(f"{address} is not an https address; fetch it by hand")
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(address, partial, progress)
        found = _sha256(partial)
        if found != sha256:
            partial.unlink()
            raise UserError(
                f"{address} gave other content than expected (sha256 {found[:12]}…, "
                f"not {sha256[:12]}…); the file was not kept"
            )
        partial.replace(path)
    except urllib.error.HTTPError as exc:
        raise UserError(f"{address} answered {exc.code} {exc.reason}") from exc
    except (urllib.error.URLError, TimeoutError, http.client.HTTPException) as exc:
        reason = getattr(exc, "reason", None) or exc
        raise UserError(
            f"no network, or the server is out of reach ({reason}); fetch it by hand"
        ) from exc
    except OSError as exc:
        raise UserError(f"{path} cannot be written: {exc.strerror}") from exc


def _download(address: str, partial: Path, progress: Progress) -> None:
    done = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(address)  # noqa: S310 - https only, checked by `fetch`
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as exc:
        if exc.code == RANGE_NOT_SATISFIABLE and done:
            return  # all of it is there already; the digest will tell
        raise
    with response:
        resumed = response.status == PARTIAL_CONTENT
        done = done if resumed else 0
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else None
        with partial.open("ab" if resumed else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress(partial.name.removesuffix(PARTIAL), done, total)
    if total is not None and done < total:
        raise http.client.IncompleteRead(b"", total - done)


def _inside(path: str) -> PurePosixPath:
    """Return a card's relative path; raises UserError where it leaves the task's folder."""
    relative = PurePosixPath(path)
    if relative.is_absolute() or ".." in relative.parts:
        raise UserError(f"The card names a file outside the task's folder: {path}")
    return relative


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
