import json

import pytest
from vtg_eval.tasks.lvbench import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import score_under, touch
from vtg_eval.errors import DataError, UserError
from vtg_eval.question import question
from vtg_eval.registry import Registry
from vtg_eval.types import Group, OutputType, Prediction

PROTOCOLS = Registry.discover().protocols
TEXT = "What year? \n(A) 1636\n(B) two\nlines (C)\n(C) (A) 1363\n(D) 1633"
KINDS = ["summarization", "reasoning", "summarization"]


def row(uid, answer="D", **more):
    return {
        "uid": uid,
        "question": TEXT,
        "answer": answer,
        "question_type": ["reasoning"],
        "time_reference": "00:15-00:19",
        **more,
    }


VIDEOS = [
    {"key": "aXb", "type": "cartoon", "qa": [row("55"), row(7, question_type=KINDS)]},
    {"key": "cYd", "type": "live", "video_info": {}, "qa": [row("8", "B")]},
]


@pytest.fixture
def root(tmp_path):
    lines = "".join(json.dumps(video) + "\n" for video in VIDEOS)
    (tmp_path / "video_info.meta.jsonl").write_text(lines)
    return tmp_path


def test_questions_become_samples_with_their_options_apart(root):
    first, second, third = TASK.samples(root, "test")
    assert [s.id for s in (first, second, third)] == ["55", "7", "8"]
    assert (first.video, first.query, first.target.choice) == ("aXb", "What year? ", "D")
    assert first.options == ("1636", "two\nlines (C)", "(A) 1363", "1633")
    assert (first.asks, first.target.spans) == (OutputType.CHOICE, ()), (
        "time_reference is not a target"
    )
    assert first.groups == (Group("question type", "reasoning"), Group("video type", "cartoon"))
    kinds = [g.name for g in second.groups if g.grouping == "question type"]
    assert kinds == ["summarization", "reasoning"]
    assert third.target.choice == "B"


def test_a_protocol_can_ask_for_the_original_text(root):
    sample = TASK.samples(root, "test")[0]
    assert question(sample, PROTOCOLS["lvbench@1"].without_task.prompt) == TEXT
    prompt = PROTOCOLS["lmms-eval@0.7"].with_overrides("lvbench").prompt
    assert question(sample, prompt) == TEXT + "\nAnswer the question with the option letter"


def test_a_question_counts_in_each_of_its_types_and_once_in_all(root):
    samples = TASK.samples(root, "test")
    answers = [Prediction("55", text="(A)"), Prediction("7", text="D")]
    result = score_under("lvbench@1", TASK, "test", samples, answers)
    assert result.metrics == {"accuracy": 50.0, "reasoning": 50.0, "summarization": 100.0}
    assert result.n_scored == 2, "the sample without an answer is not scored"
    strict = score_under("strict@2", TASK, "test", samples, answers)
    assert strict.metrics["accuracy"] == 100 / 3


def test_the_right_letter_of_clean_is_that_of_the_candidate_with_the_answers_text(tmp_path):
    record = {
        "video": "00000000",
        "type": "tv",
        "question": "Who?",
        "candidates": ["(A) he", "(B) she", "(C) (B) she", "D"],
        "answer": "(C) (B) she",
        "question_type": ["reasoning"],
        "time_reference": "None-None",
    }
    (tmp_path / "lvbench_clean.json").write_text(json.dumps([record, {**record, "answer": "x"}]))
    first, second = TASK.samples(tmp_path, "clean")
    assert (first.id, first.video, first.target.choice) == ("0", "00000000", "C")
    assert first.options == ("he", "she", "(B) she", "D")
    assert (second.id, second.target.choice) == ("1", None)


@pytest.mark.parametrize("key", ["uid", "question", "answer", "question_type"])
def test_a_malformed_question_is_named(root, key):
    video = {"key": "z", "qa": [row("1"), {**row("2"), key: None}]}
    with (root / "video_info.meta.jsonl").open("a") as file:
        file.write(json.dumps(video))
    with pytest.raises(DataError, match=rf'line 3, qa\[1\]: "{key}"'):
        TASK.samples(root, "test")


def test_the_error_for_a_missing_file_names_its_source(tmp_path):
    with pytest.raises(UserError, match="zai-org/LVBench"):
        TASK.samples(tmp_path, "test")
    with pytest.raises(UserError, match="VideoChat-Flash"):
        TASK.samples(tmp_path, "clean")


def test_videos_are_looked_for_in_the_usual_folders(root):
    assert TASK.video_path(root, "aXb") == root / "videos/aXb.mp4"
    path = touch(root / "all_videos/aXb.webm")
    assert TASK.video_path(root, "aXb") == path


@needs_benchmarks
def test_the_gotchas_of_the_card_are_true():
    samples = TASK.samples(BENCHMARKS, "clean")
    assert all(s.target.choice and len(s.options) == 4 for s in samples)
    kinds = [g.name for s in samples for g in s.groups if g.grouping == "question type"]
    counts = {kind: kinds.count(kind) for kind in kinds}
    assert counts == {
        **{"entity recognition": 664, "event understanding": 633, "temporal grounding": 216},
        **{"key information retrieval": 288, "reasoning": 200, "summarization": 58},
    }
