"""Training asks with evaluation's prompts: for every task, split, protocol and kind of sample."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from vtg_eval.training.data.contexts import SampleContexts
from vtg_eval.training.data.sample import TrainingSample, load_samples, write_samples
from vtg_eval.training.data.task_data import with_task_data
from vtg_eval.training.difficulty import run_difficulty
from vtg_eval.training.recipe import DataRule, DifficultyRule, ModelRule, Recipe, RewardRule
from vtg_eval.training.trainers.rewards import Reward

import vtg_eval.video
from tests import fakes, rollouts
from tests.rollouts import RolloutEngine
from tests.video_files import write_clock
from vtg_eval.adapter import Adapter
from vtg_eval.checkpoint.profile import load_profile
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.engines.base import Request
from vtg_eval.errors import UserError
from vtg_eval.question import wording
from vtg_eval.registry import Registry
from vtg_eval.run.requests import RequestBuilder, SampleContext
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunOptions
from vtg_eval.scoring.score import score
from vtg_eval.types import OutputType, Prediction, Sample, Span, Target
from vtg_eval.video.frames import Frames, VideoInfo
from vtg_eval.video.pyav import PyavDecoder

REGISTRY = Registry.discover()
SPLITS = [
    (name, split.name) for name in REGISTRY.tasks for split in REGISTRY.task(name).card.splits
]
NANO, ENTRY = resolve("nano", REGISTRY)
ADAPTER: Adapter = REGISTRY.adapter(ENTRY.name)(NANO)
SRT = "1\n00:00:00,000 --> 00:00:02,000\nso they say\n"
OPTIONS = ("red", "blue")
MOMENT = (Span(0.25, 1.25),)
SAMPLES = {
    OutputType.SPANS: Sample("a", "v1", "It stops.", Target(MOMENT), 2.0),
    OutputType.CHOICE: Sample(
        "b", "v1", "What is it?", Target(choice="B"), 2.0, OPTIONS, asks=OutputType.CHOICE
    ),
    OutputType.BOTH: Sample(
        "c", "v1", "What is it?", Target(MOMENT, "B"), 2.0, OPTIONS, asks=OutputType.BOTH
    ),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with subtitles of the video v1 for each task that reads some."""
    for path in ("videomme/subtitle/v1.srt", "longvideobench/subtitles/v1.srt"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(SRT)
    row = {
        "video_path": "v1",
        "subtitle_path": "v1.srt",
        "starting_timestamp_for_subtitles": 0,
    }
    (tmp_path / "longvideobench/lvb_val.json").write_text(json.dumps([row]))
    monkeypatch.setenv("VTG_EVAL_DATA", str(tmp_path))
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path


def frames() -> Frames:
    times = np.arange(4) / 2
    info = VideoInfo("v", 2.0, 2.0, 64, 64, times)
    return Frames(np.zeros((4, 64, 64, 3), np.uint8), times, "f", "none 1", info)


def training(sample: Sample, task: str, split: str | None) -> TrainingSample:
    """Return the sample as a training sample as read from a file."""
    return TrainingSample(
        sample.id, "videos/v1.mp4", sample.query, sample.target.spans, task,
        split=split, video_id=sample.video, duration=sample.duration,
        options=sample.options, choice=sample.target.choice,
    )  # fmt: skip


def protocols(task: str) -> Iterator[str]:
    card = REGISTRY.task(task).card
    for name, protocol in REGISTRY.protocols.items():
        if protocol.covers(task, card.metric_family):
            yield name


@pytest.mark.parametrize(("task", "split"), SPLITS, ids=":".join)
def test_the_prompt_and_the_rules_are_those_of_evaluation(
    task: str, split: str, root: Path
) -> None:
    card, builder = REGISTRY.task(task).card, RequestBuilder(ADAPTER, PyavDecoder(), root / "f")
    path = root / "train.jsonl"
    write_samples(path, (training(sample, task, split) for sample in SAMPLES.values()))
    for name in protocols(task):
        rules = load_profile(NANO.path).applied(REGISTRY.protocol_for(card, name, split))
        evaluated = SampleContext(rules, partial(REGISTRY.task(task).subtitles, root))
        contexts = SampleContexts(ModelRule("nano", protocol=name), NANO.path, REGISTRY)
        for trained in load_samples([path]):
            context = contexts.of(trained)
            assert context.protocol == rules
            if wording(trained.asks, rules.prompt):
                expected = builder.request(SAMPLES[trained.asks], frames(), evaluated)
                request = builder.request(trained.to_sample(), frames(), context)
                assert request == replace(expected, frames=request.frames)
                shown = rules.prompt.subtitles != "none" and "{subtitles}" in wording(
                    trained.asks, rules.prompt
                )
                assert ("so they say" in request.prompt) == shown


def test_a_sample_of_no_task_is_asked_under_the_values_for_no_task() -> None:
    contexts = SampleContexts(ModelRule("nano"), None, REGISTRY)
    plain = REGISTRY.protocol("strict@2").without_task
    for source in ("timelens-100k/qvhighlights", "mine"):
        sample = training(SAMPLES[OutputType.SPANS], source, None)
        assert contexts.of(sample).protocol == plain
        assert contexts.of(sample).subtitles(sample.to_sample()) == ()
    timelens = SampleContexts(ModelRule("nano", protocol="timelens@1"), None, REGISTRY)
    uncovered = timelens.of(training(SAMPLES[OutputType.SPANS], "didemo", None))
    assert uncovered.protocol == REGISTRY.protocol("timelens@1").without_task


def test_one_pool_may_hold_several_sources() -> None:
    contexts = SampleContexts(ModelRule("nano"), None, REGISTRY)
    texts = {
        source: contexts.of(training(SAMPLES[OutputType.SPANS], source, None)).protocol.prompt.text
        for source in ("qvhighlights", "charades_sta", "mine")
    }
    assert texts["mine"] == texts["charades_sta"] != texts["qvhighlights"]


def test_a_split_that_the_task_does_not_have_is_named() -> None:
    contexts = SampleContexts(ModelRule("nano"), None, REGISTRY)
    with pytest.raises(UserError, match='Did you mean "val"'):
        contexts.of(training(SAMPLES[OutputType.SPANS], "qvhighlights", "vall"))


@pytest.mark.parametrize("text", ["4.0 - 9.0 seconds", "9.0 - 4.0 seconds", "at 4", "never"])
def test_the_reward_reads_as_the_score_of_the_task_does(text: str) -> None:
    name, card = "lmms-eval@0.7", REGISTRY.task("charades_timelens").card
    sample = Sample("a", "v", "it stops", Target((Span(4, 8),)), 20.0)
    contexts = SampleContexts(ModelRule("nano", protocol=name), None, REGISTRY)
    protocol = contexts.of(training(sample, card.name, "test")).protocol
    answer = REGISTRY.protocol(name).without_task.answer
    assert protocol.answer != answer  # the task has a rule of its own
    rules = REGISTRY.protocol_for(card, name, "test")
    scored = score(card, [sample], [Prediction("a", text=text)], rules, "test")
    assert Reward(RewardRule(tiou=1.0), protocol)(sample, text).tiou == scored.values[0]


def annotate_qvhighlights(root: Path) -> None:
    record = {
        "qid": 1, "query": "A family plays.", "duration": 2, "vid": "v1",
        "relevant_windows": [[0, 1]], "relevant_clip_ids": [0], "saliency_scores": [[4, 1, 1]],
    }  # fmt: skip
    (root / "qvhighlights").mkdir()
    (root / "qvhighlights/highlight_val_release.jsonl").write_text(json.dumps(record) + "\n")


def annotate_videomme(root: Path) -> None:
    asked = {
        "question_id": "001-1", "task_type": "OCR", "question": "What is it?", "answer": "B",
        "options": ["A. Red", "B. Blue"],
    }  # fmt: skip
    video = {
        "video_id": "v1", "duration": "short", "domain": "Art", "sub_category": "Law",
        "questions": [asked],
    }  # fmt: skip
    (root / "videomme/output_test_template.json").write_text(json.dumps([video]))


@dataclass(frozen=True, slots=True)
class Case:
    """A recipe on a task's split of one sample, and what a run asks of that sample."""

    registry: Registry
    recipe: Recipe
    sample: TrainingSample
    evaluated: Request


@pytest.fixture(
    params=[
        ("qvhighlights:val", "strict@2", annotate_qvhighlights, "of each such moment"),
        ("videomme:test", "strict-subtitles@2", annotate_videomme, "so they say"),
    ],
    ids=lambda param: param[0],
)
def case(request: pytest.FixtureRequest, root: Path) -> Case:
    name, protocol, annotate, phrase = request.param
    annotate(root)
    registry = fakes.make_registry(vtg_eval.video, rollouts)
    task, split = registry.task(name.partition(":")[0]), name.partition(":")[2]
    path = task.video_path(root, task.samples(root, split)[0].video)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clock(path, frames=24, rate=12, height=64, width=64)
    RolloutEngine.reset()
    options = RunOptions("nano", protocol, split, root, engine="rollouts", quiet=True)
    with closing(Runner(options, registry)) as runner:
        runner.run(runner.setup(task.card.name), root / "run")
    (evaluated,) = RolloutEngine.requests.values()
    assert phrase in evaluated.prompt
    rule, data = ModelRule("nano", protocol=protocol), DataRule((f"task:{name}",))
    difficulty = DifficultyRule(rollouts=1, engine="rollouts")
    recipe = with_task_data(Recipe("tiny", "", "", rule, data, difficulty=difficulty), registry)
    (sample,) = load_samples(map(Path, recipe.data.train))
    return Case(registry, recipe, sample, evaluated)


def test_difficulty_asks_what_a_run_asks(case: Case, root: Path) -> None:
    """Both from the annotation file to the engine."""
    RolloutEngine.reset()
    run_difficulty(case.recipe, [case.sample], "nano", root / "difficulty", case.registry)
    (trained,) = RolloutEngine.requests.values()
    assert same(trained, case.evaluated)


def test_sft_and_rl_ask_what_a_run_asks(case: Case) -> None:
    pytest.importorskip("transformers", reason="needs the extra hf")
    from vtg_eval.training.trainers.batches import Example, find_start_checkpoint, make_batches

    source = find_start_checkpoint(case.recipe.model, case.registry)
    batches, _ = make_batches(source, case.registry)
    contexts = SampleContexts(case.recipe.model, source.folder, case.registry)
    video = Path(case.recipe.data.videos) / case.sample.video
    example = Example(case.sample.to_sample(), video, contexts.of(case.sample))
    assert same(batches.request(example), case.evaluated)


def same(one: Request, other: Request) -> bool:
    """Tell whether two requests differ in their ids only."""
    assert one.frames is not None and other.frames is not None
    assert np.array_equal(one.frames.array, other.frames.array)
    return replace(one, frames=None, sample_id="") == replace(other, frames=None, sample_id="")
