"""Part of a benchmark: scores on different parts are not comparable, so each part has a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def subset_digest(ids: Iterable[str]) -> str:
    """sha256 over the sample ids in sorted order, one a line: equal for equal sets of samples."""
    return hashlib.sha256(
        "".join(f"{name}\n" for name in sorted(ids)).encode("utf-8", "surrogatepass")
    ).hexdigest()
