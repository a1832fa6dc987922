"""A study: recipes that differ in what is studied, each trained from several seeds.

One TOML file. Under [shared] stand a recipe's tables; an arm has those of model, data and
evaluation, and of the others those that it names, changed where it says so:

    name = "…"
    seeds = [0, 1, 2]
    baselines = ["sft"]          # arms that the others are each compared with
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

EVERY = ("model", "data", "evaluation")  # tables that every arm has; it must name the others
Tables = Mapping[str, Any]  # of a recipe, whole or in part, as TOML has them


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeTables:
    """The tables of a recipe that a study shares, or that an arm has; None: not named."""

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
    """An arm as the file has it."""

    name: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFile:
    """A study as the file has it."""

    name: str
    summary: str
    source: str
    baselines: tuple[str, ...]
    seeds: tuple[Count, ...]
    arms: tuple[ArmTable, ...]
    shared: RecipeTables = RecipeTables()


class Arm(NamedTuple):
    """One way of training. title: in words; recipe: what it does, under the first seed."""

    name: str
    title: str
    recipe: Recipe

    @property
    def trains(self) -> bool:
        """Whether anything is trained: without, one seed is as good as all."""
        return self.recipe.sft is not None or self.recipe.rl is not None


class Training(NamedTuple):
    """One arm from one seed. name: of its folder."""

    arm: Arm
    seed: int
    name: str
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Study:
    """What is compared. baselines: names of arms that all others are each held against."""

    name: str
    summary: str
    source: str
    baselines: tuple[str, ...]
    seeds: tuple[int, ...]
    arms: tuple[Arm, ...]

    def trainings(self) -> Iterator[Training]:
        """Yield all arms from the first seed, then from the second, and so on."""
        for seed in self.seeds:
            for arm in self.arms:
                if arm.trains or seed == self.seeds[0]:
                    recipe = _seeded(arm.recipe, seed)
                    name = f"{arm.name}-{seed}" if arm.trains else arm.name
                    yield Training(arm, seed, name, replace(recipe, name=f"{self.name}/{name}"))


def load_study(path: Path) -> Study:
    """Read a study; raises UserError that names the file, the key and what it must be."""
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
            "arms need names of their own, baselines must be some of them, and seeds not empty"
        )
    return study


def _arm(arm: ArmTable, file: StudyFile) -> Arm:
    recipe: dict[str, Any] = {"name": arm.name, "summary": arm.title, "source": file.source}
    for part in (part.name for part in fields(RecipeTables)):
        shared, changes = getattr(file.shared, part), getattr(arm, part)
        if part in EVERY or changes is not None:
            recipe[part] = {**(shared or {}), **(changes or {})}
    try:
        return Arm(arm.name, arm.title, make_recipe(recipe))
    except UserError as exc:
        raise UserError(f'the arm "{arm.name}": {exc}') from exc


def _seeded(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe with that seed in each of its stages."""
    return replace(
        recipe,
        sft=recipe.sft and replace(recipe.sft, seed=seed),
        selection=recipe.selection and replace(recipe.selection, seed=seed),
        rl=recipe.rl and replace(recipe.rl, seed=seed),
    )
