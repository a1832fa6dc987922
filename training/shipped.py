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


def find_recipe(reference: str) -> Path:
    """Return the file of a shipped recipe or study by its name, else the file at that path.

    Raises UserError with the nearest name where neither exists.
    """
    shipped = {**shipped_recipes(), **shipped_studies()}
    path = shipped.get(reference, Path(reference))
    if not path.is_file():
        raise UserError(
            f'There is no recipe "{reference}", and no such file. {suggestion(reference, shipped)}'
        )
    return path


def is_study(path: Path) -> bool:
    """Tell whether a file is a study: it has arms."""
    try:
        return "arms" in read_toml(path)
    except UserError:
        return False  # reading it as a recipe then says what is wrong
