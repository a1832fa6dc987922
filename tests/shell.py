"""`vtg-eval` on the fake benchmark, in this process and in others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import fakes
from vtg_eval.cli import main

REPOSITORY = Path(__file__).parents[1]
MAIN = "import sys; from vtg_eval.cli import main; sys.exit(main())"
FIXED = ("--model", "model", "--tasks", "fake_vtg", "--engine", "fake", "--decoder", "fake")


class Shell:
    """Calls `vtg-eval` in a temporary folder with the fake plug-in installed."""

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.home = home
        self._capsys = capsys
        fakes.install("fakes", "tests.fakes", home / "site")
        fakes.use_home(home, monkeypatch)
        monkeypatch.syspath_prepend(home / "site")
        monkeypatch.setenv("PYTHONPATH", f"{home / 'site'}{os.pathsep}{REPOSITORY}")

    def run(self, *args: str) -> tuple[int, str, str]:
        """Call `vtg-eval` in this process: exit status, standard output, standard error."""
        try:
            code = main([*FIXED, *args])
        except SystemExit as exc:  # from argparse
            code = int(exc.code or 0)
        return (code, *self._capsys.readouterr())

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start `vtg-eval` in a new process."""
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *FIXED, *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
