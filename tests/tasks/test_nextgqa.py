import json
from pathlib import Path

import pytest
from vtg_eval.tasks.nextgqa import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import touch
from vtg_eval.errors import DataError, UserError
from vtg_eval.types import Group, OutputType, Span

HEAD = "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
ROWS = [
    "11,300,4,3,why is it here ,happy,0,CW,sad,happy,angry,happy,calm\n",
    "22,300,4,3,what next,go,1,TP,go,stop,sit,run,lie\n",
    "11,300,4,3,how,up,2,CH,up,down,left,right,in\n",
    "11,300,4,3,no place,up,3,TC,up,down,left,right,in\n",
]
SUBSET = {
    "22": {"duration": 20, "location": {"1": [[15, 25.5], [3, 2]]}, "fps": 30},
    "33": {"duration": 9, "location": {}, "fps": 30},
    "11": {"duration": 34, "location": {"2": [[-0.1, 5]], "0": [[1.2, 5.8]]}, "fps": 30},
}


def write(root, rows=ROWS, subset=SUBSET):
    (root / "test.csv").write_text(HEAD + "".join(rows))
    (root / "gsub_test.json").write_text(json.dumps(subset))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def test_questions_with_a_moment_become_samples_in_the_order_of_the_moments(root):
    samples = TASK.samples(root, "test")
    assert [s.id for s in samples] == ["22_1", "11_2", "11_0"]
    first, _, third = samples
    assert (first.video, first.query, first.duration) == ("22", "what next", 20.0)
    assert first.target.spans == (Span(15, 25.5), Span(3, 2)), "neither clamped nor sorted"
    assert first.options == ("go", "stop", "sit", "run", "lie")
    assert {s.asks for s in samples} == {OutputType.BOTH}
    assert third.query == "why is it here", "surrounding spaces are removed"


def test_of_two_options_with_the_answer_s_text_the_first_is_right(root):
    assert TASK.samples(root, "test")[2].target.choice == "B"


def test_groups_are_the_question_type_and_the_official_classes(root):
    before = TASK.samples(root, "test")[0]
    assert before.groups == (
        Group("question type", "TP"),
        Group("question class", "Bef&Aft"),
        Group("question class", "Acc_T"),
    )


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("22,1,1,1,q,none of them,1,TP,go,stop,sit,run,lie\n", 'line 3: "answer"'),
        ("22,1,1,1,q,go,1,XX,go,stop,sit,run,lie\n", 'line 3: "type"'),
        ("22,1,1,1,q,go,7,TP,go,stop,sit,run,lie\n", "key 22: .* has no 22_1"),
        ("22,1,1,1,q,go,1,TP,go,stop\n", "line 3 does not have 13 values"),
    ],
)
def test_a_broken_question_is_named(root, row, names):
    write(root, [ROWS[0], row, ROWS[2]])
    with pytest.raises(DataError, match=names):
        TASK.samples(root, "test")


@pytest.mark.parametrize(
    ("record", "names"),
    [
        ({"duration": 20}, 'key 22 has no "location"'),
        ({"duration": 20, "location": []}, 'key 22: "location"'),
        ({"duration": 20, "location": {"1": [[1]]}}, 'key 22, location: "1"'),
        ({"duration": "x", "location": {"1": [[1, 2]]}}, 'key 22: "duration"'),
    ],
)
def test_a_broken_moment_is_named(root, record, names):
    write(root, subset={"22": record})
    with pytest.raises(DataError, match=names):
        TASK.samples(root, "test")


def test_the_error_for_a_missing_file_names_its_source(tmp_path):
    with pytest.raises(UserError, match="doc-doc/NExT-GQA"):
        TASK.samples(tmp_path, "val")


def test_videos_lie_flat_or_in_the_folders_of_vidor(root):
    assert TASK.video_path(root, "11") == root / "videos/11.mp4"
    (root / "map_vid_vidorID.json").write_text('{"11": "0101/11"}')
    assert TASK.video_path(root, "11") == root / "videos/0101/11.mp4"
    path = touch(root / "NExTVideo/0101/11.mp4")
    assert TASK.video_path(root, "11") == path
    flat = touch(root / "videos/11.mp4")
    assert TASK.video_path(root, "11") == flat
    with pytest.raises(DataError, match=r'map_vid_vidorID\.json has no "22"'):
        TASK.video_path(root, "22")


@pytest.mark.parametrize("text", ["[]", "{"])
def test_a_broken_map_of_videos_is_named(root, text):
    (root / "map_vid_vidorID.json").write_text(text)
    with pytest.raises(DataError, match=r"map_vid_vidorID\.json.* is not"):
        TASK.video_path(root, "11")


@needs_benchmarks
@pytest.mark.parametrize("split", TASK.card.splits, ids=lambda split: split.name)
def test_the_gotchas_of_the_card_are_true(split):
    samples = TASK.samples(BENCHMARKS, split.name)
    segments = [s.target.spans for s in samples]
    several = sum(len(spans) > 1 for spans in segments)
    early = sum(any(span.start < 0 for span in spans) for spans in segments)
    late = sum(any(span.end > s.duration for span in s.target.spans) for s in samples)
    repeated = sum(len(set(s.options)) < 5 for s in samples)
    expected = {"test": (591, 6600, 36, 0, 3), "val": (339, 3931, 0, 3, 1)}[split.name]
    assert (several, sum(map(len, segments)), early, late, repeated) == expected


@needs_benchmarks
def test_a_videos_path_follows_the_official_map():
    path = TASK.video_path(BENCHMARKS, "2909445186")
    assert path.parts[-3:] == ("videos", "0101", "2909445186.mp4")
