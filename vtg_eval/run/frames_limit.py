"""The limit of the frame store, as the user gives it."""

from __future__ import annotations

import os
import re

from vtg_eval.errors import UserError

LIMIT_VARIABLE = "VTG_EVAL_FRAMES_LIMIT"
_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?) ?([KMGT])(i?)B", re.ASCII | re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return a size such as "80GiB", "1.5 TB" or "0" in bytes; raises ValueError."""
    if text == "0":
        return 0
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r:.40} is not a size such as 80GiB or 500GB, with its unit; 0 keeps nothing"
        )
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** ("KMGT".index(prefix.upper()) + 1))


def frames_limit(limit: int | None) -> int | None:
    """Return `limit`, else $VTG_EVAL_FRAMES_LIMIT, in bytes; None where neither is set.

    Raises UserError for a variable that is no size.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    if limit is not None or not text:
        return limit
    try:
        return parse_size(text)
    except ValueError as exc:
        raise UserError(f"{LIMIT_VARIABLE}: {exc}.") from None
