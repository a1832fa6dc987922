import json
from collections import Counter
from pathlib import Path

import pytest
from vtg_eval.tasks.mvbench import SOURCES, TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import score_under, touch
from vtg_eval.errors import DataError, UserError
from vtg_eval.question import question
from vtg_eval.registry import Registry
from vtg_eval.types import OutputType, Prediction, Span

ROW = {
    "video": "a.mp4",
    "question": "Who?",
    "candidates": ["He ", "She", "It "],
    "answer": "She",
    "start": 1.5,
    "end": 4.0,
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for kind in SOURCES:
        (tmp_path / f"{kind}.json").write_text(json.dumps([ROW]))
    return tmp_path


def test_records_become_samples(root):
    samples = {s.id: s for s in TASK.samples(root, "test")}
    assert [*samples] == [f"{kind}/0" for kind in SOURCES]
    sample = samples["object_shuffle/0"]
    assert (sample.video, sample.query) == ("perception/videos/a.mp4", "Who?")
    assert (sample.options, sample.target.choice) == (("He ", "She", "It"), "B")
    assert (sample.group("task"), sample.asks) == ("object_shuffle", OutputType.CHOICE)


def test_five_tasks_show_a_part_of_the_video(root):
    clipped = [s for s in TASK.samples(root, "test") if s.clips]
    assert [s.group("task") for s in clipped] == [
        "action_sequence",
        "action_prediction",
        "object_interaction",
        "action_localization",
        "episodic_reasoning",
    ]
    assert {(s.clips, s.duration) for s in clipped} == {((Span(1.5, 4.0),), 2.5)}


def test_of_equal_options_the_first_is_right(root):
    row = {**ROW, "candidates": ["She", "She"]}
    (root / "state_change.json").write_text(json.dumps([row]))
    samples = {s.id: s for s in TASK.samples(root, "test")}
    assert samples["state_change/0"].target.choice == "A"


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "they"},
        {"candidates": []},
        {"candidates": "She"},
        {"start": None},
        {"end": "nan"},
        {"video": None},
    ],
)
def test_a_broken_record_is_named(root, change):
    (root / "action_sequence.json").write_text(json.dumps([ROW, {**ROW, **change}]))
    with pytest.raises(DataError, match=r"action_sequence\.json, item 1"):
        TASK.samples(root, "test")


def test_the_error_for_a_missing_file_names_its_source(root):
    (root / "moving_count.json").unlink()
    with pytest.raises(UserError, match=r"moving_count\.json is missing.*OpenGVLab/MVBench"):
        TASK.samples(root, "test")


def test_videos_are_looked_for_where_the_archives_unpack(root):
    videos = {s.group("task"): s.video for s in TASK.samples(root, "test")}
    assert videos["episodic_reasoning"] == "tvqa/frames_fps3_hq/a.mp4.mp4"
    video = videos["object_existence"]
    assert TASK.video_path(root, video) == root / "video/clevrer/video_validation/a.mp4"
    path = touch(root / "video/data0613/clevrer/video_validation/a.mp4")
    assert TASK.video_path(root, video) == path


def test_the_official_prompt_is_reproduced_exactly(root):
    rule = Registry.discover().protocol_for(TASK.card, "mvbench@1").prompt
    text = question(TASK.samples(root, "test")[0], rule)
    assert text.startswith("Carefully watch the video and pay attention")
    assert text.endswith(
        "accurately addresses the question.\nQuestion: Who?\nOptions:\n(A) He \n(B) She\n(C) It\n"
        "Only give the best option.\nBest option:("
    )
    assert text.startswith(rule.system)


@pytest.mark.parametrize(
    ("text", "right"),
    [("(B) She", 1), ("b", 1), ("B.", 1), ("", 1), ("(", 1), ("(A)", 0), ("Best option: (B)", 0)],
)
def test_the_first_word_decides(root, text, right):
    samples = TASK.samples(root, "test")
    answers = [Prediction(s.id, text=text) for s in samples[:5]]
    metrics = score_under("mvbench@1", TASK, "test", samples, answers).metrics
    assert metrics["Avg"] == metrics["accuracy"] == 25.0 * right, "15 of 20 are missing and wrong"
    assert metrics["action_sequence"] == 100.0 * right


@needs_benchmarks
def test_the_gotchas_of_the_card_are_true():
    samples = TASK.samples(BENCHMARKS, "test")
    assert set(Counter(s.group("task") for s in samples).values()) == {200}
    single = [s.id for s in samples if len(s.options) == 1]
    assert single == [f"counterfactual_inference/{k}" for k in (81, 98, 111, 137, 162)]
    assert sum(bool(s.clips) for s in samples) == 1000
    assert not [s for s in samples if len(set(s.options)) < len(s.options)]
    sizes = Counter(len(s.options) for s in samples)
    assert sizes == {1: 5, 2: 118, 3: 1301, 4: 2376, 5: 200}
