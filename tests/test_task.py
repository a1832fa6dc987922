from pathlib import Path

import pytest

from vtg_eval.errors import DataError
from vtg_eval.task import found_video


def test_a_video_is_found_in_any_of_the_usual_folders(tmp_path: Path) -> None:
    task = tmp_path / "task"
    (task / "b").mkdir(parents=True)
    (task / "b" / "v.mkv").touch()
    path = found_video(task, tmp_path, "v", ("a", "b"), (".mp4", ".mkv"))
    assert path == task / "b" / "v.mkv"
    assert found_video(task, tmp_path, "w", ("a", "b")) == task / "a" / "w.mp4"


@pytest.mark.parametrize("video", ["../secret", "/etc/passwd", "a/../../b", "a\0b"])
def test_no_video_leads_out_of_the_data(tmp_path: Path, video: str) -> None:
    with pytest.raises(DataError, match="outside of the data"):
        found_video(tmp_path, tmp_path, video)
