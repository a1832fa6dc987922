"""Planning: arithmetic that agrees with real models, no torch, a command that runs."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from vtg_eval.training.data.sample import TrainingSample, write_samples
from vtg_eval.training.plan.memory import (
    SHARDING,
    BatchLoad,
    rl_memory,
    sft_memory,
    trained_weights,
)
from vtg_eval.training.plan.model_size import PUBLISHED, checkpoint_folder, model_size, size_of
from vtg_eval.training.plan.plan import (
    DECODE,
    VLLM_DECODE,
    Hardware,
    StagePlan,
    plan,
)
from vtg_eval.training.plan.questions import shown_tokens
from vtg_eval.training.plan.table import plan_table
from vtg_eval.training.recipe import AT_ONCE, DataRule, Recipe, load_recipe
from vtg_eval.training.shipped import LAUNCH, find_recipe, shipped_recipes
from vtg_eval.training.workspace import round_name

from vtg_eval.errors import UserError
from vtg_eval.registry import Registry
from vtg_eval.run.devices import DeviceOptions
from vtg_eval.types import Span

REGISTRY = Registry.discover()
SEVEN = load_recipe(find_recipe("timelens-7b"))


def planned(name: str, **hardware: object):
    recipe = load_recipe(find_recipe(name))
    return plan(recipe, Hardware(**hardware), name, f"runs/{name}", REGISTRY)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen2.5-VL-3B-Instruct", 3_754_622_976),
        ("Qwen2.5-VL-7B-Instruct", 8_292_166_656),
        ("Qwen3-VL-4B-Instruct", 4_437_815_808),
        ("Qwen3-VL-8B-Instruct", 8_767_123_696),
    ],
)
def test_a_known_model_has_the_hubs_number_of_parameters(name: str, parameters: int) -> None:
    assert model_size(f"Qwen/{name}", None).parameters == parameters


@pytest.mark.engine
@pytest.mark.xdist_group("training")
@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_the_count_is_that_of_the_weights(family: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra hf")
    from peft import get_peft_model
    from transformers import AutoModelForImageTextToText
    from vtg_eval.training.trainers.policy import adapters

    from tests.tiny_families import tiny_families

    folder = tiny_families()[family].build(tmp_path / family)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    size = model_size("any", folder)
    assert size.parameters == sum(p.numel() for p in model.parameters())
    assert size.vision == sum(p.numel() for p in model.model.visual.parameters())
    assert size.layer == sum(p.numel() for p in model.model.language_model.layers[0].parameters())
    recipe = replace(SEVEN, model=replace(SEVEN.model, train="lora", lora_rank=3))
    adapted = get_peft_model(model, adapters(recipe.model))
    assert trained_weights(size, recipe) == adapted.get_nb_trainable_parameters()[0]


def test_a_shipped_models_size_is_read_from_its_folder() -> None:
    size = model_size("nano", checkpoint_folder("nano", REGISTRY))
    assert (size.layers, size.hidden, size.vocabulary, size.factor) == (4, 192, 512, 32)


def test_an_unknown_model_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r'Did you mean "Qwen2\.5-VL-7B-Instruct"'):
        model_size("Qwen/Qwen2.5-VL-7B", None)
    with pytest.raises(UserError, match="Llama"):
        size_of({"architectures": ["Llama"]})
    with pytest.raises(UserError, match="does not have 'num_hidden_layers'"):
        broken = {**PUBLISHED["Qwen3-VL-8B-Instruct"], "text_config": {"hidden_size": 3}}
        size_of(broken)


def test_the_frames_and_tokens_of_a_video_are_the_protocols() -> None:
    rule = REGISTRY.protocol("timelens@1").without_task.frames
    size = model_size("Qwen2.5-VL-7B-Instruct", None)
    assert shown_tokens(10, rule, size)[0] == 20
    frames, tokens = shown_tokens(60, rule, size)
    assert (frames, tokens) == (120, 60 * (14336 * 2 // 120))
    assert shown_tokens(2, rule, size) == (4, 2 * 768)  # each pair at its bound
    small = replace(rule, max_tokens=64, min_tokens=64)
    assert shown_tokens(10, small, size) == (20, 10 * 64)


def test_memory_of_full_training_is_16_bytes_a_weight_and_is_divided() -> None:
    size = model_size("Qwen2.5-VL-7B-Instruct", None)
    recipe = replace(SEVEN, model=replace(SEVEN.model, freeze_vision=False))
    load = BatchLoad(1, 1, 0, 1)
    whole = sft_memory(size, recipe, load, SHARDING["single"])
    states = sum(whole[name] for name in ("weights", "gradients", "AdamW"))
    assert states * 2**30 == pytest.approx(16 * size.parameters)
    split = sft_memory(size, recipe, load, SHARDING["fsdp2"]._replace(devices=8))
    for name in ("weights", "gradients", "AdamW"):
        assert split[name] == pytest.approx(whole[name] / 8)
    zero2 = sft_memory(size, recipe, load, SHARDING["zero2"]._replace(devices=8))
    assert zero2["weights"] * 2**30 == pytest.approx((2 + 4 / 8) * size.parameters)


def test_adapters_and_a_frozen_tower_take_less() -> None:
    size = model_size("Qwen2.5-VL-7B-Instruct", None)
    load = BatchLoad(1, 8000, 7000, 64)
    lora = replace(SEVEN, model=replace(SEVEN.model, train="lora"))
    open_tower = replace(SEVEN, model=replace(SEVEN.model, freeze_vision=False))
    gib = [
        sum(rl_memory(size, recipe, load, SHARDING["single"]).values())
        for recipe in (lora, SEVEN, open_tower)
    ]
    assert gib == sorted(gib)
    assert trained_weights(size, lora) < 0.03 * size.parameters
    assert trained_weights(size, SEVEN) == size.language


def test_a_reference_model_takes_memory_where_beta_is_above_0() -> None:
    size, load = model_size("Qwen2.5-VL-7B-Instruct", None), BatchLoad(1, 1, 0, 1)
    assert SEVEN.rl is not None
    penalised = replace(SEVEN, rl=replace(SEVEN.rl, beta=0.04))
    assert "reference model" in rl_memory(size, penalised, load, SHARDING["fsdp2"])
    assert "reference model" not in rl_memory(size, SEVEN, load, SHARDING["fsdp2"])


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_every_shipped_recipe_can_be_planned(name: str) -> None:
    result = planned(name)
    recipe = load_recipe(find_recipe(name))
    assert recipe.rl is not None
    rounds = [
        round_name(stage, number)
        for number in range(1, recipe.rl.rounds + 1)
        for stage in ("difficulty", "rl")
        if getattr(recipe, stage) is not None
    ]
    assert [s.name for s in result.stages] == (["sft"] if recipe.sft else []) + rounds
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["recipe"] == name
    text = plan_table(result)
    assert "assumed:" in text and result.stages[-1].command in text
    rl = [stage for stage in result.stages if stage.name.startswith("rl")]
    answers = recipe.rl.steps * recipe.rl.prompts * recipe.rl.group
    assert sum(stage.completions for stage in rl) == answers
    assert all(stage.hours is not None and 0 < stage.hours < 2000 for stage in rl)


def rl_stage(recipe: Recipe, **hardware: object) -> StagePlan:
    return plan(recipe, Hardware(**hardware), "r", "runs/r", REGISTRY).stages[-1]


def with_vllm(recipe: Recipe) -> Recipe:
    assert recipe.rl is not None
    return replace(recipe, rl=replace(recipe.rl, rollouts="vllm-colocate"))


def test_rollouts_by_vllm_take_fewer_hours_and_a_copy_of_the_weights() -> None:
    recipe = load_recipe(find_recipe("tvg-r1-7b"))
    slow, fast = rl_stage(recipe), rl_stage(with_vllm(recipe))
    assert slow.hours is not None and fast.hours is not None
    rule = recipe.rl
    assert rule is not None
    # 64 groups on 8 devices, each for itself; then 64 answers of a device at once
    decoding = rule.steps * rule.max_new_tokens / 3600
    before, after = 8 * decoding * DECODE, decoding * VLLM_DECODE
    passes = (slow.hours - before) / (fast.hours - after)
    assert passes == pytest.approx(5 / (5 + 1 / rule.group), rel=0.02)
    assert {*fast.memory} - {*slow.memory} == {"vLLM's weights"}


def test_vllm_generates_a_bounded_number_of_answers_at_a_time() -> None:
    """With four times the answers the hours grow by more than the work."""
    recipe = with_vllm(load_recipe(find_recipe("tvg-r1-7b")))
    assert recipe.rl is not None
    hours = [
        rl_stage(replace(recipe, rl=replace(recipe.rl, prompts=prompts)), devices=1).hours
        for prompts in (AT_ONCE // 8, AT_ONCE // 4, AT_ONCE // 2)
    ]
    assert hours[2] / hours[1] == pytest.approx(hours[1] / hours[0])
    few = [
        rl_stage(replace(recipe, rl=replace(recipe.rl, prompts=prompts)), devices=1).hours
        for prompts in (8, 16)
    ]
    assert few[1] < 2 * few[0]


@pytest.mark.parametrize("name", ["timelens-7b", "timelens-8b", "best"])
def test_a_recipe_for_8_devices_fits_into_80_gib(name: str) -> None:
    assert all(stage.gib < 70 for stage in planned(name).stages)


def test_the_data_is_counted_if_it_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = {stage.name: stage for stage in planned("timelens-7b").stages}
    assert before["difficulty"].samples is None and before["difficulty"].hours is None
    samples = [
        TrainingSample(f"{n}", f"{n}.mp4", "q", (Span(1, 2),), "s", duration=10.0 * (n + 1))
        for n in range(3)
    ]
    write_samples(tmp_path / "timelens-100k.jsonl", samples)
    result = planned("timelens-7b")
    after = {stage.name: stage for stage in result.stages}
    assert result.frames == 60  # of the longest, at 2 a second
    assert (after["difficulty"].samples, after["difficulty"].completions) == (3, 24)
    assert after["difficulty"].hours is not None


def test_each_stage_is_planned_on_its_own_samples(tmp_path: Path) -> None:
    def pool(name: str, count: int, seconds: float) -> tuple[str]:
        samples = [
            TrainingSample(f"{n}", f"{n}.mp4", "q", (Span(1, 2),), "s", duration=seconds)
            for n in range(count)
        ]
        write_samples(tmp_path / name, samples)
        return (str(tmp_path / name),)

    data = DataRule(cold_start=pool("sft", 5, 60.0), rl=pool("rl", 3, 10.0))
    recipe = replace(load_recipe(find_recipe("timelens-8b")), data=data)
    result = plan(recipe, Hardware(), "r", "runs/r", REGISTRY)
    sft, difficulty, rl = result.stages
    assert (sft.samples, difficulty.samples, rl.samples) == (5, 3, 3)
    assert rl.tokens < sft.tokens
    assert result.frames == 120  # of the longest of all, at 2 a second


def test_each_round_measures_difficulty_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    difficulty(tmp_path)
    assert SEVEN.rl is not None
    whole = {s.name: s for s in plan(SEVEN, Hardware(), "r", "runs/r", REGISTRY).stages}
    rounds = replace(SEVEN, rl=replace(SEVEN.rl, rounds=2))
    result = plan(rounds, Hardware(), "r", "runs/r", REGISTRY)
    parts = {stage.name: stage for stage in result.stages}
    assert list(parts) == ["difficulty", "rl", "difficulty-2", "rl-2"]
    assert parts["difficulty-2"].hours == parts["difficulty"].hours == whole["difficulty"].hours
    assert parts["rl"].hours + parts["rl-2"].hours == pytest.approx(whole["rl"].hours)
    assert parts["rl"].steps == parts["rl-2"].steps == SEVEN.rl.steps // 2
    assert "--round" not in parts["rl"].command
    assert " rl r --out runs/r --round 2" in parts["rl-2"].command
    assert "difficulty r --out runs/r --round 2" in parts["difficulty-2"].command


def test_a_small_model_is_planned_for_one_process_and_a_large_one_for_fsdp() -> None:
    assert (planned("nano-smoke").launch, planned("nano-smoke").devices) == ("single", 1)
    assert (planned("best").launch, planned("best").devices) == ("fsdp2", 8)
    assert planned("best", machines=2).devices == 16
    assert planned("nano-smoke").stages[0].command == (
        "vtg-train sft nano-smoke --out runs/nano-smoke"
    )


def difficulty(folder: Path, **hardware: object):
    """Return the plan of difficulty where there is a sample."""
    samples = [TrainingSample("0", "0.mp4", "q", (Span(1, 2),), "s", duration=10.0)]
    if not (folder / "timelens-100k.jsonl").is_file():
        write_samples(folder / "timelens-100k.jsonl", samples)
    return next(s for s in planned("timelens-7b", **hardware).stages if s.name == "difficulty")


def test_difficulty_takes_the_hours_of_the_devices_in_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one = difficulty(tmp_path, devices=1)
    assert one.command == "vtg-train difficulty timelens-7b --out runs/timelens-7b"
    eight, sixteen = difficulty(tmp_path, devices=8), difficulty(tmp_path, machines=2)
    assert eight.command == f"{one.command} --devices 8"
    assert eight.hours == pytest.approx(one.hours / 8)
    assert (sixteen.command, sixteen.hours) == (eight.command, eight.hours)  # of one machine
    two = difficulty(tmp_path, devices=8, tensor_parallel=2)
    assert two.command == f"{one.command} --devices 8 --tensor-parallel 2"
    assert two.gib == pytest.approx(one.gib / 2)
    assert eight.hours < two.hours < 2 * eight.hours


def test_the_commands_that_only_answer_get_the_devices_of_one_machine() -> None:
    assert planned("best", machines=2).answering == DeviceOptions(8, 1)
    assert planned("nano-smoke").answering == DeviceOptions()
    assert planned("nano-smoke", launch="cpu2").answering == DeviceOptions(2, 1)


def test_all_devices_are_those_that_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vtg_eval.run.devices.visible_gpus", lambda: ["0", "1", "2", "3"])
    assert planned("best", devices="auto", machines=2).devices == 8
    monkeypatch.setattr("vtg_eval.run.devices.visible_gpus", list)
    with pytest.raises(UserError, match="no GPU is visible"):
        planned("best", devices="auto")


def test_the_command_names_an_existing_configuration() -> None:
    arguments = shlex.split(planned("best", launch="zero3", machines=2).stages[0].command)
    assert arguments[:2] == ["accelerate", "launch"]
    assert Path(arguments[arguments.index("--config_file") + 1]) == LAUNCH / "zero3.yaml"
    assert arguments[arguments.index("--num_processes") + 1] == "16"
    tail = arguments[arguments.index("-m") :]
    assert tail == ["-m", "vtg_eval.training.cli", "sft", "best", "--out", "runs/best"]


@pytest.mark.parametrize(
    ("hardware", "message"),
    [
        ({"launch": "zero4"}, 'Did you mean "zero3"'),
        ({"launch": "single", "devices": 2}, "do not go with single"),
        ({"devices": 3, "machines": 2}, "do not go with fsdp2"),
        ({"devices": 8, "tensor_parallel": 3}, "not a multiple of --tensor-parallel"),
    ],
)
def test_impossible_hardware_is_refused(hardware: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        planned("best", **hardware)


def test_every_launch_has_its_file() -> None:
    assert {path.stem for path in LAUNCH.glob("*.yaml")} | {"single"} == set(SHARDING)


@pytest.mark.parametrize("path", sorted(LAUNCH.glob("*.yaml")), ids=lambda path: path.stem)
def test_accelerate_reads_a_configuration(path: Path) -> None:
    pytest.importorskip("accelerate", reason="needs the extra train")
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    config = load_config_from_file(str(path))
    assert config.num_processes == {"cpu2": 2}.get(path.stem, 8)
    arguments = ["--config_file", str(path), "--num_machines", "2", "--main_process_ip", "host"]
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args([*arguments, "x.py"]))
    kind = {"fsdp2": "use_fsdp", "zero2": "use_deepspeed", "zero3": "use_deepspeed"}
    assert getattr(args, kind.get(path.stem, "multi_gpu"))
    assert (args.num_machines, args.main_process_ip) == (2, "host")
    if path.stem.startswith("zero"):
        assert args.zero_stage == int(path.stem[-1])
    if path.stem == "fsdp2":
        assert args.fsdp_version == 2


ACCELERATE = (sys.executable, "-m", "accelerate.commands.accelerate_cli")
PROBE = """
from accelerate import PartialState
state = PartialState(cpu=True)
state.wait_for_everyone()
print(f"<{state.process_index} of {state.num_processes}, {state.backend}>\\n", end="", flush=True)
"""
TWO_PROCESSES = ["<0 of 2, gloo>", "<1 of 2, gloo>"]
PORT_IN_USE = "address already in use"


@pytest.mark.engine
@pytest.mark.xdist_group("training")
def test_cpu2_starts_two_processes_that_find_each_other(tmp_path: Path) -> None:
    pytest.importorskip("accelerate", reason="needs the extra train")
    script = tmp_path / "probe.py"
    script.write_text(PROBE)
    command = [*ACCELERATE, "launch", "--config_file", str(LAUNCH / "cpu2.yaml"), str(script)]
    for _ in range(3):  # accelerate looks for a free port, which others may take before it does
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if PORT_IN_USE not in done.stderr.lower():
            break
    assert sorted(done.stdout.splitlines()) == TWO_PROCESSES, done.stdout + done.stderr


@pytest.mark.engine
@pytest.mark.xdist_group("training")
def test_the_commands_for_two_machines_find_each_other(tmp_path: Path) -> None:
    """Both machines are this one; the command of a stage starts a script in place of the stage."""
    pytest.importorskip("accelerate", reason="needs the extra train")
    script = tmp_path / "probe.py"
    script.write_text(PROBE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stage = planned("best", launch="fsdp2", devices=2, machines=2).stages[0]
    launch, _, _ = stage.command.partition(" -m ")
    launch = launch.replace("HOST", "127.0.0.1").removeprefix("accelerate ")
    machines = [
        subprocess.Popen(
            [*ACCELERATE, *shlex.split(launch.replace("RANK", str(rank))),
             "--main_process_port", str(port), str(script)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    outputs = [machine.communicate(timeout=300) for machine in machines]
    assert [out.strip() for out, _ in outputs] == TWO_PROCESSES, outputs
