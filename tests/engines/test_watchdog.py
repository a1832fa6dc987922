from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from vtg_eval.engines.watchdog import Watchdog

PARENT = """
import subprocess, sys, time
from vtg_eval.engines.watchdog import Watchdog
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
Watchdog([child.pid])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_children_die_with_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _gone(child)


def test_children_live_on_after_the_watchdog_is_closed() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        Watchdog([child.pid]).close()
        time.sleep(0.6)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def _gone(process: int, patience: float = 10.0) -> bool:
    """Return whether the process ends within `patience` seconds; a zombie counts as ended."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        status = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False
        ).stdout
        if status.startswith("Z"):
            return True
        time.sleep(0.1)
    return False
