"""A checkpoint's digest: tells two checkpoints apart without reading all of their weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

WHOLE = 64 << 20  # files up to this size (bytes) are read in full
KINDS = frozenset({".json", ".txt", ".jinja", ".model", ".safetensors", ".bin", ".pt", ".py"})
PROBES, PROBE = 16, 64 << 10  # of larger files: number and bytes of evenly spaced blocks


def checkpoint_digest(folder: Path) -> str:
    """sha256 over the names, sizes and contents of the folder's files, hexadecimal.

    Of files above 64 MiB only the first block (which has a safetensors header) and 15 more, up to
    the last, are read: checkpoints of one training have the same header and size, but no block in
    common. Only files of KINDS count, which models are loaded from, and no sub-folder.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.is_file() and p.suffix in KINDS):
        size = path.stat().st_size
        digest.update(f"{path.name}\n{size}\n".encode())
        with path.open("rb") as file:
            if size <= WHOLE:
                digest.update(file.read())
                continue
            for probe in range(PROBES):
                file.seek((size - PROBE) * probe // (PROBES - 1))
                digest.update(file.read(PROBE))
    return digest.hexdigest()
