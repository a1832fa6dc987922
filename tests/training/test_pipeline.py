"""The whole recipe: every stage once, killed and resumed, another recipe refused."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from vtg_eval.training import cli
from vtg_eval.training.data.sample import TrainingSample, write_samples
from vtg_eval.training.evaluation import scored
from vtg_eval.training.pipeline import run_recipe, steps
from vtg_eval.training.plan.plan import Hardware, StagePlan, TrainingPlan, plan
from vtg_eval.training.recipe import CurationRule, DataRule, ModelRule, Recipe, SftRule, load_recipe
from vtg_eval.training.shipped import find_recipe
from vtg_eval.training.workspace import Workspace

from tests.folder_holder import held_elsewhere
from tests.video_files import write_clock
from vtg_eval.errors import UserError
from vtg_eval.files.owned_folder import FolderInUse
from vtg_eval.registry import Registry
from vtg_eval.types import Span

REGISTRY = Registry.discover()
PLAN = TrainingPlan("tiny", "nano", 0, "single", 1, 1, 0, 0, ())
STAGES = ["curate", "sft", "difficulty", "rl", "evaluation"]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A recipe that has data only."""
    (tmp_path / "videos").mkdir()
    write_clock(tmp_path / "videos" / "a.mp4", frames=24, rate=12, height=64, width=64)
    spans = (Span(0.5, 1.5),)
    samples = [TrainingSample(f"{n}", "a.mp4", f"query {n}", spans, "test") for n in range(3)]
    write_samples(tmp_path / "data.jsonl", samples)
    data = DataRule((str(tmp_path / "data.jsonl"),), videos=str(tmp_path / "videos"))
    return Workspace(Recipe("tiny", "a test", "none", ModelRule("nano"), data), tmp_path / "out")


def test_a_stage_that_is_done_is_not_done_again(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    report = run_recipe(workspace, PLAN, REGISTRY)
    assert "0 of 3 samples" in report.read_text()
    first = workspace.data.stat().st_mtime_ns
    assert run_recipe(workspace, PLAN, REGISTRY) == report
    assert workspace.data.stat().st_mtime_ns == first
    assert "curate: done before" in capsys.readouterr().err


def test_another_recipe_is_refused_with_what_differs_before_anything_is_done(
    workspace: Workspace,
) -> None:
    run_recipe(workspace, PLAN, REGISTRY)
    before = {path: path.read_bytes() for path in workspace.folder.iterdir()}
    other = replace(workspace.recipe, curation=CurationRule(duplicates=False))
    with pytest.raises(UserError, match=r"curation\.duplicates \(before true, now false\)"):
        run_recipe(workspace._replace(recipe=other), PLAN, REGISTRY)
    assert {path: path.read_bytes() for path in workspace.folder.iterdir()} == before


def test_a_recipe_may_change_until_a_stage_is_finished_with_it(workspace: Workspace) -> None:
    (Path(workspace.recipe.data.videos) / "a.mp4").unlink()
    with pytest.raises(UserError, match="raise missing_share"):
        run_recipe(workspace, PLAN, REGISTRY)
    (Path(workspace.recipe.data.videos) / "a.mp4").write_bytes(b"here again")
    changed = replace(workspace.recipe, data=replace(workspace.recipe.data, missing_share=0.5))
    run_recipe(workspace._replace(recipe=changed), PLAN, REGISTRY)


def test_two_processes_do_not_work_in_one_folder(workspace: Workspace) -> None:
    with held_elsewhere(workspace.folder), pytest.raises(FolderInUse, match="at work in"):
        run_recipe(workspace, PLAN, REGISTRY)


def test_a_users_report_is_not_overwritten(workspace: Workspace) -> None:
    workspace.folder.mkdir()
    (workspace.folder / "report.md").write_text("mine")
    with pytest.raises(UserError, match=r"holds report\.md"):
        run_recipe(workspace, PLAN, REGISTRY)
    assert (workspace.folder / "report.md").read_text() == "mine"


def test_a_malformed_record_of_stages_is_named(workspace: Workspace) -> None:
    workspace.folder.mkdir()
    (workspace.folder / "run.json").write_text("[")
    with pytest.raises(UserError, match=r"run\.json cannot be read"):
        run_recipe(workspace, PLAN, REGISTRY)


def test_zero_without_deepspeed_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    with pytest.raises(UserError, match="--launch zero3 needs DeepSpeed: install the extra"):
        run_recipe(
            workspace._replace(recipe=replace(workspace.recipe, sft=SftRule(steps=1, batch=1))),
            replace(PLAN, launch="zero3"),
            REGISTRY,
        )


def test_several_machines_are_not_started_from_one(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="vtg-train plan"):
        run_recipe(workspace, replace(PLAN, machines=2), REGISTRY)


def test_a_stage_that_fails_says_how_to_go_on(
    workspace: Workspace, capfd: pytest.CaptureFixture[str]
) -> None:
    fails = StagePlan("sft", 3, 1, 1, 0, 1, 1, {}, None, "vtg-train sft no-recipe")
    recipe = replace(workspace.recipe, sft=SftRule(steps=1, batch=1))
    with pytest.raises(UserError, match="The stage sft ended with status 2"):
        run_recipe(workspace._replace(recipe=recipe), replace(PLAN, stages=(fails,)), REGISTRY)
    assert 'There is no recipe "no-recipe"' in capfd.readouterr().err
    assert list(json.loads((workspace.folder / "run.json").read_text())) == ["curate"]


def test_the_evaluation_is_checked_before_anything_is_trained(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VTG_EVAL_DATA", str(tmp_path))
    smoke = load_recipe(find_recipe("nano-smoke"))
    assert smoke.evaluation is not None
    scored = replace(smoke.evaluation, tasks=("charades_sta",))
    recipe = replace(smoke, data=workspace.recipe.data, evaluation=scored)
    with pytest.raises(UserError, match="charades_sta"):
        run_recipe(workspace._replace(recipe=recipe), PLAN, REGISTRY)
    assert not workspace.data.exists()


def test_a_change_affects_its_stage_and_those_after_it_only(workspace: Workspace) -> None:
    smoke = replace(load_recipe(find_recipe("nano-smoke")), data=workspace.recipe.data)
    assert smoke.rl is not None
    other = replace(smoke, rl=replace(smoke.rl, steps=9))
    pairs = zip(
        steps(workspace._replace(recipe=smoke), REGISTRY),
        steps(workspace._replace(recipe=other), REGISTRY),
        strict=True,
    )
    moved = [one.name for one, two in pairs if one.metadata != two.metadata]
    assert moved == ["rl", "evaluation"]


ROUNDS = """
name = "rounds"
summary = "a test"
source = "this test"
[model]
checkpoint = "nano"
dtype = "float32"
[data]
train = ["data.jsonl"]
videos = "videos"
[difficulty]
rollouts = 2
max_new_tokens = 4
engine = "transformers"
[selection]
size = 2
[rewards]
tiou = 1.0
[rl]
steps = 2
rounds = 2
prompts = 2
group = 2
device_batch = 4
max_new_tokens = 4
learning_rate = 1e-3
entropy = 1.0  # changes the weights also where all rewards are the same
"""


def rounds_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Workspace, TrainingPlan]:
    """Return a recipe of two rounds with the data of `workspace`, and its plan."""
    monkeypatch.chdir(folder)
    (folder / "r.toml").write_text(ROUNDS)
    recipe = load_recipe(folder / "r.toml")
    planned = plan(recipe, Hardware("single", 1), "r.toml", "out", REGISTRY)
    return Workspace(recipe, Path("out")), planned


def test_each_round_is_a_step_that_depends_on_those_before(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds, _ = rounds_in(workspace.folder.parent, monkeypatch)
    before = {step.name: step.metadata for step in steps(rounds, REGISTRY)}
    assert list(before) == ["curate", "difficulty", "rl", "difficulty-2", "rl-2"]
    assert before["difficulty"]["after"] != before["difficulty-2"]["after"]
    assert before["rl"]["rl"]["rounds"] == 2
    assert rounds.recipe.rl is not None
    once = replace(rounds.recipe, rl=replace(rounds.recipe.rl, rounds=1))
    after = {step.name: step.metadata for step in steps(rounds._replace(recipe=once), REGISTRY)}
    assert list(after) == ["curate", "difficulty", "rl"]
    assert after["difficulty"] == before["difficulty"]
    assert "rounds" not in after["rl"]["rl"]  # as in folders of earlier versions


def test_a_round_needs_the_one_before_and_draws_anew(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rounds, _ = rounds_in(workspace.folder.parent, monkeypatch)
    first, second = rounds.rounds
    assert rounds.recipe.rl is not None
    assert first.recipe().rl == replace(rounds.recipe.rl, steps=1, rounds=1)
    assert cli.main(["curate", "r.toml", "--out", "out"]) == 0
    capsys.readouterr()
    assert cli.main(["difficulty", "r.toml", "--out", "out", "--round", "2"]) == 2
    assert "out/rl/checkpoint does not exist yet: run vtg-train rl first" in capsys.readouterr().err
    assert cli.main(["rl", "r.toml", "--out", "out", "--round", "3"]) == 2
    assert "has no round 3: rl.rounds is 2" in capsys.readouterr().err
    assert cli.main(["rl", "r.toml", "--out", "out", "--round", "2"]) == 2
    assert "run vtg-train difficulty --round 2 first" in capsys.readouterr().err
    (first.rl / "checkpoint").mkdir(parents=True)
    later = second.recipe()
    assert later.model.checkpoint == "out/rl/checkpoint"
    assert later.rl is not None
    assert later.rl.seed != rounds.recipe.rl.seed


@pytest.mark.engine
@pytest.mark.xdist_group("training")
def test_rounds_measure_with_the_weights_of_the_round_before_and_resume(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The stages run in this process, where their libraries are loaded already."""
    pytest.importorskip("trl", reason="needs the extra train")
    rounds, planned = rounds_in(workspace.folder.parent, monkeypatch)
    stopped = ["rl-2"]

    def start(name: str, command: list[str]) -> None:
        if name in stopped:
            stopped.remove(name)
            raise KeyboardInterrupt
        assert cli.main(command[1:]) == 0

    monkeypatch.setattr("vtg_eval.training.pipeline._start", start)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(rounds, planned, REGISTRY)
    out = rounds.folder
    asked = (out / "difficulty-2" / "journal.jsonl").read_bytes()
    capfd.readouterr()
    report = run_recipe(rounds, planned, REGISTRY).read_text()
    done = ["curate", "difficulty", "rl", "difficulty-2"]
    err = capfd.readouterr().err
    assert all(f"vtg-train: {name}: done before" in err for name in done)
    assert list(json.loads((out / "run.json").read_text())) == [*done, "rl-2"]
    assert (out / "difficulty-2" / "journal.jsonl").read_bytes() == asked

    records = [
        json.loads((out / name / "difficulty.json").read_text())
        for name in ("difficulty", "difficulty-2")
    ]
    start_digest, trained_digest = (record.pop("checkpoint") for record in records)
    assert start_digest != trained_digest and records[0] == records[1]
    trainings = [json.loads((out / name / "training.json").read_text()) for name in ("rl", "rl-2")]
    assert [t["model"]["checkpoint"] for t in trainings] == [start_digest, trained_digest]
    assert [(out / name / "log.jsonl").read_text().count("\n") for name in ("rl", "rl-2")] == [1, 1]
    assert scored(rounds)["trained"] == "out/rl-2/checkpoint"
    for heading in ("## Difficulty, round 1", "## Selection, round 2", "learning, round 2"):
        assert heading in report
