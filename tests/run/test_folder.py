import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.folder_holder import held_elsewhere
from tests.run.test_spec import SPEC
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import write_json
from vtg_eval.files.owned_folder import FolderInUse
from vtg_eval.run.folder import RunFolder
from vtg_eval.run.manifest import Manifest, Subset, installed_versions


def begin(path: Path) -> None:
    folder = RunFolder(path)
    with folder.lock(SPEC) as manifest:
        write_json(folder.manifest_file, manifest.to_json())


def test_a_new_folder_gets_a_manifest_that_is_read_back(tmp_path: Path) -> None:
    begin(tmp_path / "runs" / "one")
    manifest = RunFolder(tmp_path / "runs" / "one").manifest()
    assert manifest.spec == SPEC.to_json()
    assert manifest.sessions == ()


def test_a_manifest_survives_its_file(tmp_path: Path) -> None:
    manifest = Manifest(SPEC.to_json(), Subset("d", 3, 5, 4, ("v1",)))
    manifest = manifest.with_session(
        ("vtg-eval", "run"), installed_versions(), {"dtype": "float32"}, {"samples": 3}
    )
    write_json(tmp_path / "m.json", manifest.to_json())
    assert Manifest.from_json(json.loads((tmp_path / "m.json").read_text())) == manifest
    assert manifest.sessions[0].versions["numpy"]


def test_versions_that_moved_between_sessions_are_named() -> None:
    manifest = Manifest(SPEC.to_json()).with_session((), {}, {}, {}).with_session((), {}, {}, {})
    old = replace(manifest.sessions[0], versions={"av": "17.0", "numpy": "2"})
    new = replace(manifest.sessions[1], versions={"av": "18.1", "numpy": "2"})
    assert replace(manifest, sessions=(old, new)).moved_versions() == ["av 17.0 -> 18.1"]


def test_the_error_for_another_runs_folder_names_the_differences(tmp_path: Path) -> None:
    begin(tmp_path)
    with (
        pytest.raises(UserError, match=r"other settings: seed \(before 0, now 7\)"),
        RunFolder(tmp_path).lock(replace(SPEC, seed=7)),
    ):
        pass


def test_a_manifest_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"manifest\.json cannot be read: RecursionError"):
        RunFolder(tmp_path).manifest()


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(UserError, match=r"thesis\.tex"), RunFolder(tmp_path).lock(SPEC):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_with_the_files_of_a_killed_start_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / ".manifest.json.part").touch()
    begin(tmp_path)
    assert RunFolder(tmp_path).manifest().spec == SPEC.to_json()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    begin(tmp_path)
    with (
        held_elsewhere(tmp_path),
        pytest.raises(FolderInUse, match="Another vtg-eval"),
        RunFolder(tmp_path).lock(SPEC),
    ):
        pass
    begin(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 99}', '{"format": 1, "sessions": 3}'])
def test_a_broken_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UserError, match=r"manifest\.json cannot be read"):
        RunFolder(tmp_path).manifest()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        RunFolder(tmp_path / "none").manifest()
