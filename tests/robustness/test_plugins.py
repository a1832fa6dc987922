"""Bad plug-ins: each costs itself only, with one line that names its entry point and package.

Each is a package of its own, installed in a folder, and called by the real command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import fakes
from tests.robustness.case import Case

MAIN = "import sys; from vtg_eval.cli import main; sys.exit(main())"
SECONDS = 60  # a time limit, not a measurement
TASK = """
from dataclasses import replace
from pathlib import Path
from tests.fakes import CARD, FakeTask
from vtg_eval.hookspecs import Entry, hookimpl

class Mine(FakeTask):
    card = replace(FakeTask.card, name="mine")
{body}

TASK = Mine()

@hookimpl
def vtg_tasks():
    return [Entry("mine", "bad:TASK", "a task")]
"""
ADAPTER = """
from vtg_eval.adapter import Adapter
from vtg_eval.engines.base import Completion, Request
from vtg_eval.hookspecs import AdapterEntry, hookimpl

class Mine(Adapter):
    needs_frames = False
    def __init__(self, checkpoint): pass
    def frame_size(self, height, width, frames, rule): return 8, 8
    def request(self, sample, frames, protocol):
        return Request(sample.id, "p", answer="1 - 2")
{body}

@hookimpl
def vtg_adapters():
    return [AdapterEntry("mine", "bad:Mine", "an adapter", engine={engine!r})]
"""
ENGINE = """
from vtg_eval.engines.base import Completion, Engine
from vtg_eval.failures import Finish
from vtg_eval.hookspecs import Entry

class Motor(Engine):
    def __init__(self, checkpoint, rule, options): pass
    def describe(self): return {{}}
    def generate(self, requests):
        for request in requests:
            yield Completion(request.sample_id, "1 - 2", 0, 0, Finish.STOP)
{body}

@hookimpl
def vtg_engines():
    return [Entry("motor", "bad:Motor", "an engine")]
"""
HOOK = "from vtg_eval.hookspecs import AdapterEntry, Entry, ModelEntry, hookimpl\n@hookimpl\n"
COMMAND = """
from vtg_eval.cli.command import Command
from vtg_eval.hookspecs import Entry, hookimpl

class Mine(Command):
    def configure(self, parser): pass
    def run(self, args, registry): return 0
{body}

@hookimpl
def vtg_commands():
    return [Entry("mine", "bad:Mine", "a command")]
"""


@dataclass(frozen=True, slots=True)
class Bad(Case):
    """A bad plug-in: its module `bad`, the command that is called, and its exit status."""

    module: str
    args: str = "tasks --json"
    status: int = 0


def task(body: str) -> str:
    return TASK.format(body=body)


def adapter(body: str, engine: str = "replay") -> str:
    return ADAPTER.format(body=body, engine=engine)


def engine(body: str) -> str:
    request = "    def request(self, s, f, p): return Request(s.id, 'p')"
    return adapter(request, "motor") + ENGINE.format(body=body)


def command(body: str) -> str:
    return COMMAND.format(body=body)


def hook(body: str, name: str = "vtg_tasks", arguments: str = "") -> str:
    return f"{HOOK}def {name}({arguments}):\n    {body}\n"


def entry(arguments: str) -> str:
    return hook(f"return [Entry({arguments})]")


def method(name: str, body: str) -> str:
    """Return a method of the class `Mine`, or of `Motor`, that takes any arguments."""
    return f"    def {name}(self, *args):\n        {body}\n"


SAMPLES = "samples mine --json -"
RUN = "--tasks fake_vtg --limit 3 --quiet --json - --model"
MINE = f"{RUN} mine:x"
LISTENED = f"{RUN} baseline:whole-video"

# Found when plug-ins are loaded or listed: all of these are installed at once, and the command
# works as if there were none.
LISTED = (
    Bad("exit at import", "SystemExit: 0", "import sys; sys.exit(0)"),
    Bad("base exception at import", "Mine", "class Mine(BaseException): pass\nraise Mine"),
    Bad("error at import", "ZeroDivisionError", "1 / 0"),
    Bad(
        "an error whose text raises",
        "Odd: (its message cannot be shown)",
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
    ),
    Bad("control characters", r"\x1b[2J \u202e", r'raise ValueError("\x1b[2J \u202e\n")'),
    Bad("no such module", "ModuleNotFoundError", "import nothing_of_this_name"),
    Bad("a syntax error", "SyntaxError", "def ("),
    Bad("printing at import", 'it printed "hello there"', "print('hello'); print('there')"),
    Bad("a closed stream", 'it printed "x"', "import sys\nprint('x')\nsys.stdout.close()"),
    Bad("a replaced stream", "KeyError", "import sys\nsys.stdout = None\nraise KeyError"),
    Bad("a hook that raises", "failed at vtg_tasks", hook("raise OSError('x')")),
    Bad("a hook that exits", "failed at vtg_tasks", hook("raise SystemExit(0)")),
    Bad("a hook that prints", 'it printed "hi"', hook("print('hi'); return ()")),
    Bad("a hook without a value", "it returned NoneType", hook("pass")),
    Bad("a hook with a number", "failed at vtg_tasks", hook("return 5")),
    Bad("a hook with text", "it returned str", hook("return 'mine'")),
    Bad("a generator", "failed at vtg_tasks", hook("yield Entry('part', 'a:B', 's'); 1 / 0")),
    Bad("tuples", "it is of type tuple", hook("return [('a', 'b:c', 'd')]")),
    Bad("numbers for text", "its name is of type int", entry("5, 'a:b', ''")),
    Bad("no summary", "its summary is None", entry("'x', 'a:b', None")),
    Bad("another class", "not of the class Entry", hook("return [ModelEntry('x', 'p', '')]")),
    Bad("no attribute", 'it must be "module:attribute"', entry("'x', 'bad', ''")),
    Bad("a name that turns the line", r"its name is 'a\u202e'", entry(r"'a\u202e', 'a:b', ''")),
    Bad("a misspelt hook", 'Did you mean "vtg_tasks"?', hook("return ()", "vtg_task")),
    Bad("a hook without its mark", "vtg_tasks is not called", "def vtg_tasks(): return ()"),
    Bad("a hook with arguments", "PluginValidationError", hook("return ()", arguments="x")),
    Bad("a built-in task's name", "the built-in one is used", entry("'mvbench', 'bad:X', ''")),
    Bad(
        "a built-in command's name",
        "the built-in one is used",
        hook("return [Entry('tasks', 'bad:X', '')]", "vtg_commands"),
    ),
    Bad("a name twice", "neither is used", hook("return [Entry('twice', 'a:b', '')] * 2")),
)

# Found when they are used.
USED = (
    Bad("no such target", "a missing object", entry("'mine', 'bad:TASK', ''"), SAMPLES, 3),
    Bad("a target that exits", "failed to load", entry("'mine', 'worse:T', ''"), SAMPLES, 3),
    Bad("a class for a task", "the class Mine", task("").replace("Mine()", "Mine"), SAMPLES, 3),
    Bad("a task without a card", "has as its card None", task("    card = None"), SAMPLES, 3),
    Bad("another task's card", 'the card of "fake', task("    card = FakeTask.card"), SAMPLES, 3),
    Bad("samples that exit", "SystemExit: 0", task(method("samples", "exit(0)")), SAMPLES, 3),
    Bad("no samples", "samples returned NoneType", task(method("samples", "pass")), SAMPLES, 3),
    Bad("dicts", "samples returned a dict", task(method("samples", "return [{}]")), SAMPLES, 3),
    Bad(
        "a path that is text",
        "video_path returned str",
        task(method("video_path", "return 'x'")),
        "data check mine --json -",
        3,
    ),
    Bad("a function", "is of type function", adapter("") + "\ndef Mine(checkpoint): pass", MINE, 3),
    Bad(
        "missing methods",
        "lacks the methods __init__, frame_size, request",
        adapter("").replace("class Mine(Adapter):", "class Mine(Adapter): pass\nclass Rest:"),
        MINE,
        3,
    ),
    Bad("no adapter", "ZeroDivisionError", adapter(method("__init__", "1 / 0")), MINE, 3),
    Bad("begin raises", "ZeroDivisionError", adapter(method("begin", "1 / 0")), MINE, 3),
    Bad("no request", "returned no request", adapter(method("request", "return 5")), MINE, 1),
    Bad(
        "an answer that is no text",
        "Request.answer is 5",
        adapter(method("request", "return Request(args[0].id, 'p', answer=5)")),
        MINE,
        1,
    ),
    Bad(
        "a time that is no number",
        "not finite",
        adapter(method("request", "return Request(args[0].id, 'p', model_times=[float('nan')])")),
        MINE,
        1,
    ),
    Bad(
        "another error for each sample",
        "KeyError",
        adapter(method("request", "raise KeyError(args[0].id)")),
        MINE,
        1,
    ),
    Bad(
        "another sample's request",
        "returned no request for the sample",
        adapter(method("request", "return Request('x', 'p', answer='')")),
        MINE,
        1,
    ),
    Bad("a request that exits", "SystemExit", adapter(method("request", "exit(0)")), MINE, 1),
    Bad("no start", "The engine failed: Zero", engine(method("__init__", "1 / 0")), MINE, 1),
    Bad("an exit", "The engine failed: SystemExit", engine(method("generate", "exit(0)")), MINE, 1),
    Bad("numbers", "generate gave int", engine(method("generate", "yield 5")), MINE, 1),
    Bad(
        "a completion of numbers",
        "Completion.text is 5",
        engine(method("generate", "yield Completion(next(args[0]).sample_id, 5, 0, 0, 'stop')")),
        MINE,
        1,
    ),
    Bad("no completions", "generate returned None", engine(method("generate", "pass")), MINE, 1),
    Bad("no end", "the engine failed to stop", engine(method("close", "1 / 0")), MINE, 0),
    Bad(
        "a listener that raises",
        "failed at vtg_sample_answered",
        hook("1 / 0", "vtg_sample_answered", "record"),
        LISTENED,
        0,
    ),
    Bad(
        "a listener that exits",
        "failed at vtg_run_finished",
        hook("exit(0)", "vtg_run_finished"),
        LISTENED,
        0,
    ),
    Bad("a command that raises", "ZeroDivisionError", command(method("run", "1 / 0")), "mine", 3),
    Bad("a command that exits", "SystemExit: 0", command(method("run", "exit(0)")), "mine", 3),
    Bad("bad arguments", "ZeroDivisionError", command(method("configure", "1 / 0")), "mine", 3),
    Bad("no status", "run returned None", command(method("run", "pass")), "mine", 3),
)

# Nothing is wrong but what is printed, and where.
SAME = "return super().samples(*args)"
PRINTING = (
    Bad("samples", "noise", task(method("samples", f"print('noise'); {SAME}")), SAMPLES, 0),
    Bad(
        "a child process",
        "noise",
        task(method("samples", f"import os; os.system('echo noise'); {SAME}")),
        SAMPLES,
        0,
    ),
    Bad("an adapter", "noise", adapter(method("begin", "print('noise')")), MINE, 0),
    Bad("an engine", "noise", engine(method("close", "print('noise')")), MINE, 0),
    Bad("a listener", "noise", hook("print('noise')", "vtg_run_started"), LISTENED, 0),
    Bad("at exit", "noise", "import atexit\natexit.register(print, 'noise')"),
    Bad(
        "an error in a thread",
        "KeyError",
        "import threading\n"
        "def f(): raise KeyError\n"
        "t = threading.Thread(target=f); t.start(); t.join()",
    ),
    Bad("an error in a finalizer", "KeyError", "class A:\n    def __del__(s): raise KeyError\nA()"),
    Bad("an error at exit", "KeyError", "import atexit\natexit.register({}.__getitem__, 1)"),
)
CASES = (*LISTED, *USED, *PRINTING)


def call(folder: Path, args: str) -> subprocess.CompletedProcess[str]:
    """Call `vtg-eval` with the packages of a folder, and a good third party's beside them."""
    fakes.install("fakes", "tests.fakes", folder)
    paths = [str(folder), str(Path(__file__).parents[2])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VTG_EVAL")}
    return subprocess.run(
        [sys.executable, "-c", MAIN, *args.split()],
        cwd=folder,
        env={**kept, "PYTHONPATH": os.pathsep.join(paths), "VTG_EVAL_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def install(case: Bad, folder: Path, name: str) -> None:
    fakes.install(f"entry_{name}", name, folder)
    (folder / f"{name}.py").write_text(case.module)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Call one command with all plug-ins of `LISTED`."""
    folder = tmp_path_factory.mktemp("listed")
    for number, case in enumerate(LISTED):
        install(case, folder, f"bad{number}")
    return call(folder, "tasks --json")


@pytest.mark.parametrize("number", range(len(LISTED)), ids=lambda number: LISTED[number].name)
def test_a_bad_plug_in_is_named_in_one_line(
    listed: subprocess.CompletedProcess[str], number: int
) -> None:
    name = f"the plug-in entry_bad{number} of entry_bad{number}"
    (line,) = [
        line for line in listed.stderr.splitlines() if f"{name}:" in line or f"{name} is" in line
    ]
    assert LISTED[number].outcome in line


def test_the_others_are_used(listed: subprocess.CompletedProcess[str]) -> None:
    assert listed.returncode == 0
    names = {row["name"] for row in json.loads(listed.stdout)}
    assert {"charades_sta", "mvbench", "fake_vtg"} <= names
    assert names.isdisjoint({"part", "twice", "x"})
    assert "Traceback" not in listed.stderr


@pytest.mark.parametrize("case", [*USED, *PRINTING], ids=lambda case: case.name)
def test_a_bad_plug_in_costs_itself_only(case: Bad, tmp_path: Path) -> None:
    install(case, tmp_path, "bad")
    (tmp_path / "worse.py").write_text("import sys; sys.exit(0)\n")
    done = call(tmp_path, case.args)
    assert done.returncode == case.status, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if case.outcome in line]
    if case in USED:
        assert line.count("the plug-in entry_bad of entry_bad") >= 1
        assert done.stderr.count("the plug-in entry_bad of entry_bad:") <= 1
    if done.stdout or case.status == 0:
        assert [json.loads(row) for row in _documents(case, done.stdout)]


def _documents(case: Bad, text: str) -> list[str]:
    return text.splitlines() if case.args == SAMPLES else [text]
