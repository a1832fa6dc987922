"""Progress on standard error: a bar on a terminal, else a line at the start and at the end."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm

from vtg_eval.console.text import visible


class Progress:
    """Counts `done` of `total`; use as a context manager. `quiet` shows nothing at all."""

    def __init__(self, label: str, total: int, done: int = 0, quiet: bool = False) -> None:
        self._label = label = visible(label)
        self._total = total
        self._done = done
        self._started_with = done
        self._start = time.monotonic()
        self._lines = not quiet and not sys.stderr.isatty()
        self._bar = tqdm(
            desc=label,
            total=total,
            initial=done,
            unit="sample",
            dynamic_ncols=True,
            disable=quiet or self._lines,
            file=sys.stderr,
        )

    def __enter__(self) -> Progress:
        if self._lines:
            before = f", {self._done} answered before" if self._done else ""
            print(f"{self._label}: {self._total} samples{before}", file=sys.stderr)
        return self

    def advance(self) -> None:
        """Count one more."""
        self._done += 1
        self._bar.update(1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        if self._lines:
            seconds = time.monotonic() - self._start
            print(
                f"{self._label}: {self._done} of {self._total} done, "
                f"{self._done - self._started_with} in {seconds:.1f} s",
                file=sys.stderr,
            )
