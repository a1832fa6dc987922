"""Safe unpacking of archives: no path leaves the folder, and no archive fills the disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO, Any, NamedTuple, Self

from vtg_eval.errors import UserError
from vtg_eval.files.atomic import atomic_path
from vtg_eval.files.links import refuse_links

CHUNK = 1 << 20
# Text compresses 10 to 50 times, video not at all; an archive bomb 1000 times and more.
MOST_RATIO = 200
# Up to this many bytes any ratio is allowed.
MODEST = 256 << 20
MOST_FILES = 500_000
# Long names have a header of their own; one above this many bytes is an attack on memory.
LONGEST_HEADER = 1 << 16
HEADER_TYPES = frozenset(
    (
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    )
)

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
ZSTD_START = b"\x28\xb5\x2f\xfd"
OPENERS: Mapping[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}

# Raised by the standard library for damaged archives, besides OSError without a number.
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    IndexError,
    OverflowError,
    RuntimeError,
)


class Member(NamedTuple):
    """A file in an archive: its name, its size in bytes, and why it is refused ("": it is not)."""

    name: str
    size: int
    fault: str
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack a zip or tar (also gzip, bzip2, xz) below `folder`; return the files it holds.

    Files that exist with the right size are kept, so an interrupted call goes on; each file is in
    place only once it is whole. The whole list is checked before anything is written. Raises
    UserError that names the member: a path out of the folder or through a link in it, a link, a
    device, an encrypted or damaged file, more data than fits on the disk or than the archive's size
    allows.
    """
    with _explained(archive):
        sizes = _unpacked_sizes(archive, folder)
        missing = {path: size for path, size in sizes.items() if not _is_complete(path, size)}
        for path in missing:
            refuse_links(folder, path)
        _require_space(archive, missing)
        if missing:
            with _opened(archive) as entries:
                for entry in entries:
                    target = _target(archive, folder, entry)
                    if not _is_complete(target, entry.size):
                        _write(archive, entry, target)
    return list(sizes)


def _unpacked_sizes(archive: Path, folder: Path) -> dict[Path, int]:
    """Return the target path and size of each file, in the archive's order."""
    limit = max(MOST_RATIO * archive.stat().st_size, MODEST)
    sizes: dict[Path, int] = {}
    total = 0
    with _opened(archive) as entries:
        for number, entry in enumerate(entries, 1):
            sizes[_target(archive, folder, entry)] = entry.size
            total += entry.size
            if total > limit or number > MOST_FILES:
                raise _refusal(
                    archive, entry.name, "makes it hold far more than its size allows (a bomb)"
                )
    if not sizes:
        raise UserError(f"{archive.name} holds no files; fetch it again")
    return sizes


def _target(archive: Path, folder: Path, entry: Member) -> Path:
    """Return a file's target path; raises UserError where it is refused."""
    plain = entry.name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    fault = entry.fault
    if plain.startswith("/") or PureWindowsPath(plain).drive or ".." in parts or not parts:
        fault = "points out of the folder"
    elif any(ord(char) < 32 or ord(char) == 127 for char in plain):
        fault = "has control characters in its name"
    elif entry.size < 0:
        fault = "has a negative size"
    target = folder.joinpath(*parts)
    if not fault and target.absolute() == archive.absolute():
        fault = "would replace the archive"
    if fault:
        raise _refusal(archive, entry.name, fault)
    return target


def _refusal(archive: Path, name: str, fault: str) -> UserError:
    return UserError(
        f"{archive.name} is refused: its member {name[:200]!r} {fault}. "
        "Unpack by hand what you trust in it."
    )


def _is_complete(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _require_space(archive: Path, missing: Mapping[Path, int]) -> None:
    """Raise UserError where a disk has too little space for the missing files."""
    needed: Counter[int] = Counter()
    disks: dict[int, Path] = {}
    for path, size in missing.items():
        parent = next(folder for folder in path.absolute().parents if folder.is_dir())
        device = parent.stat().st_dev
        disks[device] = parent
        needed[device] += size
    for device, folder in disks.items():
        free = shutil.disk_usage(folder).free
        if needed[device] > free:
            raise UserError(
                f"{archive.name} unpacks to {needed[device] / 1e9:.1f} GB more, but {folder} has "
                f"{free / 1e9:.1f} GB free. Make room and run this again."
            )


def _write(archive: Path, entry: Member, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        # not synced: an archive has up to 500,000 files, and a wrong size is unpacked again
        with (
            atomic_path(target, sync=False) as part,
            entry.open() as source,
            part.open("wb") as file,
        ):
            remaining = entry.size
            while remaining > 0 and (chunk := source.read(min(CHUNK, remaining))):
                file.write(chunk)
                remaining -= len(chunk)
            if remaining or source.read(1):  # the last read also checks a zip member's checksum
                raise ValueError("other size than listed")
    except DAMAGED as exc:
        raise UserError(
            f"{archive.name} is damaged at {entry.name[:200]!r} ({exc}); fetch it again"
        ) from exc


@contextmanager
def _explained(archive: Path) -> Iterator[None]:
    """Turn errors of damaged archives and of the disk into UserError."""
    try:
        yield
    except DAMAGED as exc:
        raise UserError(
            f"{archive.name} is damaged or not a zip or tar archive ({exc}); fetch it again"
        ) from exc
    except OSError as exc:
        if exc.errno is None:  # gzip and bzip2 raise this for damaged data
            raise UserError(f"{archive.name} is damaged ({exc}); fetch it again") from exc
        path = exc.filename2 or exc.filename or archive
        raise UserError(
            f"{archive.name} cannot be unpacked: {path}: {exc.strerror}. Correct "
            "that and run this again."
        ) from exc


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[Member]]:
    """Yield the archive's files in order; the first bytes tell its format."""
    with archive.open("rb") as file:
        start = file.read(6)
    if start.startswith(ZIP_STARTS):
        with zipfile.ZipFile(archive) as members:
            yield _zip_entries(members)
        return
    if start.startswith(ZSTD_START):
        raise UserError(
            f"{archive.name} is compressed with zstd, which is not supported; unpack it by hand: "
            f"tar --zstd -xf {archive.name}"
        )
    opener = next((OPENERS[magic] for magic in OPENERS if start.startswith(magic)), None)
    with (
        archive.open("rb") if opener is None else opener(archive) as file,
        tarfile.TarFile(fileobj=_Whole(file), tarinfo=_Header) as members,  # type: ignore[arg-type]
    ):
        yield _tar_entries(members)


def _zip_entries(members: zipfile.ZipFile) -> Iterator[Member]:
    for info in members.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() and kind in (0, stat.S_IFDIR):
            continue
        fault = "is a link or a device" if kind not in (0, stat.S_IFREG) else ""
        if info.flag_bits & 1:
            fault = "is encrypted"
        yield Member(info.filename, info.file_size, fault, partial(members.open, info))


def _tar_entries(members: tarfile.TarFile) -> Iterator[Member]:
    while (info := members.next()) is not None:
        members.members.clear()  # type: ignore[attr-defined] # the list would keep them all
        if not info.isdir():
            fault = "" if info.isreg() else "is a link or a device"
            yield Member(info.name, info.size, fault, partial(_tar_file, members, info))


def _tar_file(members: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = members.extractfile(info)
    if file is None:
        raise ValueError("not a file")
    return file


class _Whole:
    """A file that raises where it ends before the archive's end mark; tarfile would accept that."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes; raises EOFError where there are none."""
        data: bytes = self._file.read(size)
        if size and not data:
            raise EOFError("it ends too early")
        return data


class _Header(tarfile.TarInfo):
    """A tar header that raises where it is damaged; tarfile would take it as the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header; raises ValueError for a damaged or malicious one."""
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined] # public, not in the stubs
            raise
        except tarfile.HeaderError as exc:
            raise ValueError(f"bad header: {exc}") from exc
        if header.size < 0 or (header.type in HEADER_TYPES and header.size > LONGEST_HEADER):
            raise ValueError("bad header: impossible size")
        return header
