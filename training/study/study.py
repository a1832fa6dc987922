"""A study: recipes that differ in the settings under study, each trained from several seeds.

It is one TOML file. [shared] has the tables of a recipe. Every arm has the tables model, data and
evaluation, and of the other tables those that it names. An arm's own values replace shared ones:

    name = "…"
    seeds = [0, 1, 2]
    baselines = ["sft"]          # the other arms are compared with each of these
    [shared.model]
    checkpoint = "…"
    [shared.sft]
    batch = 16
    [[arms]]
    name = "sft"
    title = "fine-tuning alone"
    sft = { steps = 60 }
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from vtg_eval.errors import UserError
from vtg_eval.files.toml_tables import converted, load_toml

from ..recipe import Count, Recipe, make_recipe

ALWAYS = ("model", "data", "evaluation")  # tables of every arm; it must name the others
Tables = Mapping[str, Any]  # TOML tables of a recipe, possibly without some keys


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeTables:
    """Tables of a recipe, shared or of an arm; None: not named."""

    model: Tables | None = None
    data: Tables | None = None
    evaluation: Tables | None = None
    curation: Tables | None = None
    sft: Tables | None = None
    difficulty: Tables | None = None
    selection: Tables | None = None
    rewards: Tables | None = None
    rl: Tables | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTable(RecipeTables):
    """An arm in the file."""

    name: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFile:
    """A study in the file."""

    name: str
    summary: str
    source: str
    baselines: tuple[str, ...]
    seeds: tuple[Count, ...]
    arms: tuple[ArmTable, ...]
    shared: RecipeTables = RecipeTables()


class Arm(NamedTuple):
    """One way of training. title: a description; recipe: with its own seed, see `trainings`."""

    name: str
    title: str
    recipe: Recipe

    @property
    def trains(self) -> bool:
        """Whether any stage trains; otherwise all seeds give the same."""
        return self.recipe.sft is not None or self.recipe.rl is not None


class Training(NamedTuple):
    """One arm with one seed. name: of its folder."""

    arm: Arm
    seed: int
    name: str
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Study:
    """A study. baselines: names of arms that all others are compared with."""

    name: str
    summary: str
    source: str
    baselines: tuple[str, ...]
    seeds: tuple[int, ...]
    arms: tuple[Arm, ...]

    def trainings(self) -> Iterator[Training]:
        """Yield all arms with the first seed, then with the second, and so on."""
        for seed in self.seeds:
            for arm in self.arms:
                if arm.trains or seed == self.seeds[0]:
                    recipe = _seeded(arm.recipe, seed)
                    name = f"{arm.name}-{seed}" if arm.trains else arm.name
                    yield Training(arm, seed, name, replace(recipe, name=f"{self.name}/{name}"))


def load_study(path: Path) -> Study:
    """Read a study; raises UserError that names the file, the key and the values it may have."""
    return load_toml(path, "a study", _study)


def _study(table: Mapping[str, Any]) -> Study:
    file = converted(table, StudyFile)
    study = Study(
        name=file.name,
        summary=file.summary,
        source=file.source,
        baselines=file.baselines,
        seeds=file.seeds,
        arms=tuple(_arm(arm, file) for arm in file.arms),
    )
    names = [arm.name for arm in study.arms]
    if len(set(names)) < len(names) or set(study.baselines) - set(names) or not study.seeds:
        raise UserError(
            "arms need different names, baselines must be names of arms, and seeds not empty"
        )
    return study


def _arm(arm: ArmTable, file: StudyFile) -> Arm:
    recipe: dict[str, Any] = {"name": arm.name, "summary": arm.title, "source": file.source}
    for part in (part.name for part in fields(RecipeTables)):
        shared, changes = getattr(file.shared, part), getattr(arm, part)
        if part in ALWAYS or changes is not None:
            recipe[part] = {**(shared or {}), **(changes or {})}
    try:
        return Arm(arm.name, arm.title, make_recipe(recipe))
    except UserError as exc:
        raise UserError(f'the arm "{arm.name}": {exc}') from exc


def _seeded(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe with the seed in each stage."""
    return replace(
        recipe,
        sft=recipe.sft and replace(recipe.sft, seed=seed),
        selection=recipe.selection and replace(recipe.selection, seed=seed),
        rl=recipe.rl and replace(recipe.rl, seed=seed),
    )
