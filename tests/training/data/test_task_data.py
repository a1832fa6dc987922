"""A task's own split as training data: its samples and videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from vtg_eval.training.data.sample import load_samples
from vtg_eval.training.data.task_data import with_task_data
from vtg_eval.training.recipe import DataRule, ModelRule, Recipe

from vtg_eval.errors import UserError
from vtg_eval.registry import Registry

REGISTRY = Registry.discover()


def recipe(*train: str, videos: str = "") -> Recipe:
    return Recipe("tiny", "", "", ModelRule("nano"), DataRule(train, videos=videos))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path))


def test_a_splits_samples_become_training_samples() -> None:
    resolved = with_task_data(recipe("task:synth_vtg:train"), REGISTRY)
    task = REGISTRY.task("synth_vtg")
    present = [s for s in task.samples(Path(), "train") if s.target.spans]
    samples = load_samples(map(Path, resolved.data.train))
    assert [(s.id, s.query, s.spans) for s in samples] == [
        (s.id, s.query, s.target.spans) for s in present
    ]
    assert not Path(resolved.data.videos, samples[0].video).exists()  # they were not asked for
    assert with_task_data(recipe("task:synth_vtg:train"), REGISTRY) == resolved


def test_the_videos_of_the_first_samples_are_made_and_no_others() -> None:
    resolved = with_task_data(recipe("task:synth_vtg:train:5"), REGISTRY, videos=True)
    samples = load_samples(map(Path, resolved.data.train))
    assert len(samples) == 5
    expected = {Path(resolved.data.videos, sample.video) for sample in samples}
    assert set(next(iter(expected)).parent.glob("train-*.mp4")) == expected


def test_each_stage_may_have_a_part_of_a_split_of_its_own() -> None:
    data = DataRule(cold_start=("task:synth_vtg:train:5",), rl=("task:synth_long:train:6-8",))
    resolved = with_task_data(replace(recipe(), data=data), REGISTRY).data
    whole = with_task_data(recipe("task:synth_long:train"), REGISTRY).data
    assert (resolved.train, resolved.videos) == ((), whole.videos)
    samples = load_samples(map(Path, resolved.cold_start))
    assert [sample.source for sample in samples] == ["synth_vtg"] * 5
    assert load_samples(map(Path, resolved.rl)) == load_samples(map(Path, whole.train))[5:8]


def test_other_recipes_stay_as_they_are() -> None:
    files = recipe("a.jsonl", "b.jsonl", videos="v")
    assert with_task_data(files, REGISTRY) is files


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (DataRule(("task:synth_vtg",)), "must be task:NAME:SPLIT"),
        (DataRule(("task:synth_vtg:train:x",)), "must be task:NAME:SPLIT"),
        (DataRule(("task:synth_vtg:train:0",)), "names no sample to train on"),
        (DataRule(("task:synth_vtg:train:0-4",)), "COUNT or …:SPLIT:FIRST-LAST"),
        (DataRule(("task:synth_vtg:train:5-4",)), "names no sample to train on"),
        (DataRule(rl=("task:synth_vtg:train:x",)), 'data.rl has "task:synth_vtg:train:x"'),
        (DataRule(("task:synth_vtg:train",), rl=("b.jsonl",)), "no other key may name files"),
        (DataRule(("task:synth_vtg:trian",)), 'Did you mean "train"'),
        (DataRule(("task:synth:train",)), 'no task "synth"'),
        (DataRule(("task:synth_vtg:train", "a.jsonl")), "must be the only entry"),
        (DataRule(("task:synth_vtg:train",), videos="v"), "must be the only entry"),
    ],
)
def test_a_mistake_is_named(data: DataRule, says: str) -> None:
    with pytest.raises(UserError) as error:
        with_task_data(replace(recipe("x"), data=data), REGISTRY)
    assert says in str(error.value)
