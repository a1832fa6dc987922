import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from vtg_eval.run.time_limit import TimeLimit


def test_results_and_errors_are_those_of_the_call() -> None:
    limit = TimeLimit[int](10, "the call")
    assert [limit.call(partial(int, text)) for text in "012"] == [0, 1, 2]
    with pytest.raises(ValueError, match="invalid literal"):
        limit.call(partial(int, "x"))
    assert limit.call(lambda: 4) == 4


def test_a_call_that_takes_too_long_is_given_up_and_the_next_one_is_made() -> None:
    gate = threading.Event()
    limit = TimeLimit[bool](0.05, "the call")
    with pytest.raises(TimeoutError, match=r"the call took longer than 0\.05 s"):
        limit.call(lambda: gate.wait(30))
    gate.set()
    assert limit.call(lambda: False) is False


def test_calls_share_a_thread_which_ends_after_closing() -> None:
    limit = TimeLimit[threading.Thread](10, "the call")
    thread = limit.call(threading.current_thread)
    assert limit.call(threading.current_thread) is thread
    limit.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_call_that_never_ends_does_not_keep_the_process() -> None:
    code = (
        "from vtg_eval.run.time_limit import TimeLimit\n"
        "def forever():\n    while True: pass\n"
        "try: TimeLimit(0.05, 'it').call(forever)\n"
        "except TimeoutError as exc: print(exc)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "it took longer than 0.05 s\n"


def test_a_call_costs_little() -> None:
    limit, count = TimeLimit[int](10, "the call"), 500
    limit.call(lambda: 1)
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(count):
            limit.call(lambda: 1)
        best = min(best, (time.perf_counter() - begin) / count)
    assert best < 1e-3  # ten times the usual cost, for a busy machine
