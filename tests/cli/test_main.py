import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.fakes import make_registry
from vtg_eval import __version__
from vtg_eval.cli import COMMANDS, main
from vtg_eval.cli.command import Command
from vtg_eval.errors import UserError
from vtg_eval.hookspecs import Entry, hookimpl
from vtg_eval.registry import Registry


class Explode(Command):
    error: BaseException

    def configure(self, parser: object) -> None:
        pass

    def run(self, args: object, registry: Registry) -> int:
        raise self.error


@pytest.fixture
def exploding(monkeypatch: pytest.MonkeyPatch) -> type[Explode]:
    class Plugin:
        @hookimpl
        def vtg_commands(self) -> Sequence[Entry]:
            return (Entry("explode", "tests.cli.test_main:Explode", "raises"),)

    registry = make_registry(Plugin())
    monkeypatch.setattr(Registry, "discover", classmethod(lambda cls: registry))
    return Explode


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]], ids=str)
def test_help_lists_every_command(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 0
    out = capsys.readouterr().out
    assert all(f"  {entry.name} " in out for entry in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vtg-eval {__version__}\n"


def test_a_near_miss_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scor"]) == 2
    assert 'Did you mean "score"?' in capsys.readouterr().err


def test_arguments_alone_mean_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--model", "x"])
    assert "vtg-eval run: error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("fix this"), 2, "vtg-eval: fix this\n"),
        (KeyboardInterrupt(), 130, "vtg-eval: interrupted.\n"),
        (
            OSError(28, "No space left on device", "/full/file"),
            2,
            "vtg-eval: /full/file: No space left on device. Make room or access there, or name "
            "another place, then run the same command again.\n",
        ),
    ],
)
def test_errors_become_a_line_and_a_status(
    exploding: type[Explode],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    message: str,
) -> None:
    monkeypatch.setattr(exploding, "error", error, raising=False)
    assert main(["explode"]) == code
    assert capsys.readouterr().err == message


def test_a_mistake_in_the_program_is_not_hidden(
    exploding: type[Explode], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exploding, "error", ZeroDivisionError(), raising=False)
    with pytest.raises(ZeroDivisionError):
        main(["explode"])


def test_a_reader_that_leaves_early_is_no_error() -> None:
    code = "import sys; from vtg_eval.cli import main; sys.exit(main(['protocols', '--json']))"
    reader = f'{sys.executable} -c "{code}" | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", reader], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
