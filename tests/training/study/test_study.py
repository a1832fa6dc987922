"""Studies: what their arms are, that a mistake is named, and tables made of the scores alone."""

from __future__ import annotations

import json
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from vtg_eval.training import cli
from vtg_eval.training.recipe import load_recipe, recipe_text
from vtg_eval.training.shipped import find_recipe, is_study, shipped_recipes, shipped_studies
from vtg_eval.training.study.report import study_report
from vtg_eval.training.study.run import run_study
from vtg_eval.training.study.scores import Scores, read_scores, write_scores
from vtg_eval.training.study.study import Study, load_study

from tests.folder_holder import held_elsewhere
from vtg_eval.errors import UserError
from vtg_eval.files.owned_folder import FolderInUse
from vtg_eval.registry import Registry

TEXT = """
name = "small"
summary = "s"
source = "this test"
baselines = ["one"]
seeds = [3, 5]
[shared.model]
checkpoint = "nano"
[shared.data]
train = ["task:synth_vtg:train:8"]
[shared.sft]
steps = 7
batch = 2
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
    trainings = {training.name: training.recipe for training in study(tmp_path).trainings()}
    assert list(trainings) == ["none", "one-3", "two-3", "one-5", "two-5"]
    assert trainings["none"].sft is None
    one, two = trainings["one-5"], trainings["two-3"]
    assert one.sft and two.sft
    assert (one.sft.steps, one.sft.batch, one.sft.seed, one.data.label_noise) == (7, 2, 5, 0)
    assert (two.sft.steps, two.sft.batch, two.sft.seed, two.data.label_noise) == (9, 2, 3, 0.5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('baselines = ["one"]', 'baselines = ["three"]', "baselines must be names of arms"),
        ("sft = { steps = 9 }", "stf = { steps = 9 }", 'no key "arms[2].stf". Did you mean "sft"'),
        ("steps = 9", "step = 9", 'no key "sft.step". Did you mean "steps"'),
        ("seeds = [3, 5]", "", 'the key "seeds" is missing'),
        ("seeds = [3, 5]", "seeds = []", "seeds not empty"),
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
    budgets = set()
    for training in study.trainings():
        file = tmp_path / "recipe.toml"
        file.write_text(recipe_text(training.recipe))
        assert load_recipe(file) == training.recipe
        sft, rl = training.recipe.sft, training.recipe.rl
        if training.arm.trains:
            budgets.add(
                (sft.steps * sft.batch if sft else 0) + (rl.steps * rl.prompts if rl else 0)
            )
    assert len(budgets) == 1


def test_a_study_is_planned_as_text_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "nano-study"]) == 0
    assert "3 seeds of each arm that trains" in capsys.readouterr().out
    assert cli.main(["plan", "nano-study", "--json"]) == 0
    plans = json.loads(capsys.readouterr().out)
    steps = {arm["arm"]: [s["steps"] for s in arm["plan"]["stages"]] for arm in plans["arms"]}
    assert plans["seeds"] == [0, 1, 2]
    assert (steps["base"], steps["rl-all"], steps["rl-only"]) == ([], [10, 40], [80])
    assert cli.main(["plan", "nano-study", "--devices", "8"]) == 2
    assert "in several terminals" in capsys.readouterr().err


def test_a_training_of_another_process_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, registry, out = study(tmp_path), Registry.discover(), tmp_path / "out"
    with ExitStack() as stack:
        for training in small.trainings():
            stack.enter_context(held_elsewhere(out / training.name))
        with pytest.raises(FolderInUse, match=r"at work on none, one-3, two-3, one-5, two-5\."):
            run_study(small, out, registry)
    assert capsys.readouterr().err.count("another process is running it") == 5


def test_the_tables_are_one_processs_work(tmp_path: Path) -> None:
    small, out = study(tmp_path), tmp_path / "out"
    for training in small.trainings():
        (out / training.name).mkdir(parents=True)
        (out / training.name / "report.md").touch()
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


def scores(shift: float) -> Scores:
    """Two trainings of `one`, two of `two` that are better by `shift` on every sample."""
    values = np.random.default_rng(0).uniform(0.2, 0.6, size=(2, 40)).round(6)
    none = np.full((1, 40), 0.25)
    return Scores(
        splits=("test",) * 40,
        ids=tuple(f"s{n}" for n in range(40)),
        videos=tuple(f"v{n // 2}" for n in range(40)),
        arms=("none", "one", "one", "two", "two"),
        seeds=(3, 3, 5, 3, 5),
        values=np.concatenate([none, values, values + shift]),
    )


def test_scores_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    write_scores(path, scores(0.1))
    loaded = read_scores(path)
    np.testing.assert_allclose(loaded.values, scores(0.1).values, atol=1e-6)
    assert (loaded.ids, loaded.videos, loaded.arms, loaded.seeds) == (
        scores(0.1).ids,
        scores(0.1).videos,
        scores(0.1).arms,
        scores(0.1).seeds,
    )
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="does not hold a study's scores"):
        read_scores(path)


@pytest.mark.parametrize(
    ("shift", "row"),
    [
        (0.1, ["two", "+10.0 [+10.0, +10.0]", "significant"]),
        (0.0, ["two", "+0.0 [+0.0, +0.0]", "1.0000", "not separable"]),
    ],
)
def test_the_table_says_what_differs(tmp_path: Path, shift: float, row: list[str]) -> None:
    page = study_report(study(tmp_path), scores(shift))
    table = page.split("less one")[1]
    line = next(line for line in table.splitlines() if line.startswith("| two"))
    assert all(cell in line for cell in row), line
    assert "| none" in page and "25.0 [25.0, 25.0]" in page
    assert "40 samples on 20 videos" in page


def test_a_score_that_is_no_number_is_a_dash(tmp_path: Path) -> None:
    broken = scores(0.1)
    broken.values[3, 0] = np.nan
    page = study_report(study(tmp_path), broken)
    assert "nan" not in page
    assert "a score is missing" in page


def test_the_committed_tables_are_those_of_the_committed_scores() -> None:
    committed = Path(__file__).parents[3] / "docs" / "nano-study"
    study = load_study(find_recipe("nano-study"))
    page = study_report(study, read_scores(committed / "scores.csv"))
    assert page == (committed / "report.md").read_text(encoding="utf-8")


def test_the_committed_logs_are_those_that_made_them() -> None:
    committed = Path(__file__).parents[3] / "docs" / "nano-study"
    lines = (committed / "logs.sha256").read_text().splitlines()
    digests = {name: digest for digest, name in (line.split("  ") for line in lines)}
    logs = sorted(committed.rglob("log.jsonl"))
    assert len(logs) == sum(name.endswith("log.jsonl") for name in digests) > 0
    for path in logs:
        name = path.relative_to(committed).as_posix()
        assert sha256(path.read_bytes()).hexdigest() == digests[name], name
