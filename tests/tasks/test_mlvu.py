import json

import pytest
from vtg_eval.tasks.mlvu import DEV_FILES, TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import score_under, touch
from vtg_eval.errors import DataError, UserError
from vtg_eval.question import question
from vtg_eval.registry import Registry
from vtg_eval.types import Group, OutputType, Prediction

PROTOCOLS = Registry.discover().protocols


def row(video="a.mp4", answer="two", candidates=("one", "two", "three", "four"), **more):
    return {
        "video": video,
        "duration": 246,
        "question": "How many?",
        "candidates": candidates,
        "answer": answer,
        "question_type": "findNeedle",
        **more,
    }


@pytest.fixture
def root(tmp_path):
    for kind, stem in DEV_FILES.items():
        (tmp_path / f"{stem}.json").write_text(json.dumps([row(f"{kind}.mp4")]))
    return tmp_path


def test_tasks_come_in_the_official_order_and_are_named_by_their_file(root):
    samples = TASK.samples(root, "dev")
    names = ["count", "ego", "needle", "order", "plotQA", "anomaly_reco", "topic_reasoning"]
    assert [s.id for s in samples] == [f"{name}/0" for name in names]
    assert samples[2].groups == (Group("task", "needle"), Group("video length", "under 600 s"))
    first = samples[0]
    assert (first.video, first.query, first.duration) == ("count.mp4", "How many?", 246.0)
    assert (first.options[1], first.target.choice, first.asks) == ("two", "B", OutputType.CHOICE)


@pytest.mark.parametrize(
    ("answer", "candidates", "letter"),
    [
        ("five", ("one", "two"), None),
        ("one", ("one", "two", "one", "two"), "C"),
        ("", ("", "", "", ""), "D"),
        ("One", ("one", "two"), None),
    ],
)
def test_broken_items_have_the_letter_that_the_official_script_gives_them(
    root, answer, candidates, letter
):
    path = root / "2_needle.json"
    path.write_text(json.dumps([row(answer=answer, candidates=candidates)]))
    assert TASK.samples(root, "dev")[2].target.choice == letter


@pytest.mark.parametrize("protocol", ["strict@2", "mlvu@1", "lmms-eval@0.7"])
def test_an_answer_that_is_no_option_counts_and_is_never_right(root, protocol):
    (root / "2_needle.json").write_text(json.dumps([row(answer="five")]))
    samples = TASK.samples(root, "dev")
    for letter in (*"ABCD", "", None):
        answers = [Prediction(s.id, choice=s.target.choice or letter) for s in samples]
        result = score_under(protocol, TASK, "dev", samples, answers)
        assert (result.metrics["needle"], result.metrics["count"]) == (0.0, 100.0)
        assert result.n_scored == 7
        assert result.metrics["M-Avg"] == pytest.approx(600 / 7)


@pytest.mark.parametrize(
    ("key", "value"), [("candidates", "one"), ("video", None), ("duration", "long")]
)
def test_a_malformed_record_is_named(root, key, value):
    (root / "5_order.json").write_text(json.dumps([row(), row(**{key: value})]))
    with pytest.raises(DataError, match=rf'5_order\.json, item 1: "{key}"'):
        TASK.samples(root, "dev")


def test_the_error_for_a_missing_file_names_its_source(root):
    (root / "3_ego.json").unlink()
    with pytest.raises(UserError, match=r"3_ego\.json is missing.*JUNJIE99"):
        TASK.samples(root, "dev")
    with pytest.raises(UserError, match=r"mlvu_test\.parquet is missing.*MLVU_Test"):
        TASK.samples(root, "test")


SIX = "Who?\n(A) he\n(B) she\n(C) they\n(D) a dog\n(E) a\ncat\n(F) no one"


def test_test_questions_hold_their_options_and_may_have_ids(tmp_path):
    record = {"video_name": "v.mp4", "task_type": "sportsQA", "question": SIX, "answer": "F"}
    rows = [{**record, "question_id": "SQA_7", "duration": 2000}, record, record]
    (tmp_path / "mlvu_test.json").write_text(json.dumps(rows))
    first, second, third = TASK.samples(tmp_path, "test")
    assert [first.id, second.id, third.id] == ["SQA_7", "sportsQA/1", "sportsQA/2"]
    assert (first.query, "".join(first.letters), first.target.choice) == (*("Who?", "ABCDEF", "F"),)
    assert first.options[4] == "a\ncat"
    assert first.group("video length") == "1800 s and more" and second.duration is None
    prompt = PROTOCOLS["lmms-eval@0.7"].with_overrides("mlvu").prompt
    assert question(first, prompt) == SIX + "\nOnly give the best option.\nBest option: ("


def test_lmms_eval_never_reads_the_last_two_options_of_test(tmp_path):
    record = {"video_name": "v.mp4", "task_type": "sportsQA", "question": SIX, "answer": "F"}
    (tmp_path / "mlvu_test.jsonl").write_text(json.dumps(record))
    samples = TASK.samples(tmp_path, "test")
    answers = [Prediction("sportsQA/0", text="F")]
    figures = {
        name: score_under(name, TASK, "test", samples, answers).metrics["M-Avg"]
        for name in ("strict@2", "mlvu@1", "lmms-eval@0.7")
    }
    assert figures == {"strict@2": 100.0, "mlvu@1": 100.0, "lmms-eval@0.7": 0.0}


def test_the_official_prompt_is_reproduced_exactly(root):
    prompt = PROTOCOLS["mlvu@1"].without_task.prompt
    assert prompt.system.startswith("Carefully watch this video and pay attention to every detail.")
    assert question(TASK.samples(root, "dev")[0], prompt) == (
        "Question: How many?\nOptions:\n(A) one\n(B) two\n(C) three\n(D) four\n"
        "Only give the best option.\nBest Option: ("
    )


def test_videos_are_looked_for_in_the_usual_folders(root):
    assert TASK.video_path(root, "ego.mp4") == root / "videos/ego.mp4"
    path = touch(root / "video/3_ego/ego.mp4")
    assert TASK.video_path(root, "ego.mp4") == path


@needs_benchmarks
def test_the_gotchas_of_the_card_are_true():
    samples = TASK.samples(BENCHMARKS, "dev")
    broken = [s.id for s in samples if s.target.choice is None]
    assert broken == ["needle/34", "needle/338"]
    right = {s.id: s.options[ord(s.target.choice) - ord("A")] for s in samples if s.target.choice}
    twice = [s.id for s in samples if s.options.count(right.get(s.id)) > 1]
    assert set(twice) == {
        *("plotQA/335", "plotQA/387", "plotQA/493", "anomaly_reco/66"),
        *("topic_reasoning/26", "topic_reasoning/163"),
    }
    again = [s for s in samples if len(set(s.options)) < 4 and s.id not in twice]
    assert len(again) == 10
    assert [name for name, text in right.items() if not text] == [
        *("ego/119", "ego/313", "topic_reasoning/26")
    ]
