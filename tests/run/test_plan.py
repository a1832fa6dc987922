from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import QUERIES, TASK, VIDEOS
from vtg_eval.errors import UserError
from vtg_eval.files.digests import subset_digest
from vtg_eval.run.plan import make_plan
from vtg_eval.types import Span

SAMPLES = TASK.samples(Path(), "test")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    TASK.prepare(tmp_path)
    return tmp_path


def test_a_videos_samples_are_adjacent_and_long_videos_come_first(root: Path) -> None:
    plan = make_plan(TASK, root, SAMPLES)
    assert [len(job.samples) for job in plan.jobs] == [QUERIES] * VIDEOS
    assert all(s.video == job.video for job in plan.jobs for s in job.samples)
    durations = [job.duration for job in plan.jobs]
    assert durations == sorted(durations, reverse=True)
    assert plan.samples == tuple(SAMPLES)
    assert plan.subset.whole


def test_samples_of_a_video_that_show_other_clips_are_other_jobs(root: Path) -> None:
    first, second = (Span(0.0, 1.0),), (Span(1.0, 2.0), Span(3.0, 4.0))
    shown = [first, second, (), first]
    samples = [replace(s, clips=c) for s, c in zip(SAMPLES[:4], shown, strict=True)]
    samples = [replace(s, video=SAMPLES[0].video) for s in samples]
    plan = make_plan(TASK, root, samples)
    ids_by_clips = {job.clips: [s.id for s in job.samples] for job in plan.jobs}
    ids = [s.id for s in samples]
    assert ids_by_clips == {first: [ids[0], ids[3]], second: [ids[1]], (): [ids[2]]}
    assert {job.video for job in plan.jobs} == {SAMPLES[0].video}


@given(st.sets(st.sampled_from([s.id for s in SAMPLES])))
def test_jobs_hold_the_unanswered_samples(answered: set[str]) -> None:
    plan = make_plan(TASK, Path("none"), SAMPLES, answered=answered, needs_videos=False)
    planned = [s.id for job in plan.jobs for s in job.samples]
    assert sorted(planned) == sorted({s.id for s in SAMPLES} - answered)
    assert len(plan.samples) == len(SAMPLES)


def test_limit_takes_the_first_samples_and_says_so(root: Path) -> None:
    plan = make_plan(TASK, root, SAMPLES, limit=5)
    assert [s.id for s in plan.samples] == [s.id for s in SAMPLES[:5]]
    assert (plan.subset.size, plan.subset.of, plan.subset.whole) == (5, len(SAMPLES), False)
    assert plan.subset.digest != make_plan(TASK, root, SAMPLES).subset.digest


def test_a_limit_beyond_the_end_is_the_whole_split(root: Path) -> None:
    assert make_plan(TASK, root, SAMPLES, limit=999).subset.whole


def test_missing_videos_are_refused_with_the_way_out(root: Path) -> None:
    for video in ("v2", "v5"):
        TASK.video_path(root, video).unlink()
    with pytest.raises(UserError) as caught:
        make_plan(TASK, root, SAMPLES)
    message = str(caught.value)
    assert "2 of 8 videos are missing" in message
    assert "data check fake_vtg" in message
    assert "--allow-subset" in message


def test_a_subset_holds_the_samples_with_a_video(root: Path) -> None:
    TASK.video_path(root, "v2").unlink()
    plan = make_plan(TASK, root, SAMPLES, allow_subset=True)
    assert {s.video for s in plan.samples} == {f"v{n}" for n in range(VIDEOS)} - {"v2"}
    assert plan.subset.missing_videos == ("v2",)
    assert plan.subset.size == (VIDEOS - 1) * QUERIES


def test_a_data_root_without_any_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to ask"):
        make_plan(TASK, tmp_path, SAMPLES, allow_subset=True)


@given(st.permutations([s.id for s in SAMPLES]))
def test_the_digest_is_of_the_set(ids: list[str]) -> None:
    assert subset_digest(ids[::-1]) == subset_digest(ids)
    assert subset_digest(ids[1:]) != subset_digest(ids)
