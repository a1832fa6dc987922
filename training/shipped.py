"""The files that ship with this package: recipes, studies, and configurations for accelerate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vtg_eval.errors import UserError, suggestion
from vtg_eval.files.toml_tables import read_toml

RECIPES = Path(__file__).parent / "recipes"
STUDIES = Path(__file__).parent / "studies"
LAUNCH = Path(__file__).parent / "launch"


def shipped_recipes() -> Mapping[str, Path]:
    """Return the file of each recipe by its name."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.toml"))}


def shipped_studies() -> Mapping[str, Path]:
    """Return the file of each study by its name."""
    return {path.stem: path for path in sorted(STUDIES.glob("*.toml"))}


def find_recipe(word: str) -> Path:
    """Return the file of a shipped recipe's or study's name, or the path that `word` is.

    Raises UserError with the nearest name.
    """
    shipped = {**shipped_recipes(), **shipped_studies()}
    path = shipped.get(word, Path(word))
    if not path.is_file():
        raise UserError(
            f'There is no recipe "{word}", and no such file. {suggestion(word, shipped)}'
        )
    return path


def is_study(path: Path) -> bool:
    """Tell whether a file holds a study: it has arms."""
    try:
        return "arms" in read_toml(path)
    except UserError:
        return False  # whoever reads it as a recipe says what is wrong
