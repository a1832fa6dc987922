"""What libraries and their child processes write to standard error, kept for when it matters."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ERROR_LINE = re.compile(r"^.*?\b((?:\w+\.)*\w*(?:Error|Exception)\b: .+)$")
# consequences, which say nothing of the cause
CONSEQUENCE = re.compile(r"Engine core initialization failed|WorkerProc initialization failed")
KEPT_BYTES = 1 << 18


class Said:
    """The captured text; grows while child processes that inherited it live."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = ""

    def keep(self) -> None:
        """Read the end of what was said so far."""
        with self._path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - KEPT_BYTES))
            self._text = file.read().decode("utf-8", "replace")

    def last_error(self) -> str | None:
        """Return the last line that names an exception and its reason, None without one."""
        lines = [m[1] for line in self._text.splitlines() if (m := ERROR_LINE.match(line))]
        causes = [line for line in lines if not CONSEQUENCE.search(line)]
        return " ".join(causes[-1].split())[:300] if causes else None


@contextmanager
def captured_stderr() -> Iterator[Said]:
    """Send this process's and its children's standard error to a temporary file meanwhile.

    Children that outlive the block go on writing there: the progress bar stays clean.
    """
    with tempfile.TemporaryDirectory(prefix="vtg-eval-") as folder:
        said = Said(Path(folder) / "stderr")
        sys.stderr.flush()
        before = os.dup(2)
        file = os.open(said._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, 2)
        os.close(file)
        try:
            yield said
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            said.keep()
