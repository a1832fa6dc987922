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

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from vtg_eval.errors import UserError

from ..recipe import Recipe, make_recipe

EVERY = ("model", "data", "evaluation")  # tables that every arm has
NAMED = ("curation", "sft", "difficulty", "selection", "rewards", "rl")  # that it must name
KEYS = ("name", "title", *EVERY, *NAMED)

Tables = Mapping[str, Any]  # a recipe's tables, as TOML has them


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
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        study = _study(table)
    except OSError as exc:
        raise UserError(f"The study {path} cannot be read: {exc.strerror}.") from exc
    except KeyError as exc:
        raise UserError(f"{path}: not a study: the key {exc} is missing") from exc
    except (ValueError, TypeError, RecursionError, UserError) as exc:  # not TOML, not UTF-8
        raise UserError(f"{path}: not a study: {exc}") from exc
    return study


def _study(table: Mapping[str, Any]) -> Study:
    shared, source = table.get("shared", {}), table["source"]
    study = Study(
        name=table["name"],
        summary=table["summary"],
        source=source,
        baselines=tuple(table["baselines"]),
        seeds=tuple(int(seed) for seed in table["seeds"]),
        arms=tuple(_arm(row, shared, source) for row in table["arms"]),
    )
    names = [arm.name for arm in study.arms]
    if len(set(names)) < len(names) or set(study.baselines) - set(names) or not study.seeds:
        raise UserError(
            "arms need names of their own, baselines must be some of them, and seeds not empty"
        )
    return study


def _arm(row: Mapping[str, Any], shared: Tables, source: str) -> Arm:
    name, title = row["name"], row["title"]
    unknown = set(row) - set(KEYS)
    if unknown:
        raise UserError(f'the arm "{name}" has a key "{min(unknown)}"; known: {", ".join(KEYS)}')
    parts = [part for part in (*EVERY, *NAMED) if part in EVERY or part in row]
    tables = {part: {**shared.get(part, {}), **row.get(part, {})} for part in parts}
    return Arm(
        name, title, make_recipe({"name": name, "summary": title, "source": source} | tables)
    )


def _seeded(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe with that seed in each of its stages."""
    return replace(
        recipe,
        sft=recipe.sft and replace(recipe.sft, seed=seed),
        selection=recipe.selection and replace(recipe.selection, seed=seed),
        rl=recipe.rl and replace(recipe.rl, seed=seed),
    )
