"""A checkpoint's digest: tells two checkpoints apart by all bytes of their files.

Large files are hashed in parallel, and their digests are remembered in the user's cache by path,
size, inode, and the times of the last change to content and inode. The last of these (ctime) cannot
be set back, so a file that is changed in place is always read again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vtg_eval.errors import UserError
from vtg_eval.files.digests import sha256
from vtg_eval.files.json_files import read_object, write_json

LARGE = 64 << 20  # bytes; files above this size enter by their own digest, which is remembered
KINDS = frozenset({".json", ".txt", ".jinja", ".model", ".safetensors", ".bin", ".pt", ".py"})
BLOCK = 8 << 20  # bytes read at a time
SHOWN = 4 << 30  # bytes above which a terminal shows a progress bar
READERS = 8  # files read at the same time
# A file that changed less than so many seconds ago is not remembered: it may change again within
# the resolution of its times.
SETTLED = 2.0


def checkpoint_digest(folder: Path, cache: Path, quiet: bool = False) -> str:
    """sha256 over the names, sizes and contents of the folder's files, hexadecimal.

    A file above 64 MiB enters by its own sha256. Only files of KINDS count, which models are
    loaded from, and no sub-folder. cache: the user's cache folder, where digests of large files
    are remembered. Raises UserError for a file that cannot be read.
    """
    files = sorted(p for p in folder.iterdir() if p.is_file() and p.suffix in KINDS)
    large = [path for path in files if path.stat().st_size > LARGE]
    contents = dict(zip(large, _digests(large, cache / "digests", quiet), strict=True))
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\n{path.stat().st_size}\n".encode())
        digest.update(contents[path].encode() if path in contents else _read(path))
    return digest.hexdigest()


def _digests(files: Sequence[Path], cache: Path, quiet: bool) -> list[str]:
    total = sum(path.stat().st_size for path in files)
    with (
        tqdm(
            total=total,
            desc="checkpoint digest",
            unit="B",
            unit_scale=True,
            disable=True if quiet or total <= SHOWN else None,  # None: shown on a terminal only
        ) as bar,
        ThreadPoolExecutor(READERS) as pool,
    ):
        return list(pool.map(lambda path: _file_digest(path, cache, bar.update), files))


def _file_digest(path: Path, cache: Path, advance: Callable[[int], object]) -> str:
    """Return the sha256 of one file, from the cache where the file is unchanged."""
    identity = _identity(path)
    entry = cache / f"{sha256(identity['path'])}.json"
    with suppress(UserError):  # a broken entry is as good as none
        known = read_object(entry, "")
        digest = known.pop("sha256", None)
        if known == identity and isinstance(digest, str):
            advance(identity["size"])
            return digest
    began = time.time()
    hashed = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                hashed.update(block)
                advance(len(block))
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}.") from exc
    digest = hashed.hexdigest()
    settled = began - max(identity["mtime_ns"], identity["ctime_ns"]) / 1e9 > SETTLED
    if settled and _identity(path) == identity:
        with suppress(UserError, OSError):  # without a cache it is read again next time
            cache.mkdir(parents=True, exist_ok=True)
            write_json(entry, {**identity, "sha256": digest})
    return digest


def _identity(path: Path) -> dict[str, Any]:
    """Return what changes with a file's content."""
    real = path.resolve()
    state = real.stat()
    return {
        "path": str(real),
        "size": state.st_size,
        "mtime_ns": state.st_mtime_ns,
        "ctime_ns": state.st_ctime_ns,
        "inode": state.st_ino,
        "device": state.st_dev,
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}.") from exc
