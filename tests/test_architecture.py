"""The rooms and their order, and the import rules of the four plug-in folders."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from vtg_eval.leaderboard import vtg_commands

from vtg_eval.cli import COMMANDS

ROOT = Path(__file__).parents[1]
PLUGIN_FOLDERS = ("tasks", "model_adapters", "training", "leaderboard")

# Modules that a plug-in imports are at the top of vtg_eval/; everything else has a room.
PLUGIN_CONTRACT = {
    *("types", "errors", "failures", "hookspecs", "registry"),
    *("protocol", "profile", "task", "adapter", "question"),
}
# From the bottom up. A module imports from its own room and from those before it.
ORDER: Mapping[str, tuple[str, ...]] = {
    "vtg_eval": (
        *("errors", "console", "failures", "types", "hookspecs", "statistics", "files", "protocol"),
        *("profile", "question", "metrics", "parsing", "video", "task", "annotations", "probe"),
        *("scoring", "plugins", "registry", "engines", "data", "adapter", "model_input"),
        *("checkpoint", "run", "doctor", "comparison", "report", "api", "cli"),
    ),
    "training": (
        *("shipped", "recipe", "data", "trainers", "workspace", "plan", "rollouts"),
        *("difficulty", "evaluation", "run_report", "pipeline", "study", "nano", "cli"),
    ),
}
PACKAGE = {"vtg_eval": "vtg_eval", **{name: f"vtg_eval.{name}" for name in PLUGIN_FOLDERS}}

HEAVY = ("torch", "transformers", "vllm", "decord", "safetensors", "torchvision", "ray")
QUICK_COMMANDS = (
    ["--help"],
    *([entry.name, "--help"] for entry in (*COMMANDS, *vtg_commands())),
    *([name] for name in ("tasks", "protocols", "profiles", "plugins")),
)


def modules_loaded_by(args: list[str]) -> set[str]:
    """Return the modules that a process has imported after one command."""
    code = (
        "import sys; from vtg_eval.cli import main\n"
        f"try: main({args!r})\nexcept SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


def sources(folder: str) -> dict[Path, str]:
    """Return the text of each module below a folder of the repository, by relative path."""
    top = ROOT / folder
    return {p.relative_to(top): p.read_text(encoding="utf-8") for p in sorted(top.rglob("*.py"))}


def imports(package: str, path: Path, text: str) -> Iterator[str]:
    """Yield the full dotted name of each import of a module, also within functions.

    path: relative to the folder of `package`.
    """
    inside = [*package.split("."), *path.parts[:-1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = inside[: len(inside) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    """Return the room of a module: its folder, or its own name at the top."""
    return path.parts[0] if len(path.parts) > 1 else path.stem


def upward_imports(package: str, order: tuple[str, ...], modules: Mapping[Path, str]) -> list[str]:
    """Return each import that leads from a room to a later one, as "run/plan.py: report"."""
    floor = {name: number for number, name in enumerate(order)}
    return [
        f"{path}: {target}"
        for path, text in modules.items()
        if path.name != "__init__.py" or len(path.parts) > 1
        for name in imports(package, path, text)
        if name.startswith(f"{package}.")
        and (target := name.removeprefix(f"{package}.").split(".")[0]) in floor
        and floor[target] > floor[room(path)]
    ]


@pytest.mark.parametrize("folder", ORDER)
def test_imports_run_down(folder: str) -> None:
    assert upward_imports(PACKAGE[folder], ORDER[folder], sources(folder)) == []


@pytest.mark.parametrize(
    "line",
    [
        "from vtg_eval.report.tables import table",
        "from vtg_eval import report",
        "import vtg_eval.report.tables",
        "from ..report import tables",
        "def late():\n    from vtg_eval.report import tables",
    ],
)
def test_an_upward_import_is_detected(line: str) -> None:
    modules = {Path("run/plan.py"): line, Path("cli/run.py"): line}
    assert upward_imports("vtg_eval", ORDER["vtg_eval"], modules) == ["run/plan.py: report"]


@pytest.mark.parametrize("folder", ORDER)
def test_every_room_is_in_the_order(folder: str) -> None:
    rooms = {room(path) for path in sources(folder)} - {"__init__"}
    assert rooms == set(ORDER[folder])


def test_the_top_of_the_harness_is_what_a_plug_in_imports() -> None:
    top = {path.stem for path in sources("vtg_eval") if len(path.parts) == 1}
    assert top - {"__init__"} == PLUGIN_CONTRACT


def test_the_page_of_the_architecture_has_the_rooms_in_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tables = {f"`{folder}/`": list(reversed(order)) for folder, order in ORDER.items()}
    for heading, rooms in {**tables, "Plug-in folders": list(PLUGIN_FOLDERS)}.items():
        section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", section, flags=re.MULTILINE)
        assert rows == rooms, heading


def test_the_harness_imports_no_plug_in_folder() -> None:
    for path, text in sources("vtg_eval").items():
        for name in imports("vtg_eval", path, text):
            assert not _inside(name, {PACKAGE[folder] for folder in PLUGIN_FOLDERS}), path


@pytest.mark.parametrize("folder", PLUGIN_FOLDERS)
def test_plug_in_folders_do_not_import_one_another(folder: str) -> None:
    others = set(PLUGIN_FOLDERS) - {folder}
    for path, text in sources(folder).items():
        for name in imports(PACKAGE[folder], path, text):
            assert not _inside(name, {PACKAGE[other] for other in others} | set(PLUGIN_FOLDERS)), (
                f"{path}: {name}"
            )


@pytest.mark.parametrize("folder", PLUGIN_FOLDERS)
def test_siblings_in_a_plug_in_folder_are_imported_relatively(folder: str) -> None:
    for path, text in sources(folder).items():
        absolute = [
            node.module
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ImportFrom) and not node.level and node.module
        ]
        assert not [name for name in absolute if _inside(name, {PACKAGE[folder]})], path


def test_mypy_checks_every_module() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    done = subprocess.run(
        ["git", "ls-files", "*.py"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert {path.split("/")[0] for path in done.stdout.splitlines()} == set(settings["files"])
    assert "exclude" not in settings


@pytest.mark.parametrize("args", QUICK_COMMANDS, ids=" ".join)
def test_commands_that_compute_nothing_import_neither_arrays_nor_any_task(args: list[str]) -> None:
    loaded = modules_loaded_by(args)
    assert "vtg_eval.tasks" in loaded  # the plug-ins are discovered, what they name is not loaded
    assert not loaded & {"numpy", "av", "tqdm", *HEAVY}
    assert not [name for name in loaded if re.match(r"vtg_eval\.(tasks|model_adapters)\.", name)]


def _inside(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
