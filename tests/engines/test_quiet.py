from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vtg_eval.engines.quiet import captured_stderr


def test_the_stderr_of_children_is_captured_and_not_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with captured_stderr() as stderr:
        subprocess.run([sys.executable, "-c", "raise ValueError('no weights')"], check=False)
        os.write(2, b"(core) RuntimeError: Engine core initialization failed. See above.\n")
    print("after", file=sys.stderr)
    assert stderr.last_error() == "ValueError: no weights"
    assert capfd.readouterr().err == "after\n"


def test_output_without_an_error_has_no_last_error() -> None:
    with captured_stderr() as stderr:
        os.write(2, b"all is well\n")
    assert stderr.last_error() is None
