"""`vtg-eval` on the fake benchmark, in this process and in others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import fakes
from vtg_eval.cli import main

REPOSITORY = Path(__file__).parents[1]
MAIN = "import sys; from vtg_eval.cli import main; sys.exit(main())"
FAKE = ("--model", "model", "--tasks", "fake_vtg", "--engine", "fake", "--decoder", "fake")


class Shell:
    """Calls `vtg-eval` in a temporary folder with the fake plug-in installed."""

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.home = home
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        fakes.install("fakes", "tests.fakes", home / "site")
        fakes.use_home(home, monkeypatch)
        monkeypatch.syspath_prepend(home / "site")
        monkeypatch.setenv("PYTHONPATH", f"{home / 'site'}{os.pathsep}{REPOSITORY}")

    def call(self, *arguments: str) -> tuple[int, str, str]:
        """Call `vtg-eval` in this process: exit status, standard output, standard error."""
        self._monkeypatch.setattr("sys.argv", ["/usr/bin/vtg-eval", *arguments])
        self._capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as exc:  # from argparse
            status = int(exc.code or 0)
        return (status, *self._capsys.readouterr())

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run the fake model on the fake task in this process."""
        return self.call(*FAKE, *arguments)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the same in a new process."""
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *FAKE, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def journal(self, folder: str) -> list[dict[str, Any]]:
        """Return the lines of a run's journal."""
        lines = (self.home / folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def results(self, folder: str) -> bytes:
        """Return a run's results.json."""
        return (self.home / folder / "results.json").read_bytes()
