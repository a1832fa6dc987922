import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from vtg_eval.tasks.longvideobench import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import score_under
from vtg_eval.errors import DataError, UserError
from vtg_eval.question import question
from vtg_eval.registry import Registry
from vtg_eval.types import Cue, OutputType, Prediction

ROW = {
    "video_id": "@user-1",
    "video_path": "1.mp4",
    "question": "Who?",
    "candidates": ["he", "she", "it"],
    "correct_choice": 2,
    "topic_category": "KA-Knowledge-Art",
    "question_category": "TOS",
    "id": "@user-1_0",
    "subtitle_path": "1_en.json",
    "duration_group": 15,
    "starting_timestamp_for_subtitles": 100,
    "duration": 12.5,
}
CUES = [
    {"start": "00:01:30.000", "end": "00:01:39.500", "line": "before"},
    {"start": "00:01:41.000", "end": "00:01:43.000", "line": "in it"},
    {"start": "00:02:00.000", "end": "00:02:03.000", "line": "after"},
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, ROW)
    (tmp_path / "subtitles").mkdir()
    (tmp_path / "subtitles/1_en.json").write_text(json.dumps(CUES))
    return tmp_path


def write(root: Path, *rows: object) -> None:
    (root / "lvb_val.json").write_text(json.dumps(rows))


def test_records_become_samples(root):
    (sample,) = TASK.samples(root, "val")
    assert (sample.id, sample.video, sample.query) == ("@user-1_0", "1.mp4", "Who?")
    assert (sample.options, sample.target.choice) == (("he", "she", "it"), "C")
    assert (sample.duration, sample.asks) == (12.5, OutputType.CHOICE)
    assert dict(sample.groups) == {
        "duration group": "15 s",
        "question category": "TOS",
        "topic": "KA-Knowledge-Art",
    }
    assert TASK.video_path(root, sample.video) == root / "videos/1.mp4"


@pytest.mark.parametrize(
    "change",
    [
        {"correct_choice": 3},
        {"correct_choice": -1},
        {"correct_choice": "2"},
        {"candidates": None},
        {"duration": "long"},
        {"duration_group": 1.5},
    ],
)
def test_a_broken_record_is_named(root, change):
    write(root, ROW, {**ROW, **change})
    with pytest.raises(DataError, match=r"lvb_val\.json, item 1"):
        TASK.samples(root, "val")


def test_the_error_for_a_missing_file_names_its_source(tmp_path):
    with pytest.raises(UserError, match="longvideobench/LongVideoBench"):
        TASK.samples(tmp_path, "val")


def test_subtitles_are_in_the_cut_videos_time(root):
    (sample,) = TASK.samples(root, "val")
    assert TASK.subtitles(root, sample) == (Cue(1.0, 3.0, "in it"),)
    write(root, {**ROW, "starting_timestamp_for_subtitles": 0, "duration": 100.0})
    os.utime(
        root / "lvb_val.json", ns=(1, 1)
    )  # a new modification time, whatever the clock's resolution
    (sample,) = TASK.samples(root, "val")
    assert [cue.text for cue in TASK.subtitles(root, sample)] == ["before"]


def test_missing_subtitles_are_an_error_and_not_silence(root):
    (sample,) = TASK.samples(root, "val")
    with pytest.raises(DataError, match=r"no video 2\.mp4"):
        TASK.subtitles(root, replace(sample, video="2.mp4"))
    (root / "subtitles/1_en.json").unlink()
    with pytest.raises(DataError, match=r"1_en\.json"):
        TASK.subtitles(root, sample)


def test_the_prompts_of_both_harnesses_are_reproduced_exactly(root):
    registry = Registry.discover()
    (sample,) = TASK.samples(root, "val")
    sample = replace(sample, subtitles="in it\nout of it")
    asked = "A. he\nB. she\nC. it\nAnswer with the option's letter from the given choices directly."
    official = registry.protocol_for(TASK.card, "longvideobench@1").prompt
    assert question(sample, official) == f"in it\nout of it\nQuestion: Who?\n{asked}"
    lmms = registry.protocol_for(TASK.card, "lmms-longvideobench@1").prompt
    assert question(sample, lmms) == f"Who?\n{asked}\n"


@pytest.mark.parametrize("protocol", ["longvideobench@1", "lmms-longvideobench@1"])
def test_an_answer_without_a_letter_scores_0_and_figures_have_three_decimals(root, protocol):
    write(root, *({**ROW, "id": str(k), "duration_group": 15 + 45 * (k > 0)} for k in range(3)))
    samples = TASK.samples(root, "val")
    texts = ("The answer is (C).", "C", "it")
    answers = [Prediction(s.id, text=t) for s, t in zip(samples, texts, strict=True)]
    result = score_under(protocol, TASK, "val", samples, answers)
    assert result.metrics == {"accuracy": 66.667, "15 s": 100.0, "60 s": 50.0}


@needs_benchmarks
def test_the_gotchas_of_the_card_are_true():
    samples = TASK.samples(BENCHMARKS, "val")
    lengths = Counter(s.group("duration group") for s in samples)
    assert lengths == {"15 s": 189, "60 s": 172, "600 s": 412, "3600 s": 564}
    assert Counter(len(s.options) for s in samples) == {3: 1, 4: 353, 5: 983}
    doubled = [s for s in samples if len(set(s.options)) < len(s.options)]
    assert len(doubled) == 8
    right = [s.options[s.letters.index(s.target.choice)] for s in doubled]
    assert all(s.options.count(text) == 1 for s, text in zip(doubled, right, strict=True))
