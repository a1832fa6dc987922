"""Studies: what their arms and tries are, that a mistake is named, and who runs what."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest
from vtg_eval.training import cli
from vtg_eval.training.recipe import load_recipe, recipe_text
from vtg_eval.training.shipped import find_recipe, is_study, shipped_recipes, shipped_studies
from vtg_eval.training.study.run import run_study
from vtg_eval.training.study.study import Study, load_study
from vtg_eval.training.study.tuning import TryScore, chosen_tries, read_tries, write_tries

from tests.folder_holder import held_elsewhere
from vtg_eval.errors import UserError
from vtg_eval.files.owned_folder import FolderInUse
from vtg_eval.registry import Registry

TEXT = """
name = "small"
summary = "s"
source = "this test"
primary = [["two", "one"]]
seeds = [3, 5]
[shared.model]
checkpoint = "nano"
[shared.data]
train = ["task:synth_vtg:train:8"]
[shared.sft]
steps = 7
batch = 2
[start]
data = { train = ["task:synth_vtg:train:9"] }
sft = { steps = 4, free_form = 0.5 }
[gate]
arm = "none"
constant_groups = 0.6
well_formed = 0.2
[tuning]
seed = 9
tasks = ["synth_long:val"]
[[tuning.tries]]
name = "low"
sft = { learning_rate = 1e-4 }
rl = { learning_rate = 1e-5 }
[[tuning.tries]]
name = "high"
sft = { learning_rate = 1e-3 }
[[arms]]
name = "none"
title = "nothing is trained"
[[arms]]
name = "one"
title = "as shared"
sft = {}
[[arms]]
name = "two"
title = "other steps, wrong labels"
data = { label_noise = 0.5 }
sft = { steps = 9 }
"""


def study(tmp_path: Path, text: str = TEXT) -> Study:
    path = tmp_path / "study.toml"
    path.write_text(text)
    return load_study(path)


def test_arms_are_the_shared_tables_with_their_own_values(tmp_path: Path) -> None:
    trainings = {training.name: training.recipe for training in study(tmp_path).trainings({})}
    assert list(trainings) == ["none", "one-3", "two-3", "one-5", "two-5"]
    assert trainings["none"].sft is None
    one, two = trainings["one-5"], trainings["two-3"]
    assert one.sft and two.sft
    assert (one.sft.steps, one.sft.batch, one.sft.seed, one.data.label_noise) == (7, 2, 5, 0)
    assert (two.sft.steps, two.sft.batch, two.sft.seed, two.data.label_noise) == (9, 2, 3, 0.5)


def test_each_arm_that_trains_has_the_same_tries(tmp_path: Path) -> None:
    small = study(tmp_path)
    tries = {training.name: training for training in small.tuning_trainings()}
    names = ["tuning-one-low", "tuning-one-high", "tuning-two-low", "tuning-two-high"]
    assert list(tries) == names
    assert [t.recipe.sft and t.recipe.sft.learning_rate for t in tries.values()] == [
        1e-4,
        1e-3,
    ] * 2
    for training in tries.values():
        recipe = training.recipe
        assert recipe.sft and recipe.evaluation
        assert (recipe.sft.seed, recipe.evaluation.tasks) == (9, ("synth_long:val",))
    chosen = {t.name: t.recipe for t in small.trainings({"two": "high"})}
    rates = [chosen[name].sft.learning_rate for name in ("one-3", "two-3")]
    assert rates == [1e-4, 1e-3]


def test_the_best_try_is_chosen_and_the_first_of_equal_ones(tmp_path: Path) -> None:
    tries = [
        TryScore("one", "low", 0.5),
        TryScore("one", "high", 0.5),
        TryScore("two", "low", 0.2),
        TryScore("two", "high", 0.3),
    ]
    assert chosen_tries(tries) == {"one": "low", "two": "high"}
    path = tmp_path / "tries.csv"
    write_tries(path, tries)
    assert read_tries(path) == tries
    path.write_text("a,b\n")
    with pytest.raises(UserError, match="does not hold a study's tries"):
        read_tries(path)


def test_the_start_checkpoint_has_its_own_data_and_the_shared_model(tmp_path: Path) -> None:
    start = study(tmp_path).start
    assert start and start.sft
    assert (start.model.checkpoint, start.sft.steps, start.sft.batch) == ("nano", 4, 128)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"two", "one"', '"two", "three"', "contrasts and the gate must name arms"),
        ('arm = "none"', 'arm = "three"', "contrasts and the gate must name arms"),
        ("seed = 9", "seed = 3", "a seed that is not among the study's"),
        ('name = "high"', 'name = "low"', "tries of different names"),
        ("sft = { steps = 4, free_form = 0.5 }", "", 'the table "start" needs sft'),
        ("sft = { steps = 9 }", "stf = { steps = 9 }", 'no key "arms[2].stf". Did you mean "sft"'),
        ("steps = 9", "step = 9", 'no key "sft.step". Did you mean "steps"'),
        ("seeds = [3, 5]", "", 'the key "seeds" is missing'),
        ("seeds = [3, 5]", "seeds = []", "seeds must not be empty"),
        ('name = "two"', 'name = "one"', "different names"),
        ("seeds = [3, 5]", 'seeds = ["3"]', "seeds[0] is '3'; it must be a whole number"),
        ("[shared.sft]", "[shared.stf]", 'no key "shared.stf". Did you mean "sft"'),
        ("steps = 9", "steps = 0", 'the arm "two": sft.steps is 0'),
        ("sft = {}", "sft = 3", "arms[1].sft is 3; it must be a table"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UserError, match=r"study\.toml: not a study") as caught:
        study(tmp_path, TEXT.replace(old, new))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", shipped_studies())
def test_shipped_studies_are_whole_and_their_recipes_can_be_written_down(
    name: str, tmp_path: Path
) -> None:
    path = find_recipe(name)
    assert is_study(path)
    study = load_study(path)
    assert study.name == name
    trainings = [*study.tuning_trainings(), *study.trainings({})]
    assert len({training.name for training in trainings}) == len(trainings)
    for training in trainings:
        file = tmp_path / "recipe.toml"
        file.write_text(recipe_text(training.recipe))
        assert load_recipe(file) == training.recipe


def test_the_arms_of_nano_study_are_those_of_its_design() -> None:
    """Each arm's labelled samples for SFT, prompts for RL, and answers, rated ones included."""
    spent = {}
    for arm in load_study(find_recipe("nano-study")).arms:
        sft, rl, rated = arm.recipe.sft, arm.recipe.rl, arm.recipe.difficulty
        spent[arm.name] = (
            sft.steps * sft.batch if sft else 0,
            rl.steps * rl.prompts if rl else 0,
            (rl.steps * rl.prompts * rl.group if rl else 0)
            + (rated.limit * rated.rollouts if rated and arm.trains else 0),
        )
    both, window = (64, 64, 512), (64, 64, 1024)
    assert spent == {
        "base": (0, 0, 0),
        "sft": (128, 0, 0),
        "rl": (0, 128, 1024),
        "sft-rl": both,
        "sft-rl-window": window,
        "sft-rl-matched": (64, 128, 1024),
        "noisy": both,
        "noisy-window": window,
    }


def test_a_study_is_planned_as_text_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "nano-study"]) == 0
    assert "8 seeds of each arm that trains" in capsys.readouterr().out
    assert cli.main(["plan", "nano-study", "--json"]) == 0
    plans = json.loads(capsys.readouterr().out)
    steps = {arm["arm"]: [s["steps"] for s in arm["plan"]["stages"]] for arm in plans["arms"]}
    assert plans["seeds"] == list(range(8))
    assert (steps["rl"], steps["sft-rl"], steps["sft-rl-matched"]) == ([32], [8, 16], [8, 32])
    assert cli.main(["plan", "nano-study", "--devices", "8"]) == 2
    assert "in several terminals" in capsys.readouterr().err


def finished(folder: Path, trainings: Iterable[str]) -> None:
    """Mark trainings as finished."""
    for name in trainings:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "report.md").touch()


def test_a_training_of_another_process_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, registry, out = study(tmp_path), Registry.discover(), tmp_path / "out"
    with held_elsewhere(out / "start"), pytest.raises(FolderInUse, match=r"at work on start\."):
        run_study(small, out, registry)
    finished(out, ["start"])
    with ExitStack() as stack:
        for training in small.tuning_trainings():
            stack.enter_context(held_elsewhere(out / training.name))
        with pytest.raises(FolderInUse, match=r"at work on tuning-one-low, .*tuning-two-high"):
            run_study(small, out, registry)
    assert capsys.readouterr().err.count("another process is running it") == 4


def test_the_tables_are_one_processs_work(tmp_path: Path) -> None:
    plain = TEXT[: TEXT.index("[start]")] + TEXT[TEXT.index("[[arms]]") :]
    small, out = study(tmp_path, plain), tmp_path / "out"
    finished(out, [training.name for training in small.trainings({})])
    with held_elsewhere(out), pytest.raises(FolderInUse, match="at work in"):
        run_study(small, out, Registry.discover())


def test_a_folder_of_something_else_is_no_studys(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"is no folder of this study, but holds thesis\.tex"):
        run_study(study(tmp_path), out, Registry.discover())
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]


def test_recipes_are_no_studies() -> None:
    assert not any(map(is_study, shipped_recipes().values()))
