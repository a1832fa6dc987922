import json
from collections import Counter

import pytest
from vtg_eval.tasks.qvhighlights import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.cli import main
from vtg_eval.errors import DataError, UserError
from vtg_eval.types import Group, Span

RECORD = {
    "qid": 8737,
    "query": " A family plays. ",
    "duration": 9,
    "vid": "abc_660.0_810.0",
    "relevant_windows": [[2, 4], [6, 8]],
    "relevant_clip_ids": [1, 3],
    "saliency_scores": [[4, 1, 1], [2, 0, 3]],
}


def annotate(root, *changes):
    text = "".join(json.dumps(RECORD | change) + "\n" for change in changes)
    (root / "highlight_val_release.jsonl").write_text(text)
    return root


def test_a_record_becomes_a_sample(tmp_path):
    (sample,) = TASK.samples(annotate(tmp_path, {}), "val")
    assert (sample.id, sample.video, sample.query) == ("8737", "abc_660.0_810.0", "A family plays.")
    assert sample.duration == 9.0, "from the record, not from the video's name"
    assert sample.target.spans == (Span(2.0, 4.0), Span(6.0, 8.0))
    none = (0, 0, 0)
    assert sample.target.saliency == (none, (4, 1, 1), none, (2, 0, 3)), "whole clips of 2 s only"


def test_the_truth_is_neither_sorted_nor_clamped(tmp_path):
    windows = [[6, 40], [4, 2]]
    (sample,) = TASK.samples(annotate(tmp_path, {"relevant_windows": windows}), "val")
    assert sample.target.spans == (Span(6.0, 40.0), Span(4.0, 2.0))


@pytest.mark.parametrize(
    ("windows", "names"),
    [
        ([[0, 10]], ["short, up to 10 s", "one"]),
        ([[0, 12]], ["middle, up to 30 s", "one"]),
        ([[0, 30]], ["middle, up to 30 s", "one"]),
        ([[0, 32]], ["long, over 30 s", "one"]),
        ([[0, 32], [40, 42], [50, 90]], ["short, up to 10 s", "long, over 30 s", "several"]),
    ],
)
def test_a_query_is_in_the_group_of_each_of_its_lengths(tmp_path, windows, names):
    (sample,) = TASK.samples(annotate(tmp_path, {"relevant_windows": windows}), "val")
    assert [group.name for group in sample.groups] == names
    assert sample.groups[-1].grouping == "number of moments"
    assert sample.group("moment length") == names[0]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"qid": None}, "qid"),
        ({"duration": "long"}, "duration"),
        ({"relevant_windows": [[2]]}, "relevant_windows"),
        ({"relevant_windows": None}, "relevant_windows"),
        ({"relevant_clip_ids": [1, 4]}, "relevant_clip_ids. must be integers from 0 to 3"),
        ({"relevant_clip_ids": [1, -1]}, "relevant_clip_ids"),
        ({"relevant_clip_ids": [1, "3"]}, "relevant_clip_ids"),
        ({"relevant_clip_ids": [1]}, "1 relevant_clip_ids, but 2 saliency_scores"),
        ({"relevant_clip_ids": 1}, "relevant_clip_ids"),
        ({"saliency_scores": [[4, 1, 1], [2, 0]]}, "saliency_scores"),
        ({"saliency_scores": [[4, 1, 1], [2, 0, 0.5]]}, "saliency_scores"),
        ({"saliency_scores": [[4, 1, 1], 2]}, "saliency_scores"),
    ],
)
def test_a_broken_record_is_named(tmp_path, change, key):
    with pytest.raises(DataError, match=rf"highlight_val_release\.jsonl, line 2.*{key}"):
        TASK.samples(annotate(tmp_path, {}, change), "val")


def test_the_test_file_without_annotations_is_not_used(tmp_path):
    (tmp_path / "highlight_test_release.jsonl").write_text("")
    with pytest.raises(UserError, match=r"highlight_test_with_gt\.jsonl.*moment_detr"):
        TASK.samples(tmp_path, "test")


def test_a_videos_path_is_its_name_in_the_videos_folder(tmp_path):
    assert TASK.video_path(tmp_path, "abc_0.0_150.0") == tmp_path / "videos/abc_0.0_150.0.mp4"


def test_the_command_line_prints_floors(tmp_path, capsys):
    annotate(tmp_path, {}, {"qid": 2, "vid": "def_0.0_150.0"})
    answers = tmp_path / "p.jsonl"
    answers.write_text('{"id": "8737", "text": "2 - 4"}\n{"id": "2", "text": "6 - 8"}\n')
    args = ["score", "--task", "qvhighlights", "--data-root", str(tmp_path)]
    assert main([*args, "--predictions", str(answers)]) == 0
    printed = capsys.readouterr().out
    assert "qvhighlights val, strict@2" in printed
    assert "floor: whole video" in printed and "floor: random" in printed
    assert "MR-full-mAP" in printed and "HL-min" not in printed
    answers.write_text('{"id": "2", "spans": [[6, 8, 0.5]], "saliency": [0, 1, 0, 2]}\n')
    assert main([*args, "--predictions", str(answers), "--protocol", "moment-detr@1"]) == 0
    printed = capsys.readouterr().out
    assert "HL-min-Fair-Hit1" in printed and "floor: whole video" in printed


@needs_benchmarks
@pytest.mark.parametrize("split", TASK.card.splits, ids=lambda split: split.name)
def test_the_gotchas_of_the_card_are_true(split):
    samples = TASK.samples(BENCHMARKS, split.name)
    groups = Counter(group for s in samples for group in s.groups)
    lengths = ("short, up to 10 s", "middle, up to 30 s", "long, over 30 s")
    by_length = [groups[Group("moment length", name)] for name in lengths]
    several = groups[Group("number of moments", "several")]
    none_very_good = sum(max(map(max, s.target.saliency)) < 4 for s in samples)
    expected = {
        "val": ([429, 957, 574], 530, 35),
        "test": ([398, 950, 574], 511, 31),
        "train": ([1840, 4327, 2855], 2363, 140),
    }
    assert (by_length, several, none_very_good) == expected[split.name]
