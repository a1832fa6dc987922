from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import QUERIES, TASK, VIDEOS, FakeAdapter
from vtg_eval.adapter import Checkpoint
from vtg_eval.protocol import FrameRule, PromptRule, ResolvedProtocol
from vtg_eval.run.estimate import RunEstimate, estimate
from vtg_eval.run.plan import make_plan

PROTOCOL = ResolvedProtocol("test@1", "", "", FrameRule(), PromptRule(text="{query}"))
PLAN = make_plan(TASK, Path(), TASK.samples(Path(), "test"), needs_videos=False)
ADAPTER = FakeAdapter(Checkpoint("x", None))


def protocol(rule: FrameRule) -> ResolvedProtocol:
    return replace(PROTOCOL, frames=rule)


def test_frames_and_disk_follow_the_durations() -> None:
    result = estimate(PLAN, ADAPTER, protocol(FrameRule(fps=2.0)))
    seconds = sum(job.duration for job in PLAN.jobs)
    assert (result.samples, result.videos) == (VIDEOS * QUERIES, VIDEOS)
    assert result.frames == pytest.approx(2 * seconds, abs=2 * VIDEOS)
    assert result.disk == result.frames * 8 * 8 * 3
    assert result.disk / VIDEOS < result.memory < result.disk


def test_the_frame_budget_bounds_the_tokens() -> None:
    rule = FrameRule(max_frames=10, max_tokens=100, total_tokens=300)
    result = estimate(PLAN, ADAPTER, protocol(rule))
    assert result.frames == 10 * VIDEOS
    assert result.tokens == 300 * VIDEOS * QUERIES
    assert result.shared_tokens == 300 * VIDEOS
    assert result.answer_tokens == PROTOCOL.generation.max_new_tokens * VIDEOS * QUERIES


def test_a_model_without_frames_takes_no_disk_and_no_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeAdapter, "needs_frames", False)
    result = estimate(PLAN, ADAPTER, protocol(FrameRule()))
    assert result == RunEstimate(VIDEOS * QUERIES, VIDEOS, answer_tokens=256 * VIDEOS * QUERIES)


def test_frames_that_share_no_tokens_count_one_by_one(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs the extra hf")
    from tests.engine_case import make_adapter
    from tests.tiny_families import tiny_families

    adapter = make_adapter(tiny_families()["video_llama_3"].build(tmp_path))
    rule = FrameRule(max_frames=10, max_tokens=100, total_tokens=5000)
    assert estimate(PLAN, adapter, protocol(rule)).tokens == 10 * 100 * VIDEOS * QUERIES
