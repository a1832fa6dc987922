"""Child processes that must not outlive this one, even when it is killed without warning.

vLLM's engine process survives a SIGKILL of its parent and keeps the GPU's memory. A small helper
process watches the parent; it needs no library and no thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable

SCRIPT = """
import os, signal, sys, time
parent, *children = map(int, sys.argv[1:])
while os.getppid() == parent:
    time.sleep(0.5)
for child in children:
    try:
        os.kill(child, signal.SIGKILL)
    except OSError:
        pass
"""


class Watchdog:
    """Kills `children` (process ids) as soon as this process ends; `close` stops that."""

    def __init__(self, children: Iterable[int]) -> None:
        arguments = [str(os.getpid()), *map(str, children)]
        self._helper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", SCRIPT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # out of reach of Ctrl-C
        )

    def close(self) -> None:
        """Stop the helper process."""
        self._helper.kill()
        self._helper.wait()
