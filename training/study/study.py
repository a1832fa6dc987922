"""A study: recipes that differ in the settings under study, each trained from several seeds.

It is one TOML file. [shared] has the tables of a recipe. Every arm has the tables model, data and
evaluation, and of the other tables those that it names. An arm's own values replace shared ones:

    name = "…"
    seeds = [0, 1, 2]
    primary = [["both", "sft"]]  # contrasts: the first arm less the second
    [shared.model]
    checkpoint = "…"
    [shared.sft]
    batch = 16
    [start]                      # optional: a recipe that makes the checkpoint of all arms
    sft = { steps = 40 }
    [tuning]                     # optional: tries for each arm, with a seed of their own
    seed = 100
    tasks = ["synth_long:val"]   # the best mean score chooses
    [[tuning.tries]]
    name = "low"
    sft = { learning_rate = 1e-4 }
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

from ..recipe import Count, EvaluationRule, Recipe, Share, make_recipe

ALWAYS = ("model", "data", "evaluation")  # tables of every arm; it must name the others
START = "start"  # the training that makes the checkpoint of all arms
Tables = Mapping[str, Any]  # TOML tables of a recipe, possibly without some keys
Contrast = tuple[str, str]  # names of two arms: the first less the second


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
class TryTable(RecipeTables):
    """A try in the file: values for the stages that an arm has."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningTable:
    """The tries of each arm in the file."""

    seed: Count
    tasks: tuple[str, ...]
    tries: tuple[TryTable, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """What must hold of an arm that does not train, for the study to ask its question.

    constant_groups: more than this share of its rated samples has answers with one reward only.
    well_formed: less than this share of its answers is read by the parser.
    """

    arm: str
    constant_groups: Share
    well_formed: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFile:
    """A study in the file."""

    name: str
    summary: str
    source: str
    seeds: tuple[Count, ...]
    arms: tuple[ArmTable, ...]
    primary: tuple[Contrast, ...] = ()
    secondary: tuple[Contrast, ...] = ()
    shared: RecipeTables = RecipeTables()
    start: RecipeTables | None = None
    tuning: TuningTable | None = None
    gate: Gate | None = None
    notes: tuple[str, ...] = ()


class Arm(NamedTuple):
    """One way of training. title: a description; tries: the recipes to choose from, by the name of
    the try, with their own seed, see `trainings`. Without tuning it is one try without a name.
    """

    name: str
    title: str
    tries: Mapping[str, Recipe]

    @property
    def recipe(self) -> Recipe:
        """The recipe of the first try."""
        return next(iter(self.tries.values()))

    @property
    def trains(self) -> bool:
        """Whether any stage trains; otherwise all seeds give the same."""
        return self.recipe.sft is not None or self.recipe.rl is not None


class Training(NamedTuple):
    """One arm with one seed. name: of its folder; tried: the name of its try."""

    arm: Arm
    seed: int
    name: str
    recipe: Recipe
    tried: str


@dataclass(frozen=True, slots=True)
class Study:
    """A study. primary, secondary: the contrasts that are tested, each kind as a family; start:
    makes the checkpoint of all arms; tuning: the tries' seed and tasks; notes: paragraphs of the
    page, in Markdown.
    """

    name: str
    summary: str
    source: str
    seeds: tuple[int, ...]
    arms: tuple[Arm, ...]
    primary: tuple[Contrast, ...] = ()
    secondary: tuple[Contrast, ...] = ()
    start: Recipe | None = None
    tuning: TuningTable | None = None
    gate: Gate | None = None
    notes: tuple[str, ...] = ()

    def tuning_trainings(self) -> Iterator[Training]:
        """Yield each try of each arm that trains."""
        if self.tuning is None:
            return
        for arm in self.arms:
            for tried, recipe in arm.tries.items() if arm.trains else ():
                rule = recipe.evaluation or EvaluationRule()
                rule = replace(rule, tasks=self.tuning.tasks, start=False)
                name = f"tuning-{arm.name}-{tried}"
                yield self._training(arm, self.tuning.seed, name, tried, evaluation=rule)

    def trainings(self, chosen: Mapping[str, str]) -> Iterator[Training]:
        """Yield all arms with the first seed, then with the second, and so on.

        chosen: the name of the try that each arm is trained with; else its first.
        """
        for seed in self.seeds:
            for arm in self.arms:
                if arm.trains or seed == self.seeds[0]:
                    name = f"{arm.name}-{seed}" if arm.trains else arm.name
                    yield self._training(
                        arm, seed, name, chosen.get(arm.name, next(iter(arm.tries)))
                    )

    def _training(self, arm: Arm, seed: int, name: str, tried: str, **changes: Any) -> Training:
        recipe = replace(_seeded(arm.tries[tried], seed), name=f"{self.name}/{name}", **changes)
        return Training(arm, seed, name, recipe, tried)


def load_study(path: Path) -> Study:
    """Read a study; raises UserError that names the file, the key and the values it may have."""
    return load_toml(path, "a study", _study)


def _study(table: Mapping[str, Any]) -> Study:
    file = converted(table, StudyFile)
    names = [arm.name for arm in file.arms]
    compared = {name for contrast in (*file.primary, *file.secondary) for name in contrast}
    compared |= {file.gate.arm} if file.gate else set()
    if len(set(names)) < len(names) or compared - set(names) or not file.seeds:
        raise UserError(
            "arms need different names, contrasts and the gate must name arms, and seeds must not "
            "be empty"
        )
    if file.tuning is not None:
        _check_tuning(file.tuning, file.seeds)
    return Study(
        name=file.name,
        summary=file.summary,
        source=file.source,
        seeds=file.seeds,
        arms=tuple(_arm(arm, file) for arm in file.arms),
        primary=file.primary,
        secondary=file.secondary,
        start=None if file.start is None else _start(file.start, file),
        tuning=file.tuning,
        gate=file.gate,
        notes=file.notes,
    )


def _check_tuning(tuning: TuningTable, seeds: tuple[int, ...]) -> None:
    names = [tried.name for tried in tuning.tries]
    if len(set(names)) < len(names) or not names or not tuning.tasks or tuning.seed in seeds:
        raise UserError(
            "tuning needs tasks, tries of different names, and a seed that is not among the study's"
        )


def _arm(arm: ArmTable, file: StudyFile) -> Arm:
    named = _tables(arm)
    tables = {part: named.get(part, {}) for part in (*ALWAYS, *named)}
    tries = file.tuning.tries if file.tuning else (TryTable(name=""),)
    recipes = {}
    for tried in tries:
        changes = {part: table for part, table in _tables(tried).items() if part in tables}
        parts = _merged(_tables(file.shared), tables, changes)
        heading = {"name": arm.name, "summary": arm.title, "source": file.source}
        try:
            recipes[tried.name] = make_recipe({**heading, **parts})
        except UserError as exc:
            raise UserError(f'the arm "{arm.name}": {exc}') from exc
    return Arm(arm.name, arm.title, recipes)


def _start(start: RecipeTables, file: StudyFile) -> Recipe:
    shared = {"model": file.shared.model or {}}
    heading = {"name": f"{file.name}/{START}", "summary": "start checkpoint", "source": file.source}
    recipe = make_recipe({**heading, **_merged(shared, {"model": {}}, _tables(start))})
    if recipe.sft is None or recipe.rl is not None:
        raise UserError('the table "start" needs sft, and no rl')
    return recipe


def _merged(*tables: Mapping[str, Tables]) -> dict[str, Tables]:
    """Return the parts that any but the first names; values of later ones replace earlier ones."""
    parts = dict.fromkeys(part for table in tables[1:] for part in table)
    return {
        part: {key: value for table in tables for key, value in table.get(part, {}).items()}
        for part in parts
    }


def _tables(tables: RecipeTables) -> dict[str, Tables]:
    """Return the tables that are named."""
    named = ((part.name, getattr(tables, part.name)) for part in fields(RecipeTables))
    return {name: table for name, table in named if table is not None}


def _seeded(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe with the seed in each stage."""
    return replace(
        recipe,
        sft=recipe.sft and replace(recipe.sft, seed=seed),
        selection=recipe.selection and replace(recipe.selection, seed=seed),
        rl=recipe.rl and replace(recipe.rl, seed=seed),
    )
