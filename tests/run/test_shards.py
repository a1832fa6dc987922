from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import TASK, VIDEOS
from vtg_eval.run.plan import Plan, VideoJob, make_plan
from vtg_eval.run.shards import Shard, divided, run_of

SAMPLES = TASK.samples(Path(), "test")
WEIGHTS = st.lists(st.floats(0.0, 1e6), max_size=40)


def plan(shard: Shard | None, answered: Collection[str] = ()) -> Plan:
    return make_plan(
        TASK, Path("none"), SAMPLES, answered=answered, needs_videos=False, shard=shard
    )


@given(WEIGHTS, st.integers(1, 12))
def test_no_part_is_heavier_than_another_by_more_than_an_item(
    weights: list[float], parts: int
) -> None:
    chosen = divided(weights, parts)
    loads = [0.0] * parts
    for weight, part in zip(weights, chosen, strict=True):
        loads[part] += weight
    assert max(loads) - min(loads) <= max(weights, default=0.0) * (1 + 1e-9)


def test_equal_items_are_dealt_in_turn() -> None:
    assert divided([1.0] * 7, 3) == [0, 1, 2, 0, 1, 2, 0]
    assert divided([1.0, 5.0, 1.0, 2.0], 2) == [1, 0, 1, 1]


@pytest.mark.parametrize("of", [1, 2, 3, VIDEOS, VIDEOS + 5])
def test_shards_divide_the_videos(of: int) -> None:
    plans = [plan(Shard(number, of)) for number in range(1, of + 1)]
    asked = [sample.id for part in plans for sample in part.asked]
    assert sorted(asked) == sorted(sample.id for sample in SAMPLES)
    videos = [{sample.video for sample in part.asked} for part in plans]
    assert sum(map(len, videos)) == VIDEOS
    assert max(map(len, videos)) - min(map(len, videos)) <= 1 + VIDEOS // of
    for part in plans:
        assert part.samples == tuple(SAMPLES)
        assert part.subset == plan(None).subset
        assert {s.id for job in part.jobs for s in job.samples} == {s.id for s in part.asked}


@given(st.sets(st.sampled_from([s.id for s in SAMPLES])))
def test_answers_change_what_is_left_of_a_shard_and_not_what_is_in_it(answered: set[str]) -> None:
    before, now = plan(Shard(2, 3)), plan(Shard(2, 3), answered)
    assert now.asked == before.asked
    left = {sample.id for job in now.jobs for sample in job.samples}
    assert left == {sample.id for sample in before.asked} - answered


@pytest.mark.parametrize(
    ("seconds", "weight"), [(30.0, 60.0), (600.0, 1200.0), (7200.0, 1200.0), (None, 1200.0)]
)
def test_a_jobs_weight_is_its_samples_times_its_seconds_up_to_ten_minutes(
    seconds: float | None, weight: float
) -> None:
    samples = tuple(replace(sample, duration=seconds) for sample in SAMPLES[:2])
    assert VideoJob("v0", Path("v0.mp4"), samples).weight == weight


def test_a_shards_folder_is_in_that_of_its_run() -> None:
    folder = Shard(2, 8).folder(Path("runs/a"))
    assert folder == Path("runs/a/shards/2-of-8")
    assert run_of(folder) == Path("runs/a")
    assert run_of(Path("elsewhere/2-of-8")) is None
