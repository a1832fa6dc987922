from pathlib import Path

import pytest
from vtg_eval.tasks.charades_sta import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import touch
from vtg_eval.errors import DataError, UserError
from vtg_eval.types import Span

LINES = "AAAAA 1.0 2.5##person sits.\nBBBBB 0.0 31.0## person runs. \nAAAAA 5 4##a##b\n"
CSV = "id,script,length\nAAAAA,x,30.5\nBBBBB,y,20\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "charades_sta_test.txt").write_text(LINES)
    (tmp_path / "Charades_v1_test.csv").write_text(CSV)
    return tmp_path


def test_records_become_samples(root):
    first, second, third = TASK.samples(root, "test")
    assert [s.id for s in (first, second, third)] == ["AAAAA/0", "BBBBB/0", "AAAAA/1"]
    assert (first.video, first.query, first.duration) == ("AAAAA", "person sits.", 30.5)
    assert second.query == "person runs."
    assert second.target.spans == (Span(0.0, 31.0),), "not clamped"
    assert (third.target.spans, third.query) == ((Span(5.0, 4.0),), "a##b"), "not sorted"
    assert dict(first.groups) == {"moment length": "under 5 s", "video length": "25 to 35 s"}
    assert dict(second.groups) == {"moment length": "10 s and more", "video length": "under 25 s"}


def test_the_data_root_may_be_the_folder_above(root, tmp_path_factory):
    above = tmp_path_factory.mktemp("above")
    (above / "charades_sta").symlink_to(root)
    assert TASK.samples(above, "test") == TASK.samples(root, "test")


def test_durations_are_optional(root):
    (root / "Charades_v1_test.csv").unlink()
    sample = TASK.samples(root, "test")[0]
    assert sample.duration is None
    assert [group.grouping for group in sample.groups] == ["moment length"]


@pytest.mark.parametrize(
    "line",
    ["AAAAA 1.0##x", "AAAAA 1.0 b##x", "AAAAA 1 nan##x", "AAAAA 1 2 x", "../A 1 2##x", "\ufffd"],
)
def test_a_broken_line_is_named(root, line):
    (root / "charades_sta_test.txt").write_text(LINES + line + "\n")
    with pytest.raises(DataError, match=r"charades_sta_test\.txt, line 4"):
        TASK.samples(root, "test")


@pytest.mark.parametrize("csv", ["id,script\nA,x\n", "id,length\nA,no\n", "id,length\nA,-3\n"])
def test_a_broken_duration_is_named(root, csv):
    (root / "Charades_v1_test.csv").write_text(csv)
    with pytest.raises(DataError, match=r"Charades_v1_test\.csv, line 2"):
        TASK.samples(root, "test")


def test_the_error_for_a_missing_file_names_its_source(tmp_path):
    with pytest.raises(UserError, match="2D-TAN"):
        TASK.samples(tmp_path, "train")


def test_videos_are_looked_for_in_the_usual_folders(root):
    assert TASK.video_path(root, "AAAAA") == root / "videos/AAAAA.mp4"
    path = touch(root / "Charades_v1_480/AAAAA.mp4")
    assert TASK.video_path(root, "AAAAA") == path


@needs_benchmarks
def test_the_gotchas_of_the_card_are_true():
    samples = TASK.samples(BENCHMARKS, "train")
    reversed_ = [s for s in samples if s.target.spans[0].start >= s.target.spans[0].end]
    assert len(reversed_) == 4
