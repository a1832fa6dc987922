"""What a recipe will take, by arithmetic: samples, tokens, steps, memory, hours, commands.

No GPU, torch, weights or videos are needed. What is assumed and not counted is in `ASSUMED`,
which every plan shows.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vtg_eval.errors import UserError, suggestion
from vtg_eval.protocol import FrameRule
from vtg_eval.registry import Registry
from vtg_eval.run.estimate import FPS, HEIGHT, UNKNOWN_SECONDS, WIDTH
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.sampling import PAIR, choose

from ..data.contexts import SampleContexts
from ..data.sample import TrainingSample, load_samples
from ..recipe import Recipe
from ..shipped import LAUNCH
from .memory import SHARDING, BatchLoad, Memory, Sharding, rl_memory, sft_memory
from .model_size import ModelSize, checkpoint_folder, model_size

DEVICES = 8  # of one machine, where nothing else is said
SMALL = 10**8  # parameters up to which one process is proposed
WORD = 4  # characters of English to a token
ANSWER, REASONED = 20, 400  # tokens of an answer to learn, without and with reasoning
GPU_FLOPS, CPU_FLOPS = 4e14, 5e10  # a second and device, in forward and backward passes
DECODE = 0.03  # seconds for one more token of a batch of answers
ASSUMED = (
    f"videos of {WIDTH} x {HEIGHT} px; {UNKNOWN_SECONDS:g} s where the data is not there or does "
    "not say",
    f"{WORD} characters of text to a token; {ANSWER} tokens to an answer to learn, {REASONED} to "
    "one with reasoning; rollouts as long as they may be",
    f"hours: {GPU_FLOPS:.0e} operations a second on each GPU (40 % of an H100's dense bfloat16), "
    f"{CPU_FLOPS:.0e} on each CPU process; {DECODE:g} s for each further token of a batch of "
    "answers; nothing for decoding videos and for loading",
    "memory: fragmentation and libraries take more than is listed here, some GiB",
)


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where training is to run. launch: "single", or a file in `launch/`; devices: of all
    machines. Empty and 0: what fits the model's size.
    """

    launch: str = ""
    devices: int = 0
    machines: int = 1


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage. samples: distinct ones in the data (None: the data is not there yet).

    passes: questions asked or learnt over all steps. tokens: of the longest question with its
    answer; all_tokens: of all passes. memory: GiB on each device, by what takes it. hours: by the
    assumptions.
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
        """All memory on one device."""
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
    assumed: tuple[str, ...] = ASSUMED

    def to_json(self) -> dict[str, object]:
        """Return the plan as plain values."""
        table = asdict(self)
        for stage, entry in zip(self.stages, table["stages"], strict=True):
            entry["gib"] = stage.gib
        return table


def plan(recipe: Recipe, place: Hardware, named: str, out: str, registry: Registry) -> TrainingPlan:
    """Plan a recipe, called `named` on the command line, into the folder `out`.

    Raises UserError for a checkpoint, a protocol or a launch that is not known.
    """
    folder = checkpoint_folder(recipe.model.checkpoint, registry)
    size = model_size(recipe.model.checkpoint, folder)
    contexts = SampleContexts(recipe.model, folder, registry)
    chosen = _place(place, size)
    samples = _samples(recipe)
    asked = [(s.duration or UNKNOWN_SECONDS, contexts.of(s).protocol) for s in samples]
    asked = asked or [(UNKNOWN_SECONDS, contexts.without_task)]
    shown = [shown_tokens(seconds, protocol.frames, size) for seconds, protocol in asked]
    texts = [len(p.prompt.system + p.prompt.text) // WORD for _, p in asked]
    planner = _Planner(recipe, size, chosen, named, out, len(samples), shown, texts)
    return TrainingPlan(
        recipe=recipe.name,
        checkpoint=recipe.model.checkpoint,
        parameters=size.parameters,
        launch=chosen.launch,
        devices=chosen.devices,
        machines=chosen.machines,
        frames=max(frames for frames, _ in shown),
        video_tokens=max(tokens for _, tokens in shown),
        stages=tuple(planner.stages()),
    )


def shown_tokens(seconds: float, rule: FrameRule, size: ModelSize) -> tuple[int, int]:
    """Return how many frames of a video of that length are shown, and their visual tokens."""
    times = np.arange(max(1, round(seconds * FPS))) / FPS
    frames = len(choose(VideoInfo("", seconds, FPS, HEIGHT, WIDTH, times), rule))
    picture = round(HEIGHT / size.factor) * round(WIDTH / size.factor)
    share = max(rule.total_tokens * PAIR // frames, rule.min_tokens)
    return frames, math.ceil(frames / PAIR) * min(
        max(picture, rule.min_tokens), rule.max_tokens, share
    )


class _Planner:
    """The stages of one recipe in one place."""

    def __init__(
        self,
        recipe: Recipe,
        size: ModelSize,
        place: Hardware,
        named: str,
        out: str,
        samples: int,
        shown: list[tuple[int, int]],
        texts: list[int],
    ) -> None:
        self.recipe, self.size, self.place = recipe, size, place
        self.named, self.out = named, out
        self.samples = samples or None
        lengths = [
            tokens + size.stamp * frames // PAIR + text
            for (frames, tokens), text in zip(shown, texts, strict=True)
        ]
        self.mean_visual = sum(tokens for _, tokens in shown) / len(shown)
        self.mean, self.longest = sum(lengths) / len(lengths), max(lengths)
        self.visual = max(tokens for _, tokens in shown)

    def stages(self) -> list[StagePlan]:
        found = [self._sft(), self._difficulty(), self._rl()]
        return [stage for stage in found if stage is not None]

    def _sft(self) -> StagePlan | None:
        rule = self.recipe.sft
        if rule is None:
            return None
        answer = REASONED if rule.reasoning else ANSWER
        passes = rule.steps * rule.batch
        load = BatchLoad(
            rule.device_batch, self.longest + answer, self.visual, self.longest + answer
        )
        return self._stage(
            "sft",
            rule.steps,
            passes,
            0,
            answer,
            sft_memory(self.size, self.recipe, load, self._shard),
        )

    def _difficulty(self) -> StagePlan | None:
        rule = self.recipe.difficulty
        if rule is None:
            return None
        asked = min(self.samples, rule.limit or self.samples) if self.samples else None
        answers = (asked or 0) * rule.rollouts
        weights = {"weights": 2.0 * self.size.parameters / 2**30}
        return self._stage(
            "difficulty", 0, asked and answers, answers, rule.max_new_tokens, weights, rule.rollouts
        )

    def _rl(self) -> StagePlan | None:
        rule = self.recipe.rl
        if rule is None:
            return None
        answers = rule.steps * rule.prompts * rule.group
        new = rule.max_new_tokens
        load = BatchLoad(rule.device_batch, self.longest + new, self.visual, new)
        memory = rl_memory(self.size, self.recipe, load, self._shard)
        return self._stage("rl", rule.steps, answers, answers, new, memory, rule.group)

    @property
    def _shard(self) -> Sharding:
        sharding = SHARDING[self.place.launch]
        return sharding._replace(devices=self.place.devices)

    def _stage(
        self,
        name: str,
        steps: int,
        passes: int | None,
        completions: int,
        answer: int,
        memory: Memory,
        together: int = 1,
    ) -> StagePlan:
        hours = (
            None if passes is None else self._hours(steps, passes, completions, answer, together)
        )
        return StagePlan(
            name=name,
            samples=self.samples,
            steps=steps,
            passes=passes,
            completions=completions,
            tokens=self.longest + answer,
            all_tokens=None if passes is None else round(passes * (self.mean + answer)),
            memory=memory,
            hours=hours,
            command=self._command(name, bool(steps)),
        )

    def _hours(
        self, steps: int, passes: int, completions: int, answer: int, together: int
    ) -> float:
        """Count operations: 2 for each parameter and token forward, 4 backward (Kaplan et al.,
        Scaling Laws for Neural Language Models, 2020, section 2.1), 2 for recomputed activations.
        """
        forward = 2 * self.size.language * (self.mean + answer)
        pictures = 2 * self.size.vision * self.mean_visual * self.size.merge**2
        times = (4 if steps else 0) + (1 if completions else 0)
        seen = 1 if self.recipe.model.freeze_vision else times
        work = passes * (times * forward + max(seen, 1) * pictures)
        rate = CPU_FLOPS if self.size.parameters < SMALL else GPU_FLOPS
        decoding = completions / together * answer * DECODE
        return (work / rate + decoding) / self.place.devices / 3600

    def _command(self, stage: str, trains: bool) -> str:
        words = [stage, self.named, "--out", self.out]
        if not trains or self.place.launch == "single":
            return shlex.join(["vtg-train", *words])
        start = ["accelerate", "launch", "--config_file", str(LAUNCH / f"{self.place.launch}.yaml")]
        start += ["--num_processes", str(self.place.devices)]
        tail = shlex.join(["-m", "vtg_eval.training.cli", *words])
        if self.place.machines == 1:
            return f"{shlex.join(start)} {tail}"
        start += ["--num_machines", str(self.place.machines)]
        return f"{shlex.join(start)} --machine_rank RANK --main_process_ip HOST {tail}"


def _place(place: Hardware, size: ModelSize) -> Hardware:
    launch = place.launch or ("single" if size.parameters < SMALL else "fsdp2")
    if launch not in SHARDING:
        raise UserError(f'There is no launch "{launch}". {suggestion(launch, SHARDING)}')
    usual = {"single": 1, "cpu2": 2}.get(launch, DEVICES * place.machines)
    if place.devices % place.machines or (launch == "single" and place.devices > 1):
        raise UserError(
            f"{place.devices} devices on {place.machines} machines do not go with {launch}."
        )
    return Hardware(launch, place.devices or usual, place.machines)


def _samples(recipe: Recipe) -> Sequence[TrainingSample]:
    """Return all samples, none where a file is not there yet."""
    paths = [Path(name) for name in recipe.data.train]
    return load_samples(paths) if all(path.is_file() for path in paths) else ()
