import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

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


@pytest.mark.parametrize("error", [ZeroDivisionError("a\nb\u202e"), SystemExit(0), OSError("x")])
def test_anything_unforeseen_is_a_line_a_file_and_status_3(
    exploding: type[Explode],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    error: BaseException,
) -> None:
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path))
    monkeypatch.setattr(exploding, "error", error, raising=False)
    assert main(["explode"]) == 3
    (file,) = (tmp_path / "errors").iterdir()
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    assert type(error).__name__ in line and str(file) in line and "test_main of third" in line
    assert "raise self.error" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_file_with_a_traceback_may_be_in_the_temporary_folder(
    exploding: type[Explode], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VTG_EVAL_CACHE", "/dev/null/cache")
    monkeypatch.setattr(exploding, "error", KeyError("k"), raising=False)
    assert main(["explode"]) == 3
    path = Path(capsys.readouterr().err.split("with ")[-1].strip())
    assert "KeyError: 'k'" in path.read_text()
    path.unlink()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "--model", "x", "--taks", "y"], 'Did you mean "--tasks"?'),
        (["data", "chek", "x"], 'invalid choice: "chek". Did you mean "check"?'),
        (["leaderboard", "rank", "--publishd", "x"], 'Did you mean "--published"?'),
        (["compare", "--effect", "x"], "argument --effect: 'x' is not"),
        (["run", "--model", "x", "--tasks", "y", "--seed", "z"], "'z' is not a whole number"),
        (["score", "--predictions"], "argument --predictions: expected one argument"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_line(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(args)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and line.startswith(f"vtg-eval {args[0]}")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    code = "import sys; from vtg_eval.cli import main; sys.exit(main(['protocols', '--json']))"
    reader = f'{sys.executable} -c "{code}" | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", reader], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
