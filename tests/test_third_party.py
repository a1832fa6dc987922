"""The example package, built and installed, also together with a broken plug-in."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import fakes

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "third_party"
MAIN = "import sys; from vtg_eval.cli import main; sys.exit(main())"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build and install a copy of the example without a network."""
    folder = tmp_path_factory.mktemp("third_party")
    shutil.copytree(EXAMPLE, folder / "source")
    target = ("--python", sys.executable, "--target", str(folder / "site"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps"),
            *("--no-build-isolation", *target, str(folder / "source")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def vtg_eval(site: Path, tmp_path: Path) -> Command:
    """Call `vtg-eval` where the example is installed; `broken=True`: with a broken plug-in too."""

    def call(*args: str, broken: bool = False) -> subprocess.CompletedProcess[str]:
        paths = [str(site)]
        if broken:
            fakes.install("shaky", "shaky_plugin", tmp_path / "broken")
            (tmp_path / "broken" / "shaky_plugin.py").write_text("import no_such_module\n")
            paths.append(str(tmp_path / "broken"))
        kept = {k: v for k, v in os.environ.items() if not k.startswith("VTG_EVAL")}
        return subprocess.run(
            [sys.executable, "-c", MAIN, *args],
            cwd=tmp_path,
            env={**kept, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


def test_the_examples_model_runs_on_its_task(vtg_eval: Command) -> None:
    done = vtg_eval("--model", "last-words:10", "--tasks", "kitchen", "--json", "-", "--quiet")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    assert table["n_expected"] == 3
    assert table["model"] == "last-words:10"
    # answers against targets: soup equal, onions disjoint, tea 2.5 to 12.5 for 4 to 12.5
    assert [sample["value"] for sample in table["samples"]] == [1.0, 0.0, 0.85]


@pytest.mark.engine
@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_the_examples_adapter_runs_a_family_that_the_core_does_not_serve(
    engine: str, vtg_eval: Command, tmp_path: Path
) -> None:
    pytest.importorskip("transformers", reason="needs the extra hf")
    from tests.tiny_llava_next_video import tiny_llava_next_video

    folder = tiny_llava_next_video(tmp_path / "LLaVA-NeXT-Video-tiny")
    done = vtg_eval(
        *("--model", str(folder), "--tasks", "synth_vtg", "--limit", "3", "--engine", engine),
        *("--out", "run", "--json", "results.json", "--quiet"),
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["n_expected"] == 3
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["spec"]["adapter"] == "llava_next_video"
    assert manifest["spec"]["time_text"] == "header"
    journal = [json.loads(line) for line in (tmp_path / "run" / "journal.jsonl").open()]
    for record in journal:
        assert record["model_times"] == [float(f"{time:.1f}") for time in record["frame_times"]]


def test_a_built_in_baseline_runs_on_the_examples_task(vtg_eval: Command) -> None:
    done = vtg_eval("--model", "baseline:whole-video", "--tasks", "kitchen")
    assert done.returncode == 0, done.stderr
    assert "| kitchen test, strict@2 " in done.stdout


def test_the_example_is_listed(vtg_eval: Command) -> None:
    rows = json.loads(vtg_eval("plugins", "--json").stdout)
    (row,) = [row for row in rows if row["package"] == "vtg-eval-example"]
    assert row["version"] == "0.1.0"
    assert row["provides"] == {
        "adapters": ["llava_next_video", "last-words"],
        "tasks": ["kitchen"],
    }
    assert "kitchen" in vtg_eval("tasks").stdout


def test_a_broken_plug_in_is_named_and_skipped(vtg_eval: Command) -> None:
    done = vtg_eval("plugins", broken=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "the plug-in shaky of shaky is left out: ModuleNotFoundError" in line
    assert "no_such_module" in line
    assert "BROKEN: ModuleNotFoundError" in done.stdout
    run = vtg_eval("--model", "last-words:3", "--tasks", "kitchen", "--quiet", broken=True)
    assert run.returncode == 0
    assert len(run.stderr.splitlines()) == 1
