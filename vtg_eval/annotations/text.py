"""The text of annotation files: UTF-8, with or without a byte order mark, line by line.

Lines end with "\\n", "\\r\\n" or "\\r". A file that is not UTF-8 is refused, because a model would
be asked a damaged query; only a check of the files reads on and lists its lines.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from vtg_eval.errors import DataError

LINE_END = re.compile(r"\r\n|\r|\n")
# UTF-32 first: its little-endian mark begins with that of UTF-16
MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)

_listed: ContextVar[list[str] | None] = ContextVar("lines that are not UTF-8", default=None)


@contextmanager
def lines_not_utf8() -> Iterator[list[str]]:
    """Read files that are not UTF-8 within this block; yield their lines, as "FILE, line 2".

    The list grows as files are read. Each byte that is not UTF-8 becomes U+FFFD.
    """
    lines: list[str] = []
    token = _listed.set(lines)
    try:
        yield lines
    finally:
        _listed.reset(token)


def read_text(path: Path) -> str:
    """Return a file's text without its byte order mark.

    Raises DataError that names the lines for a file that is not UTF-8, OSError.
    """
    data = path.read_bytes()
    for mark, encoding in MARKS:
        if data.startswith(mark):
            raise DataError(f"{path} is {encoding}, not UTF-8: save it as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", errors="replace")
    raw_lines = re.split(LINE_END.pattern.encode(), data)
    numbers = [number for number, line in enumerate(raw_lines, start=1) if not _is_utf8(line)]
    listed = _listed.get()
    if listed is not None:
        listed += [f"{path}, line {number}" for number in numbers]
        return text
    more = f" (nor are {len(numbers) - 1} other lines)" if len(numbers) > 1 else ""
    raise DataError(
        f"{path}, line {numbers[0]} is not UTF-8{more}: fetch the file again, or save it as UTF-8."
    )


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number (from 1) and text of each line that is not blank. Errors: `read_text`."""
    for number, line in enumerate(LINE_END.split(read_text(path)), start=1):
        if line.strip():
            yield number, line


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
