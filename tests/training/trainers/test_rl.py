"""Reinforcement learning: resumable, logged, it stops on a plateau."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the extra train")

from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.trainers.callbacks import plateaued
from vtg_eval.training.trainers.folder import TrainingFolder
from vtg_eval.training.trainers.rl import check_groups, order_numbers, run_rl

from tests.training_case import (
    RL,
    RunSetup,
    figures,
    killed_at,
    lines,
    seconds_of_parts,
    train,
    train_in_two_processes,
    with_rule,
)
from vtg_eval.errors import UserError

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("training")]


@pytest.fixture(scope="module")
def trained(cold: RunSetup, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps without an interruption."""
    out = tmp_path_factory.mktemp("rl") / "out"
    train("rl", cold.recipe(), cold.examples, out)
    return out


def test_the_log_says_what_was_learnt_from(trained: Path) -> None:
    log = lines(trained)
    assert [line["step"] for line in log] == list(range(1, 7))
    for line in log:
        assert line["reward"] == pytest.approx(
            0.9 * line["reward/tiou"] + 0.5 * line["reward/parse_penalty"], abs=1e-6
        )
        assert 0 <= line["constant_groups"] <= 1
    assert any(line["group_deviation"] > 0 for line in log)
    assert any(line["grad_norm"] > 0 for line in log)


def test_the_seconds_of_a_step_are_those_of_its_parts(trained: Path) -> None:
    for parts in seconds_of_parts(trained):
        assert min(parts["rollouts"], parts["inputs"], parts["learning"]) > 0


def test_the_reference_sees_what_the_policy_sees(trained: Path) -> None:
    """Before the first update the two models are equal, so their divergence is exactly 0."""
    first, second, *_ = lines(trained)
    assert first["kl"] == 0
    assert second["kl"] > 0


def test_a_killed_training_resumes_to_the_same_curve(
    cold: RunSetup, trained: Path, tmp_path: Path
) -> None:
    """The same answers are generated, so rewards, losses and weights are the same bit for bit."""
    out = tmp_path / "out"
    killed_at(4, "rl", cold.recipe(), cold, out)
    train("rl", cold.recipe(), cold.examples, out)
    assert figures(out) == figures(trained)
    result = (out / "checkpoint" / "model.safetensors").read_bytes()
    assert result == (trained / "checkpoint" / "model.safetensors").read_bytes()


def test_sharing_the_prompt_of_a_group_changes_no_figure(setup: RunSetup, tmp_path: Path) -> None:
    recipe = with_rule(setup.recipe(), "rl", steps=2)
    train("rl", recipe, setup.examples, tmp_path / "apart")
    train("rl", with_rule(recipe, "rl", share_prompt=True), setup.examples, tmp_path / "shared")
    pairs = zip(figures(tmp_path / "apart"), figures(tmp_path / "shared"), strict=True)
    for apart, shared in pairs:
        assert shared == pytest.approx(apart, rel=1e-3, abs=1e-5)


def test_two_processes_draw_and_learn_as_one(cold: RunSetup, trained: Path, tmp_path: Path) -> None:
    """Each of two processes has one whole group; the loss is a mean over answers.

    Without the entropy term, which is a mean over the tokens of each process.
    """
    single = with_rule(cold.recipe(), "rl", steps=3, loss="grpo", learning_rate=1e-5, entropy=0.0)
    train("rl", single, cold.examples, tmp_path / "one")
    recipe, out = with_rule(single, "rl", device_batch=4), tmp_path / "two"
    train_in_two_processes("rl", recipe, cold.examples, out)
    for key in ("reward", "loss", "group_deviation", "constant_groups"):
        alone = [line[key] for line in lines(tmp_path / "one")]
        assert [line[key] for line in lines(out)] == pytest.approx(alone, rel=1e-3, abs=1e-7)


def test_masked_answers_that_are_cut_teach_nothing_and_are_warned_of(
    one: RunSetup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No answer has an end. Where they count, they have an entropy to raise."""
    counted = with_rule(one.recipe(), "rl", steps=1, max_new_tokens=2)
    masked = with_rule(counted, "rl", mask_cut_answers=True)
    gradients = []
    for name, recipe in (("counted", counted), ("masked", masked)):
        train("rl", recipe, one.examples, tmp_path / name)
        (line,) = lines(tmp_path / name)
        assert line["answers_cut"] == 1.0
        gradients.append(line["grad_norm"])
        assert "100% of the answers of step 1 were cut at 2 tokens" in capsys.readouterr().err
    assert gradients[0] > 0 == gradients[1]


def test_a_plateau_ends_training_with_a_checkpoint(cold: RunSetup, tmp_path: Path) -> None:
    out = tmp_path / "out"
    recipe = with_rule(cold.recipe(), "rl", learning_rate=0.0, steps=40, plateau=2, beta=0.0)
    result = train("rl", recipe, cold.examples, out)
    done = len(lines(out))
    assert 2 <= done < 40
    assert (result / "model.safetensors").is_file()
    assert train("rl", recipe, cold.examples, out) == result
    assert len(lines(out)) == done


def test_a_training_stopped_before_its_result_was_written_is_not_continued(
    cold: RunSetup, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    recipe = with_rule(cold.recipe(), "rl", learning_rate=0.0, steps=40, plateau=2, beta=0.0)
    result = train("rl", recipe, cold.examples, out)
    done = lines(out)
    result.rename(out / "checkpoint.gone")
    assert train("rl", recipe, cold.examples, out) == result
    assert lines(out) == done


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60),
    st.integers(1, 10),
    st.integers(1, 10),
)
def test_a_training_never_stops_before_its_patience_is_over(
    rewards: list[float], patience: int, more: int
) -> None:
    constant = [0.2] * len(rewards)
    assert not plateaued(rewards[:patience], constant[:patience], patience)
    assert not plateaued(rewards, constant, 0)
    flat = rewards + [rewards[-1]] * (20 * patience + more)
    assert plateaued(flat, [0.2] * len(flat), patience)


def test_a_rising_reward_or_a_falling_deviation_is_no_plateau() -> None:
    rising = [k / 50 for k in range(50)]
    assert not plateaued(rising, [0.2] * 50, 5)
    assert not plateaued([0.5] * 50, rising[::-1], 5)
    assert plateaued([0.5] * 50, rising, 5)


def test_a_server_that_would_keep_its_weights_is_refused(one: RunSetup, tmp_path: Path) -> None:
    recipe = with_rule(one.recipe(), "rl", rollouts="vllm-server")
    with pytest.raises(UserError, match="cannot be given the weights of each step"):
        run_rl(recipe, one.examples, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_training_of_an_earlier_version_keeps_its_order(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    assert order_numbers(folder) == (1,)
    folder.record.write_text('{"stage": "rl"}')
    assert order_numbers(folder) == ()
    folder.record.write_text('{"stage": "rl", "order": [1]}')
    assert order_numbers(folder) == (1,)


@given(st.integers(1, 64), st.integers(1, 64), st.integers(2, 16))
def test_a_process_gets_whole_groups_or_an_even_part_of_one(
    device_batch: int, accumulated: int, group: int
) -> None:
    rule, answers = replace(RL, group=group, device_batch=device_batch), device_batch * accumulated
    if answers % group == 0 or group % answers == 0:
        check_groups(rule, accumulated)
    else:
        with pytest.raises(UserError, match=f"neither whole groups of {group} "):
            check_groups(rule, accumulated)
