from pathlib import Path

import pytest

from tests.fakes import TASK
from vtg_eval.errors import UserError
from vtg_eval.run.paths import cache_folder, data_root
from vtg_eval.task import Task


class Fetched(Task):
    """A benchmark that is fetched, not generated."""

    card = TASK.card
    samples = TASK.samples
    video_path = TASK.video_path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VTG_EVAL_DATA", raising=False)
    return tmp_path


def test_the_argument_comes_before_the_variable(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "a").mkdir()
    (home / "b").mkdir()
    monkeypatch.setenv("VTG_EVAL_DATA", str(home / "b"))
    assert data_root(TASK, home / "a") == home / "a"
    assert data_root(TASK, None) == home / "b"


def test_without_either_a_generated_benchmark_goes_to_the_cache(home: Path) -> None:
    root = data_root(TASK, None)
    assert root == home / "cache" / "data"
    assert TASK.folder(root) == root / "fake_vtg"


def test_without_either_any_other_is_looked_for_in_data() -> None:
    assert data_root(Fetched(), None) == Path("data")


def test_a_named_root_must_exist(home: Path) -> None:
    with pytest.raises(UserError, match="--data-root"):
        data_root(TASK, home / "nowhere")


def test_the_cache_folder_follows_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == home / "cache"
    monkeypatch.delenv("VTG_EVAL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert cache_folder() == home / "xdg" / "vtg-eval"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(home))
    assert cache_folder() == home / ".cache" / "vtg-eval"
