"""The cost of a recipe before it is run: samples, tokens, steps, memory, hours, commands.

No GPU, torch, weights or videos are needed. Every plan shows its assumptions (`ASSUMED`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

from vtg_eval.errors import UserError, suggestion
from vtg_eval.registry import Registry
from vtg_eval.run.devices import ONE_PROCESS, DeviceOptions, Devices, device_count, worker_count
from vtg_eval.run.estimate import HEIGHT, UNKNOWN_SECONDS, WIDTH

from ..data.contexts import SampleContexts
from ..recipe import AT_ONCE, Recipe, RlRule
from ..shipped import LAUNCH
from ..workspace import round_arguments, round_name
from .memory import SHARDING, BatchLoad, Memory, Sharding, rl_memory, sft_memory
from .model_size import ModelSize, checkpoint_folder, model_size
from .questions import CHARACTERS, Questions, stage_questions

DEVICES = 8  # of one machine, by default
SMALL = 10**8  # parameters; for smaller models the default is one process on the CPU
ANSWER, REASONED = 20, 400  # tokens of an answer to learn, without and with reasoning
GPU_FLOPS, CPU_FLOPS = 4e14, 5e10  # of one device per second, in forward and backward passes
DECODE = 0.03  # seconds for each further token of a batch of answers
VLLM_DECODE = 0.015  # the same where vLLM generates all answers of a device at once
ASSUMED = (
    f"videos of {WIDTH} x {HEIGHT} px; {UNKNOWN_SECONDS:g} s where the data or the "
    "duration is missing",
    f"{CHARACTERS} characters of text in a token; {ANSWER} tokens in an answer to learn, "
    f"{REASONED} with reasoning; rollouts of the maximal length",
    f"hours: {GPU_FLOPS:.0e} operations a second on each GPU (40 % of an H100's dense bfloat16), "
    f"{CPU_FLOPS:.0e} on each CPU process; {DECODE:g} s for each further token of a batch of "
    "answers; nothing for decoding videos and for loading",
    f"rollouts by vLLM: {VLLM_DECODE:g} s for each further token of a batch, which is all answers "
    f"of a step on a device, up to {AT_ONCE}; a prompt is read once for its group; one forward "
    "pass more, for the correction; nothing for handing over weights",
    "memory: fragmentation and libraries take some GiB more",
)


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where training runs. launch: "single", or a file in `launch/`; devices: of all machines.

    Empty and None: chosen by the model's size. tensor_parallel: devices that share one engine,
    where questions are answered without training.
    """

    launch: str = ""
    devices: Devices | None = None
    machines: int = 1
    tensor_parallel: int = 1


class _Chosen(NamedTuple):
    """The hardware with its defaults filled in."""

    launch: str
    devices: int
    machines: int
    tensor_parallel: int

    @property
    def devices_each(self) -> int:
        """Of each machine; a command that only answers has those of one."""
        return self.devices // self.machines


class _Generation(NamedTuple):
    """How answers are generated. batch: answers at a time; seconds: for each further token of a
    batch; passes: forward passes over each answer and its prompt, besides those of training.
    """

    batch: float
    seconds: float = DECODE
    passes: float = 1.0


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage; of difficulty and RL one round.

    samples: distinct samples in the data (None: the data does not exist yet). passes: questions
    asked or learnt over all steps. tokens: of the longest question with its answer; all_tokens: of
    all passes. memory: GiB on each device, by use. hours: by the assumptions.
    """

    name: str
    samples: int | None
    steps: int
    passes: int | None
    completions: int
    tokens: int
    all_tokens: int | None
    memory: Mapping[str, float]
    hours: float | None
    command: str

    @property
    def gib(self) -> float:
        """The total memory on one device."""
        return sum(self.memory.values())


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A whole recipe's plan."""

    recipe: str
    checkpoint: str
    parameters: int
    launch: str
    devices: int
    machines: int
    frames: int
    video_tokens: int
    stages: tuple[StagePlan, ...]
    tensor_parallel: int = 1
    assumed: tuple[str, ...] = ASSUMED

    @property
    def answering(self) -> DeviceOptions:
        """The devices that answer the questions of difficulty and of the evaluation."""
        return _answering(self.devices // self.machines, self.tensor_parallel)

    def to_json(self) -> dict[str, object]:
        """Return the plan as plain values."""
        table = asdict(self)
        for stage, entry in zip(self.stages, table["stages"], strict=True):
            entry["gib"] = stage.gib
        return table


def plan(
    recipe: Recipe, hardware: Hardware, reference: str, out: str, registry: Registry
) -> TrainingPlan:
    """Plan a recipe. reference, out: its RECIPE and its folder on the command line.

    Raises UserError for an unknown checkpoint, protocol or launch.
    """
    folder = checkpoint_folder(recipe.model.checkpoint, registry)
    size = model_size(recipe.model.checkpoint, folder)
    contexts = SampleContexts(recipe.model, folder, registry)
    chosen = _chosen(hardware, size)
    pools = dict.fromkeys((recipe.data.sft_files, recipe.data.rl_files))
    questions = {files: stage_questions(files, contexts, size) for files in pools if files}
    planner = _Planner(recipe, size, chosen, reference, out, questions)
    return TrainingPlan(
        recipe=recipe.name,
        checkpoint=recipe.model.checkpoint,
        parameters=size.parameters,
        launch=chosen.launch,
        devices=chosen.devices,
        machines=chosen.machines,
        tensor_parallel=chosen.tensor_parallel,
        frames=max(asked.frames for asked in questions.values()),
        video_tokens=max(asked.visual for asked in questions.values()),
        stages=tuple(planner.stages()),
    )


class _Planner:
    """Computes the stages of one recipe on some hardware."""

    def __init__(
        self,
        recipe: Recipe,
        size: ModelSize,
        hardware: _Chosen,
        reference: str,
        out: str,
        questions: Mapping[tuple[str, ...], Questions],
    ) -> None:
        self.recipe, self.size, self.hardware = recipe, size, hardware
        self.answering = _answering(hardware.devices_each, hardware.tensor_parallel)
        self.reference, self.out = reference, out
        self.questions = questions  # by the files of a stage

    def stages(self) -> list[StagePlan]:
        stages = [self._sft()]
        for number in range(1, (self.recipe.rl.rounds if self.recipe.rl else 1) + 1):
            stages += [self._difficulty(number), self._rl(number)]
        return [stage for stage in stages if stage is not None]

    def _sft(self) -> StagePlan | None:
        rule = self.recipe.sft
        if rule is None:
            return None
        asked = self.questions[self.recipe.data.sft_files]
        answer = REASONED if rule.reasoning else ANSWER
        passes = rule.steps * rule.batch
        longest = asked.longest + answer
        load = BatchLoad(rule.device_batch, longest, asked.visual, longest)
        return self._stage(
            "sft",
            asked,
            rule.steps,
            passes,
            0,
            answer,
            sft_memory(self.size, self.recipe, load, self._shard),
        )

    def _difficulty(self, number: int) -> StagePlan | None:
        rule = self.recipe.difficulty
        if rule is None:
            return None
        questions = self.questions[self.recipe.data.rl_files]
        samples = questions.samples
        asked = min(samples, rule.limit or samples) if samples else None
        answers = (asked or 0) * rule.rollouts
        parameters = self.size.parameters / self.hardware.tensor_parallel
        weights = {"weights": 2.0 * parameters / 2**30}
        return self._stage(
            "difficulty",
            questions,
            0,
            asked and answers,
            answers,
            rule.max_new_tokens,
            weights,
            _Generation(rule.rollouts),
            number,
        )

    def _rl(self, number: int) -> StagePlan | None:
        rule = self.recipe.rl
        if rule is None:
            return None
        steps = rule.round_steps
        answers = steps * rule.prompts * rule.group
        asked, answer = self.questions[self.recipe.data.rl_files], rule.max_new_tokens
        load = BatchLoad(rule.device_batch, asked.longest + answer, asked.visual, answer)
        memory = rl_memory(self.size, self.recipe, load, self._shard)
        rollouts = self._rollouts(rule)
        return self._stage("rl", asked, steps, answers, answers, answer, memory, rollouts, number)

    def _rollouts(self, rule: RlRule) -> _Generation:
        if rule.rollouts == "transformers":
            return _Generation(rule.group)
        answers = rule.prompts * rule.group / self.hardware.devices
        return _Generation(min(answers, AT_ONCE), VLLM_DECODE, 1 + 1 / rule.group)

    @property
    def _shard(self) -> Sharding:
        sharding = SHARDING[self.hardware.launch]
        return sharding._replace(devices=self.hardware.devices)

    def _stage(
        self,
        name: str,
        questions: Questions,
        steps: int,
        passes: int | None,
        completions: int,
        answer: int,
        memory: Memory,
        generation: _Generation | None = None,
        number: int = 1,
    ) -> StagePlan:
        hours = None
        if passes is not None:
            hours = self._hours(questions, steps, passes, completions, answer, generation)
        return StagePlan(
            name=round_name(name, number),
            samples=questions.samples,
            steps=steps,
            passes=passes,
            completions=completions,
            tokens=questions.longest + answer,
            all_tokens=None if passes is None else round(passes * (questions.mean + answer)),
            memory=memory,
            hours=hours,
            command=self._command(name, bool(steps), number),
        )

    def _hours(
        self,
        questions: Questions,
        steps: int,
        passes: int,
        completions: int,
        answer: int,
        rollouts: _Generation | None,
    ) -> float:
        """Count operations: 2 for each parameter and token forward, 4 backward (Kaplan et al.,
        Scaling Laws for Neural Language Models, 2020, section 2.1), 2 for recomputed activations.
        """
        forward = 2 * self.size.language * (questions.mean + answer)
        vision = 2 * self.size.vision * questions.mean_visual * self.size.merge**2
        # in units of a forward pass
        times = (4 if steps else 0) + (rollouts.passes if rollouts else 0)
        vision_times = 1 if self.recipe.model.freeze_vision else times
        work = passes * (times * forward + max(vision_times, 1) * vision)
        rate = CPU_FLOPS if self.size.parameters < SMALL else GPU_FLOPS
        decoding = completions / rollouts.batch * answer * rollouts.seconds if rollouts else 0.0
        devices = self.hardware.devices if steps else self.hardware.devices_each
        engines = devices if steps else devices // self.hardware.tensor_parallel
        return (work / rate / devices + decoding / engines) / 3600

    def _command(self, stage: str, trains: bool, number: int) -> str:
        arguments = [stage, self.reference, "--out", self.out, *round_arguments(number)]
        if not trains:
            return shlex.join(["vtg-train", *arguments, *self.answering.arguments])
        if self.hardware.launch == "single":
            return shlex.join(["vtg-train", *arguments])
        config = LAUNCH / f"{self.hardware.launch}.yaml"
        launch = ["accelerate", "launch", "--config_file", str(config)]
        launch += ["--num_processes", str(self.hardware.devices)]
        tail = shlex.join(["-m", "vtg_eval.training.cli", *arguments])
        if self.hardware.machines == 1:
            return f"{shlex.join(launch)} {tail}"
        launch += ["--num_machines", str(self.hardware.machines)]
        return f"{shlex.join(launch)} --machine_rank RANK --main_process_ip HOST {tail}"


def _chosen(hardware: Hardware, size: ModelSize) -> _Chosen:
    """Return the hardware with its defaults for the model's size filled in; raises UserError."""
    launch = hardware.launch or ("single" if size.parameters < SMALL else "fsdp2")
    if launch not in SHARDING:
        raise UserError(f'There is no launch "{launch}". {suggestion(launch, SHARDING)}')
    machines, each = hardware.machines, hardware.tensor_parallel
    match hardware.devices:
        case None:
            devices = {"single": 1, "cpu2": 2}.get(launch, DEVICES * machines)
        case "auto":
            devices = device_count("auto") * machines
        case count:
            devices = count
    if devices % machines or (launch == "single" and devices > 1):
        raise UserError(
            f"{devices} devices on {machines} machines do not go with {launch}. Name another "
            "number of --devices, or another --launch."
        )
    worker_count(devices // machines, each)
    return _Chosen(launch, devices, machines, each)


def _answering(devices: int, tensor_parallel: int) -> DeviceOptions:
    """Return what a command that only answers gets. devices: of one machine, which runs it."""
    return DeviceOptions(devices, tensor_parallel) if devices > 1 else ONE_PROCESS
