import json
import math
import sys

import pytest
from vtg_eval.tasks.videomme import PARQUET, TASK

from tests.task_case import score_under, touch
from vtg_eval.errors import DataError, UserError
from vtg_eval.question import question
from vtg_eval.registry import Registry
from vtg_eval.types import Group, OutputType, Prediction

PROTOCOLS = Registry.discover().protocols
ASKED = (
    "Select the best answer to the following multiple-choice question based on the video. "
    "Respond with only the letter (A, B, C, or D) of the correct option.\n"
    "What is it?\nA. Apples.\nB. A. Bread.\nC. Milk\nD. D\n"
)


def query(name, answer="C", task="OCR Problems"):
    return {
        "question_id": name,
        "task_type": task,
        "question": "What is it?",
        "options": ["A. Apples.", "B. A. Bread.", "C. Milk", "D"],
        "answer": answer,
    }


def video(name, duration):
    return {
        "video_id": name,
        "duration": duration,
        "domain": "Knowledge",
        "sub_category": "Law",
        "questions": [query(f"{name}-{k}") for k in (1, 2)],
    }


VIDEOS = [video("001", "short"), video("301", "long")]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "output_test_template.json").write_text(json.dumps(VIDEOS))
    return tmp_path


def flat(videos):
    """Return the rows of the Parquet file, one for each question."""
    return [
        {
            **{k: v for k, v in row.items() if k != "questions"},
            "videoID": f"y{row['video_id']}",
            **q,
        }
        for row in videos
        for q in row["questions"]
    ]


def test_records_become_samples_without_the_labels_of_options(root):
    samples = TASK.samples(root, "test")
    assert [s.id for s in samples] == ["001-1", "001-2", "301-1", "301-2"]
    first = samples[0]
    assert (first.video, first.query, first.target.choice) == ("001", "What is it?", "C")
    assert first.options == ("Apples.", "A. Bread.", "Milk", "D")
    assert (first.asks, first.duration) == (OutputType.CHOICE, None)
    assert first.groups == (
        Group("duration", "short"),
        *(Group("domain", "Knowledge"), Group("short: domain", "Knowledge")),
        *(Group("sub-category", "Law"), Group("short: sub-category", "Law")),
        *(Group("task type", "OCR Problems"), Group("short: task type", "OCR Problems")),
    )


def test_the_parquet_file_comes_first_and_names_videos_by_their_address(root):
    arrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    path = root / "videomme" / PARQUET
    path.parent.mkdir()
    parquet.write_table(arrow.Table.from_pylist(flat(VIDEOS)), root / PARQUET)
    (root / PARQUET).rename(path)
    for above in (root, root / "videomme"):
        samples = TASK.samples(above, "test")
        assert [s.video for s in samples] == ["y001", "y001", "y301", "y301"]
        assert samples[0].options == ("Apples.", "A. Bread.", "Milk", "D")
    path.write_bytes(b"PAR1 broken")
    with pytest.raises(DataError, match="not a Parquet file"):
        TASK.samples(root, "test")


def test_without_pyarrow_the_extra_is_named(root, monkeypatch):
    (root / PARQUET).touch()
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match="the extra parquet"):
        TASK.samples(root, "test")


def test_the_error_for_a_missing_file_names_its_source(tmp_path):
    with pytest.raises(UserError, match=r"parquet is missing.*lmms-lab/Video-MME"):
        TASK.samples(tmp_path, "test")


@pytest.mark.parametrize("key", ["options", "answer", "question_id", "task_type"])
def test_a_malformed_question_is_named(root, key):
    broken = [VIDEOS[0], {**VIDEOS[1], "questions": [{**query("301-1"), key: None}]}]
    (root / "output_test_template.json").write_text(json.dumps(broken))
    with pytest.raises(DataError, match=rf'item 1, questions\[0\]: "{key}"'):
        TASK.samples(root, "test")


def test_subtitles_are_those_of_the_video_and_may_be_missing(root):
    (root / "subtitle").mkdir()
    lines = "1\n00:00:01,000 --> 00:00:02,500\nHi guys\n"
    (root / "subtitle/001.srt").write_text(lines)
    first, *_, last = TASK.samples(root, "test")
    assert [cue.text for cue in TASK.subtitles(root, first)] == ["Hi guys"]
    assert TASK.subtitles(root, last) == ()


@pytest.mark.parametrize(
    ("protocol", "before", "after"),
    [
        ("video-mme@1", "", "The best answer is:"),
        (
            "video-mme-subtitles@1",
            "This video's subtitles are listed below:\n\n",
            "The best answer is:",
        ),
    ],
)
def test_official_prompts_are_reproduced_exactly(root, protocol, before, after):
    sample = TASK.samples(root, "test")[0]
    assert question(sample, PROTOCOLS[protocol].without_task.prompt) == before + ASKED + after


def test_the_prompts_of_other_harnesses_are_reproduced_exactly(root):
    sample = TASK.samples(root, "test")[0]
    select, options = ASKED.split("\n", 1)
    assert question(sample, PROTOCOLS["vlmevalkit-video-mme@1"].without_task.prompt) == (
        f"\nThese are the frames of a video. {select}\nQuestion: {options}Answer: "
    )
    spoken = select.replace("on the video.", "on the video and the subtitles.")
    assert question(sample, PROTOCOLS["lmms-eval@0.7"].with_overrides("videomme").prompt) == (
        f"{spoken}\n{options}\nAnswer with the option's letter from the given choices directly."
    )


@pytest.mark.parametrize(
    ("protocol", "figures", "scored"),
    [
        ("video-mme@1", (50.0, 50.0, math.nan), 2),
        ("vlmevalkit-video-mme@1", (25.0, 50.0, 0.0), 4),
        ("lmms-eval@0.7", (25.0, 50.0, 0.0), 4),
        ("strict@2", (25.0, 50.0, 0.0), 4),
    ],
)
def test_only_the_official_rule_leaves_answers_without_a_letter_out(
    root, protocol, figures, scored
):
    samples = TASK.samples(root, "test")
    answers = [Prediction("001-1", text="C"), Prediction("001-2", text="B")]
    answers += [Prediction("301-1", text="no idea"), Prediction("301-2", text="")]
    result = score_under(protocol, TASK, "test", samples, answers)
    metrics = tuple(result.metrics[k] for k in ("accuracy", "short", "long"))
    assert metrics == pytest.approx(figures, nan_ok=True)
    assert result.n_scored == scored


def test_percentages_are_rounded_as_they_are_printed(root):
    samples = [s for s in TASK.samples(root, "test") if s.id != "301-2"]
    answers = [Prediction(s.id, text="BC"[s.id == "301-1"]) for s in samples]
    result = {
        name: score_under(name, TASK, "test", samples, answers).metrics["accuracy"]
        for name in ("video-mme@1", "lmms-eval@0.7")
    }
    assert result == {"video-mme@1": 33.3, "lmms-eval@0.7": 100 / 3}


def test_a_video_may_have_another_folder_and_suffix(root):
    assert TASK.video_path(root, "y1") == root / "videos/y1.mp4"
    path = touch(root / "data/y1.mkv")
    assert TASK.video_path(root, "y1") == path
