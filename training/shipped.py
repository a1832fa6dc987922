"""The files that ship with this package: recipes, and configurations for accelerate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.names import nearest

RECIPES = Path(__file__).parent / "recipes"
LAUNCH = Path(__file__).parent / "launch"


def shipped_recipes() -> Mapping[str, Path]:
    """Return the file of each recipe by its name."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.toml"))}


def find_recipe(word: str) -> Path:
    """Return the file of a shipped recipe's name, or the path that `word` is.

    Raises UserError with the nearest name.
    """
    shipped = shipped_recipes()
    path = shipped.get(word, Path(word))
    if not path.is_file():
        raise UserError(f'There is no recipe "{word}", and no such file. {nearest(word, shipped)}')
    return path
