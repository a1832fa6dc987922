"""Captured standard error of libraries and their child processes, for use in error messages."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vtg_eval.errors import one_line

ERROR_LINE = re.compile(r"^.*?\b((?:\w+\.)*\w*(?:Error|Exception)\b: .+)$")
# consequences that do not name the cause
CONSEQUENCE = re.compile(r"Engine core initialization failed|WorkerProc initialization failed")
MAX_BYTES = 1 << 18


class CapturedOutput:
    """The captured text; grows while child processes that inherited it live."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = ""

    def read(self) -> None:
        """Read the end of the text so far."""
        with self._path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_BYTES))
            self._text = file.read().decode("utf-8", "replace")

    def last_error(self) -> str | None:
        """Return the last line that names an exception and its reason, None without one."""
        lines = [m[1] for line in self._text.splitlines() if (m := ERROR_LINE.match(line))]
        causes = [line for line in lines if not CONSEQUENCE.search(line)]
        return one_line(causes[-1]) if causes else None


@contextmanager
def captured_stderr() -> Iterator[CapturedOutput]:
    """Redirect standard error of this process and its children to a temporary file.

    Children that outlive the block go on writing to that file, so the progress bar stays clean.
    """
    with tempfile.TemporaryDirectory(prefix="vtg-eval-") as folder:
        captured = CapturedOutput(Path(folder) / "stderr")
        sys.stderr.flush()
        original = os.dup(2)
        file = os.open(captured._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, 2)
        os.close(file)
        try:
            yield captured
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)
            captured.read()
