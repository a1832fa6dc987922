"""The import rules of the four plug-in folders and of the core."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = [
    name
    for name in ("tasks", "model_adapters", "training", "leaderboard")
    if (ROOT / name).is_dir()
]
HEAVY = ("torch", "transformers", "vllm", "decord", "safetensors", "torchvision")
CORE_COMMANDS = (
    ["--help"],
    ["tasks"],
    ["protocols"],
    ["plugins"],
    ["run", "--help"],
    ["score", "--help"],
    ["compare", "--help"],
    ["samples", "--help"],
    ["data", "--help"],
    ["leaderboard", "--help"],
)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each imported module with the number of dots before it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level
            yield from ((f"{node.module}.{alias.name}", node.level) for alias in node.names)


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", modules("vtg_eval"), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_harness_knows_no_plug_in_folder(path: Path) -> None:
    names = {name for name, _ in imports(path)}
    forbidden = {f"vtg_eval.{folder}" for folder in FOLDERS} | set(FOLDERS)
    assert not {name for name in names if name in forbidden or _inside(name, forbidden)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_plug_in_folders_do_not_know_one_another(folder: str) -> None:
    others = set(FOLDERS) - {folder}
    forbidden = {f"vtg_eval.{other}" for other in others} | others | {folder}
    for path in modules(folder):
        for name, dots in imports(path):
            depth = len(path.relative_to(ROOT / folder).parts)
            assert dots <= depth, f"{path}: a relative import out of {folder}"
            if not dots:
                assert not _inside(name, forbidden) and name not in forbidden, f"{path}: {name}"


@pytest.mark.parametrize("folder", ["vtg_eval", *FOLDERS])
def test_a_module_stays_under_300_lines(folder: str) -> None:
    long = {str(p): n for p in modules(folder) if (n := len(p.read_text().splitlines())) >= 300}
    assert long == {}


@pytest.mark.parametrize("words", CORE_COMMANDS, ids=" ".join)
def test_core_commands_import_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from vtg_eval.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        f"print('loaded', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "loaded []"


def _inside(name: str, packages: set[str]) -> bool:
    return any(name.startswith(f"{package}.") for package in packages)
