import json
from collections import Counter

import pytest
from vtg_eval.tasks.didemo import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import touch
from vtg_eval.cli import main
from vtg_eval.errors import DataError
from vtg_eval.types import Group, Span

RECORD = {
    "num_segments": 6,
    "description": " the man bends over",
    "times": [[1, 1], [1, 2], [1, 1], [0, 0]],
    "video": "35034348999@N01_6060447507_dc1a90b8ef.mov",
    "annotation_id": 49152,
}


def annotate(root, *changes, split="test"):
    records = [RECORD | change for change in changes]
    (root / f"{split}_data.json").write_text(json.dumps(records))
    return root


def test_a_record_becomes_a_sample(tmp_path):
    (sample,) = TASK.samples(annotate(tmp_path, {}), "test")
    assert (sample.id, sample.query) == ("49152", "the man bends over")
    assert sample.target.spans == (Span(5, 10), Span(5, 15), Span(5, 10), Span(0, 5))
    assert (sample.duration, sample.clips) == (30.0, (Span(0, 30),))
    assert sample.groups == (
        Group("moment length", "under 10 s"),
        Group("video length", "30 s and more"),
    )


def test_a_video_of_five_chunks_and_a_reversed_truth_stay_as_they_are(tmp_path):
    (sample,) = TASK.samples(annotate(tmp_path, {"num_segments": 5, "times": [[4, 2]]}), "test")
    assert (sample.duration, sample.target.spans) == (25.0, (Span(20, 15),))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"times": [[1]]}, "times"),
        ({"times": 3}, "times"),
        ({"num_segments": "six"}, "num_segments"),
        ({"annotation_id": None}, "annotation_id"),
        ({"video": []}, "video"),
    ],
)
def test_a_broken_record_is_named(tmp_path, change, key):
    with pytest.raises(DataError, match=rf'test_data\.json, item 1.*"{key}"'):
        TASK.samples(annotate(tmp_path, {}, change), "test")


def test_videos_may_have_either_official_file_name(tmp_path):
    video = RECORD["video"]
    assert TASK.video_path(tmp_path, video) == tmp_path / f"videos/{video}.mp4"
    path = touch(tmp_path / "videos" / video)
    assert TASK.video_path(tmp_path, video) == path


def test_the_command_line_prints_floors(tmp_path, capsys):
    annotate(tmp_path, {}, {"annotation_id": 2, "video": "b.mov"})
    annotate(tmp_path, {}, split="val")
    answers = tmp_path / "p.jsonl"
    answers.write_text('{"id": "49152", "text": "5 - 10"}\n{"id": "2", "text": "4 - 11"}\n')
    args = ["score", "--task", "didemo", "--data-root", str(tmp_path)]
    assert main([*args, "--predictions", str(answers)]) == 0
    printed = capsys.readouterr().out
    assert "didemo test, strict@2" in printed
    assert "floor: whole video" in printed and "floor: constant" in printed
    assert "rank@1" in printed and "rank@5" in printed


@needs_benchmarks
@pytest.mark.parametrize("split", TASK.card.splits, ids=lambda split: split.name)
def test_the_gotchas_of_the_card_are_true(split):
    samples = TASK.samples(BENCHMARKS, split.name)
    annotators = Counter(len(s.target.spans) for s in samples)
    short = sum(s.duration == 25 for s in samples)
    agreed = sum(max(Counter(s.target.spans).values()) >= 3 for s in samples)
    ordered = all(0 <= a < b <= s.duration for s in samples for a, b in s.target.spans)
    expected = {
        "test": ({4: 4009, 7: 11, 5: 1}, 473, 3006),
        "val": ({4: 4165, 7: 15}, 723, 3127),
    }
    assert (annotators, short, agreed, ordered) == (*expected[split.name], True)
