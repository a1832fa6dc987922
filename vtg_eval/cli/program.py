"""A program from its start to its exit status, without a traceback on the screen."""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vtg_eval import __version__
from vtg_eval.cli.parser import ParserExit
from vtg_eval.console.streams import ReaderGoneError, flush_results, reserve_stdout, warn
from vtg_eval.console.text import error_line, traceback_text
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry
from vtg_eval.run.paths import cache_folder

DONE, MISTAKE, UNFORESEEN, INTERRUPTED = 0, 2, 3, 130
STATUSES = {
    DONE: "done",
    1: "samples failed, a check found something, or the engine failed",
    MISTAKE: "a mistake in the arguments, or a file or disk that you can correct",
    UNFORESEEN: "a mistake in the program or in a plug-in",
    INTERRUPTED: "interrupted",
}
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EMFILE)


def run_program(
    program: str, call: Callable[[Registry], int], resume: str = "", whole_process: bool = True
) -> int:
    """Return the exit status of a program that does `call` with the plug-ins.

    resume: the hint after Ctrl-C. whole_process: the process is this program's: its standard output
    stays reserved, and errors in threads and finalizers caught, until it ends.
    """
    undo = reserve_stdout()
    errors = ErrorFile(program)
    try:
        with errors.background(whole_process):
            return _status(program, call, resume, errors)
    finally:
        with suppress(OSError):
            flush_results()
        if not whole_process:
            undo()


def _status(program: str, call: Callable[[Registry], int], resume: str, errors: ErrorFile) -> int:
    try:
        errors.registry = Registry.discover()
        status = call(errors.registry)
        flush_results()
        return status
    except ParserExit:
        raise
    except UserError as error:
        warn(str(error), program)
        return error.exit_status
    except KeyboardInterrupt:
        warn(f"interrupted{resume}.", program)
        return INTERRUPTED
    except ReaderGoneError:  # `| head`
        return DONE
    except BaseException as error:
        if isinstance(error, OSError) and _is_users(error, errors.owner(error)):
            path = f"{error.filename}: " if error.filename else ""
            warn(
                f"{path}{error.strerror or error}. Make room or access there, or name another "
                "place, then run the same command again.",
                program,
            )
            return MISTAKE
        warn(errors.report(error), program)
        return UNFORESEEN


def _is_users(error: OSError, owner: object | None) -> bool:
    """Return whether an error is one of a disk or, outside of plug-ins, a file."""
    return error.errno in DISK_ERRORS or (error.filename is not None and owner is None)


class ErrorFile:
    """The file with this process's tracebacks, made with the first of them.

    It has no values of variables, no environment and no arguments.
    """

    def __init__(self, program: str) -> None:
        self.registry: Registry | None = None
        self._program = program
        self._path: Path | None = None
        self._reported: set[str] = set()

    def owner(self, error: BaseException) -> object | None:
        """Return the third party's plug-in in which the error came up."""
        return self.registry and self.registry.culprit(error)

    def report(self, error: BaseException) -> str:
        """Write the traceback; return the line that says what failed and what to do with it."""
        owner = self.owner(error)
        part = f"{owner} failed" if owner else "an unforeseen error"
        whom = f" to the authors of {owner}" if owner else ""
        return f"{part}: {error_line(error)}. Please report it{whom}, with {self._write(error)}"

    @contextmanager
    def background(self, for_good: bool) -> Iterator[None]:
        """Report errors in threads and finalizers, each once, in place of their traceback."""
        before = threading.excepthook, sys.unraisablehook
        threading.excepthook = lambda args: self._in_background(args.exc_value)
        sys.unraisablehook = lambda args: self._in_background(args.exc_value)
        try:
            yield
        finally:
            if not for_good:
                threading.excepthook, sys.unraisablehook = before

    def _in_background(self, error: BaseException | None) -> None:
        if error is None or isinstance(error, KeyboardInterrupt | SystemExit):
            return
        with suppress(Exception):  # while the interpreter ends, anything may be gone
            line = self.report(error)
            if line not in self._reported:
                self._reported.add(line)
                warn(line, self._program)

    def _write(self, error: BaseException) -> Path | str:
        """Append a traceback; return the file, or what to say where there can be none."""
        text = traceback_text(error).encode("utf-8", "backslashreplace")
        for folder in (_folder, lambda: Path(tempfile.gettempdir())):
            with suppress(OSError, RuntimeError):
                if self._path is None:
                    self._path = self._created(folder())
                with self._path.open("ab") as file:
                    file.write(text + b"\n")
                return self._path
            self._path = None
        return "what was done; its traceback could not be written"

    def _created(self, folder: Path) -> Path:
        number, path = tempfile.mkstemp(".txt", f"{self._program}-", folder)  # mode 0600
        with os.fdopen(number, "w", encoding="utf-8") as file:
            python = f"Python {platform.python_version()} on {platform.platform()}"
            file.write(f"{self._program} {__version__}, {python}\n")
            for record in self.registry.records if self.registry else ():
                file.write(f"plug-in {record.name}: {record.package} {record.version}\n")
            file.write("\n")
        return Path(path)


def _folder() -> Path:
    folder = cache_folder() / "errors"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
