import io
import sys

import pytest

from vtg_eval.run.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def count(quiet: bool = False) -> None:
    with Progress("nano on synth", total=5, done=2, quiet=quiet) as progress:
        for _ in range(3):
            progress.advance()


def test_without_a_terminal_one_line_is_printed_at_start_and_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    count()
    out, err = capsys.readouterr()
    first, last = err.splitlines()
    assert out == ""
    assert first == "nano on synth: 5 samples, 2 answered before"
    assert last.startswith("nano on synth: 5 of 5 done, 3 in ")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    count()
    assert "5/5" in terminal.getvalue()
    assert "answered before" not in terminal.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_quiet_prints_nothing(monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO]) -> None:
    target = stream()
    monkeypatch.setattr(sys, "stderr", target)
    count(quiet=True)
    assert target.getvalue() == ""
