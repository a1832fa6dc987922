"""Difficulty: each sample asked several times, nothing twice, measured as it is scored."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.sample import TrainingSample, load_samples
from vtg_eval.training.difficulty import rate, rollout_ids, run_difficulty
from vtg_eval.training.recipe import DataRule, DifficultyRule, ModelRule, Recipe, RewardRule
from vtg_eval.training.trainers.rewards import Reward

import vtg_eval.video
from tests import fakes, rollouts
from tests.folder_holder import held_elsewhere
from tests.rollouts import RolloutEngine, answer
from tests.video_files import write_clock
from vtg_eval.errors import UserError
from vtg_eval.files.owned_folder import FolderInUse
from vtg_eval.registry import Registry
from vtg_eval.run.devices import DeviceOptions
from vtg_eval.types import Span

ROLLOUTS = 3
RULE = DifficultyRule(rollouts=ROLLOUTS, temperature=0.7, max_new_tokens=9, engine="rollouts")
REWARDS = RewardRule(tiou=1.0, parse_penalty=0.5)
REWARD = Reward(REWARDS, Registry.discover().protocol("strict@2").without_task)


def sample(name: str, video: str = "a.mp4") -> TrainingSample:
    return TrainingSample(name, video, f"query {name}", (Span(0.25, 1.25),), "test", duration=2.0)


SAMPLES = [sample("one"), sample("two"), sample("three#1", "b.mp4"), sample("four", "b.mp4")]


@pytest.fixture
def registry() -> Registry:
    RolloutEngine.reset()
    return fakes.make_registry(vtg_eval.video, fakes, rollouts)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "videos").mkdir()
    for name in ("a.mp4", "b.mp4"):
        write_clock(tmp_path / "videos" / name, frames=24, rate=12, height=64, width=64)
    model = ModelRule(str(fakes.write_checkpoint(tmp_path / "model")), dtype="float32")
    data = DataRule(("data.jsonl",), videos=str(tmp_path / "videos"))
    return Recipe("tiny", "", "", model, data, difficulty=RULE, rewards=REWARDS)


def probe(recipe: Recipe, out: Path, registry: Registry) -> dict[str, TrainingSample]:
    path = run_difficulty(recipe, SAMPLES, recipe.model.checkpoint, out, registry)
    assert path == out / "difficulty.jsonl"
    return {sample.id: sample for sample in load_samples([path])}


def test_each_sample_is_asked_as_often_as_the_rule_says_and_rated_by_the_reward(
    recipe: Recipe, registry: Registry, tmp_path: Path
) -> None:
    rated = probe(recipe, tmp_path / "out", registry)
    assert sorted(RolloutEngine.asked) == sorted(
        f"{s.id}#{n}" for s in SAMPLES for n in range(ROLLOUTS)
    )
    (rule,) = RolloutEngine.rules
    assert (rule.decoding, rule.temperature, rule.max_new_tokens) == ("sample", 0.7, 9)
    for one in SAMPLES:
        texts = [answer(rollout) for rollout in rollout_ids(one, ROLLOUTS)]
        assert rated[one.id] == replace(one, difficulty=rate(one, texts, REWARD))


def test_answered_rollouts_are_not_asked_again(
    recipe: Recipe, registry: Registry, tmp_path: Path
) -> None:
    whole = probe(recipe, tmp_path / "whole", registry)
    RolloutEngine.reset(stop_after=5)
    with pytest.raises(UserError, match="run the same command again"):
        probe(recipe, tmp_path / "out", registry)
    first = list(RolloutEngine.asked)
    RolloutEngine.reset()
    assert probe(recipe, tmp_path / "out", registry) == whole
    assert len(first) == 5 and not set(first) & set(RolloutEngine.asked)
    assert len(first) + len(RolloutEngine.asked) == len(SAMPLES) * ROLLOUTS
    RolloutEngine.reset()
    assert probe(recipe, tmp_path / "out", registry) == whole
    assert RolloutEngine.asked == [] and RolloutEngine.rules == []  # no engine was started


def test_only_the_first_samples_are_asked_where_there_is_a_limit(
    recipe: Recipe, registry: Registry, tmp_path: Path
) -> None:
    limited = replace(recipe, difficulty=replace(RULE, limit=2))
    assert list(probe(limited, tmp_path / "out", registry)) == ["one", "two"]


def test_another_recipes_answers_are_refused_with_what_differs(
    recipe: Recipe, registry: Registry, tmp_path: Path
) -> None:
    probe(recipe, tmp_path / "out", registry)
    before = (tmp_path / "out" / "difficulty.jsonl").read_bytes()
    hot = replace(recipe, difficulty=replace(RULE, temperature=1.5))
    with pytest.raises(UserError, match=r"difficulty\.temperature \(before 0\.7, now 1\.5\)"):
        probe(hot, tmp_path / "out", registry)
    assert (tmp_path / "out" / "difficulty.jsonl").read_bytes() == before


def test_a_folder_of_something_else_is_left_alone(
    recipe: Recipe, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "difficulty.jsonl").write_text("mine")
    with pytest.raises(UserError, match=r"holds difficulty\.jsonl"):
        probe(recipe, tmp_path / "out", registry)
    assert (tmp_path / "out" / "difficulty.jsonl").read_text() == "mine"


def test_a_folder_that_another_process_works_in_is_refused(
    recipe: Recipe, registry: Registry, tmp_path: Path
) -> None:
    with held_elsewhere(tmp_path / "out"), pytest.raises(FolderInUse, match="at work in"):
        probe(recipe, tmp_path / "out", registry)
    assert RolloutEngine.asked == []
    probe(recipe, tmp_path / "out", registry)


def test_samples_that_cannot_be_asked_are_named_and_left_out_up_to_a_share(
    recipe: Recipe, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "videos" / "b.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"2 of 4 samples could not be asked: three#1 \(Video"):
        probe(recipe, tmp_path / "out", registry)
    lenient = replace(recipe, data=replace(recipe.data, missing_share=0.5))
    assert list(probe(lenient, tmp_path / "out", registry)) == ["one", "two"]
    assert "2 of 4 samples could not be asked" in capsys.readouterr().err


def test_a_rollout_that_failed_is_asked_again(
    recipe: Recipe, registry: Registry, tmp_path: Path
) -> None:
    RolloutEngine.reset(refuse=["two#1"])
    with pytest.raises(UserError, match=r"1 of 4 .*two \(no memory\)"):
        probe(recipe, tmp_path / "out", registry)
    RolloutEngine.reset()
    assert len(probe(recipe, tmp_path / "out", registry)) == 4
    assert RolloutEngine.asked == ["two#1"]


def test_a_killed_write_of_an_answer_costs_that_answer_only(
    recipe: Recipe, registry: Registry, tmp_path: Path
) -> None:
    whole = probe(recipe, tmp_path / "out", registry)
    (tmp_path / "out" / "difficulty.jsonl").unlink()
    journal = tmp_path / "out" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    RolloutEngine.reset()
    assert probe(recipe, tmp_path / "out", registry) == whole
    assert len(RolloutEngine.asked) == 1


@given(st.lists(st.text(max_size=30) | st.just("0.5 - 1.5") | st.just("1 - 2"), min_size=1))
def test_a_difficulty_is_what_the_answers_score(texts: list[str]) -> None:
    one = sample("one")
    parts = [REWARD(one.to_sample(), text) for text in texts]
    difficulty = rate(one, texts, REWARD)
    mean = sum(p.tiou for p in parts) / len(parts)
    assert difficulty.mean_iou == pytest.approx(mean)
    variance = sum((p.tiou - mean) ** 2 for p in parts) / len(parts)
    assert difficulty.deviation == pytest.approx(variance**0.5, abs=1e-9)
    assert difficulty.parse_failures == sum(p.parse_penalty < 0 for p in parts) / len(parts)
    assert difficulty.rewards == tuple(p.total for p in parts)
    assert difficulty.ious == tuple(p.tiou for p in parts)
    assert 0 <= difficulty.mean_iou <= 1 and 0 <= difficulty.deviation <= 0.5


def test_for_a_question_without_a_moment_the_right_option_counts() -> None:
    asked = replace(sample("q"), spans=(), options=("red", "blue"), choice="B")
    difficulty = rate(asked, ["B", "A", "B", "what?"], REWARD)
    assert (difficulty.mean_iou, difficulty.deviation, difficulty.parse_failures) == (
        0.5,
        0.5,
        0.25,
    )


@pytest.mark.engine
@pytest.mark.xdist_group("training")
def test_nano_gives_the_same_difficulties_whether_stopped_or_in_two_processes(
    recipe: Recipe, tmp_path: Path
) -> None:
    pytest.importorskip("transformers", reason="needs the extra hf")
    registry = Registry.discover()
    model = replace(recipe.model, checkpoint="nano")
    rule = DifficultyRule(rollouts=2, temperature=1.5, max_new_tokens=16, engine="transformers")
    nano = replace(recipe, model=model, difficulty=rule)
    whole = probe(nano, tmp_path / "whole", registry)
    lines = (tmp_path / "whole" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert len({json.loads(line)["text"] for line in lines}) > 1
    out = tmp_path / "out"
    out.mkdir()
    (out / "difficulty.json").write_bytes((tmp_path / "whole" / "difficulty.json").read_bytes())
    (out / "journal.jsonl").write_bytes(b"".join(lines[:3]))
    assert probe(nano, out, registry) == whole
    two = tmp_path / "two"
    run_difficulty(nano, SAMPLES, "nano", two, registry, DeviceOptions(2))
    assert (two / "difficulty.jsonl").read_bytes() == (out / "difficulty.jsonl").read_bytes()
