"""`vtg-eval profiles`, and profiles on the way through `vtg-eval run`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import fakes
from vtg_eval.cli import main
from vtg_eval.registry import Registry

SMALL = """
name = "small@1"
summary = "few small frames, short answers"
source = "here"
recognises = ["small"]
architectures = ["Qwen3VLForConditionalGeneration"]
protocol = "timelens@1"

[frames]
fps = 1
min_tokens = 4
max_tokens = 4

[generation]
max_new_tokens = 4
"""
CHOICE = """
name = "choice@1"
summary = "questions with options alone"
source = "here"
architectures = ["Qwen3VLForConditionalGeneration"]
protocol = "video-r1@1"
"""
PLUGIN = """
from pathlib import Path
from vtg_eval.hookspecs import hookimpl

@hookimpl
def vtg_profiles():
    return sorted(Path(__file__).parent.glob("*.toml"))
"""


def in_one_process(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that uses the one checkpoint."""
    marked: Callable[..., None] = pytest.mark.engine(pytest.mark.xdist_group("profiles")(test))
    return marked


def test_all_profiles_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles"]) == 0
    listed = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    profiles = Registry.discover().profiles
    assert listed == [[name, p.protocol or "refused"] for name, p in profiles.items()]
    assert main(["profiles", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(profiles)


@pytest.mark.parametrize("name", Registry.discover().profiles)
def test_a_profile_is_shown_in_full(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    profile = Registry.discover().profile(name)
    assert main(["profiles", name]) == 0
    out = capsys.readouterr().out
    for text in (profile.summary, profile.source, profile.protocol, profile.refused):
        assert text in out
    for text in (*profile.recognises, *profile.architectures, *profile.not_reproduced):
        assert text in out
    assert main(["profiles", name, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["name"], table["rules"]) == (name, profile.rules)


def test_an_unknown_profile_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "timelens8b@1"]) == 2
    assert 'Did you mean "timelens-8b@1"?' in capsys.readouterr().err


class Shell:
    """Calls `vtg-eval` in a folder with a tiny Qwen3-VL and the profiles of a plug-in."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def run(self, *args: str, model: str = "qwen3") -> tuple[int, str, str]:
        code = main(["run", "--model", model, "--tasks", "synth_vtg", "--limit", "2", *args])
        return (code, *self._capsys.readouterr())

    def call(self, *args: str) -> str:
        assert main([*args, "--data-root", "."]) == 0
        return self._capsys.readouterr().out

    def frames_of(self, profile: str) -> int:
        arguments = ("--plan", "--engine", "transformers", "--json", "-")
        out = self.run(*arguments, "--profile", profile)[1]
        return int(json.loads(out)["left"]["frames"])

    def entitle(self, title: str) -> None:
        (self.home / "qwen3" / "README.md").write_text(f"# {title}\n")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoint and the plug-in; the first run makes the benchmark there."""
    pytest.importorskip("transformers", reason="needs the extra hf")
    from tests.tiny_families import qwen3_vl

    folder = tmp_path_factory.mktemp("profiles")
    qwen3_vl.build(folder / "qwen3")
    fakes.install("small", "small_profiles", folder / "site")
    (folder / "site" / "small_profiles.py").write_text(PLUGIN)
    (folder / "site" / "small.toml").write_text(SMALL)
    (folder / "site" / "choice.toml").write_text(CHOICE)
    return folder


@pytest.fixture
def shell(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    fakes.use_home(home, monkeypatch)
    monkeypatch.syspath_prepend(home / "site")
    monkeypatch.setenv("VTG_EVAL_DATA", str(home))
    (home / "qwen3" / "README.md").unlink(missing_ok=True)
    return Shell(home, capsys)


@in_one_process
def test_a_recognised_profile_is_planned_under_and_can_be_switched_off(shell: Shell) -> None:
    shell.entitle("TimeLens-8B")
    code, out, err = shell.run("--plan", "--engine", "transformers")
    assert code == 0, err
    assert "qwen3-synth_vtg-timelens@1-" in out
    assert 'timelens-8b@1, under timelens@1: the title of its README.md is "TimeLens-8B"' in err
    code, out, err = shell.run("--plan", "--engine", "transformers", "--profile", "none")
    assert (code, err) == (0, "")
    assert "qwen3-synth_vtg-strict@2-" in out


@in_one_process
def test_the_budget_of_a_profile_decides_what_is_planned(shell: Shell) -> None:
    usual = shell.frames_of("timelens-8b@1")
    assert shell.frames_of("timelens2@1") == pytest.approx(2 * usual, abs=2)
    assert shell.frames_of("small@1") == pytest.approx(usual / 2, abs=2)


@in_one_process
def test_a_task_that_the_profile_has_nothing_for_is_asked_as_usual(shell: Shell) -> None:
    code, out, err = shell.run("--plan", "--engine", "transformers", "--profile", "choice@1")
    assert code == 0, err
    assert "qwen3-synth_vtg-strict@2-" in out
    assert "synth_vtg: video-r1@1 is not defined for such tasks, so the profile choice@1" in err


@in_one_process
def test_what_cannot_be_run_ends_before_anything_starts(shell: Shell) -> None:
    shell.entitle("VideoMind-2B")
    code, out, err = shell.run("--engine", "transformers")
    assert (code, out) == (2, "")
    assert "a head beside the language model computes the times" in err


@in_one_process
def test_a_run_records_its_profile_and_tables_show_it(shell: Shell) -> None:
    shell.entitle("small")
    arguments = ("--engine", "transformers", "--dtype", "float32", "--batch-size", "1")
    code, out, err = shell.run("--out", "mine", *arguments)
    assert code == 0, err
    assert "| synth_vtg test, timelens@1 with small@1, SUBSET 2 of " in out
    spec = json.loads((shell.home / "mine" / "manifest.json").read_text())["spec"]
    assert spec["profile"] == "small@1"
    assert spec["protocol"]["frames"]["max_tokens"] == 4
    assert spec["protocol"]["generation"]["max_new_tokens"] == 4
    assert json.loads((shell.home / "mine" / "results.json").read_text())["profile"] == "small@1"

    assert "timelens@1 with small@1" in shell.call("score", "mine")
    assert "small@1" not in shell.call("score", "mine", "--protocol", "strict@2")
    shell.call("report", "mine", "--out", "page.html")
    assert "small@1" in (shell.home / "page.html").read_text(encoding="utf-8")
    code, _, err = shell.run("--out", "again", "--protocol", "timelens@1", model="replay:mine")
    assert code == 0, err
    assert "profile" not in json.loads((shell.home / "again" / "manifest.json").read_text())["spec"]
    compared = shell.call("compare", "mine", "again")
    assert "The protocols differ (A timelens@1 with small@1, B timelens@1)" in compared
    code, _, err = shell.run("--out", "mine", "--profile", "none", *arguments)
    assert code == 2
    assert "profile (before small@1, now not set)" in err
