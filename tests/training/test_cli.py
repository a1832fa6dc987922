"""The command line of training: one line for a mistake, nothing heavy to plan, data to the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from vtg_eval.training import cli
from vtg_eval.training.data.sample import TrainingSample, load_samples, write_samples

from tests.video_files import write_clock
from vtg_eval.types import Span

HEAVY = ("torch", "transformers", "trl", "datasets", "peft", "pyarrow")
RECIPE = """
name = "tiny"
summary = "a test"
source = "this test"

[model]
checkpoint = "nano"
dtype = "float32"

[data]
train = ["data.jsonl"]
{pools}
videos = "videos"
missing_share = {missing}
leaks = "{leaks}"

[curation]
moment_seconds = [0.5, 60]

[sft]
steps = 2
batch = 2
device_batch = 2

[rewards]
tiou = 1.0
wasserstein = 1.0

[rl]
steps = 1
prompts = 2
group = 2
device_batch = 4
max_new_tokens = 4
"""
THOUGHT = "<think>it starts early</think> <time>[0.5, 1.5]</time>"


def sample(name: str, video: str = "a.mp4", **more: Any) -> TrainingSample:
    values = {"query": f"query {name}", "spans": (Span(0.5, 1.5),), "duration": 2.0} | more
    return TrainingSample(id=name, video=video, source="test", **values)


SAMPLES = [
    sample("one"),
    sample("two", "b.mp4", spans=(Span(1, 2),)),
    sample("short", spans=(Span(1, 1.1),)),
    sample("lost", "lost.mp4"),
]


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data, two of three videos and a recipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VTG_EVAL_DATA", str(tmp_path))
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "videos").mkdir()
    for name in ("a.mp4", "b.mp4"):
        write_clock(tmp_path / "videos" / name, frames=24, rate=12, height=64, width=64)
    write_samples(tmp_path / "data.jsonl", SAMPLES)
    recipe(tmp_path)
    return tmp_path


def recipe(
    folder: Path,
    missing: float = 0.5,
    leaks: str = "refuse",
    pools: str = "shared = true",
    more: str = "",
) -> None:
    text = RECIPE.format(missing=missing, leaks=leaks, pools=pools) + more
    (folder / "r.toml").write_text(text, encoding="utf-8")


def run(*argv: str) -> int:
    return cli.main(list(argv))


@pytest.mark.parametrize("argv", [["--help"], ["plan", "tvg-r1-7b"], ["plan", "nano-smoke"]])
def test_help_and_plans_import_nothing_heavy(argv: list[str]) -> None:
    code = (
        "import sys; from vtg_eval.training.cli import main\n"
        f"try: main({argv!r})\nexcept SystemExit: pass\n"
        f"print('loaded', sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["plan", "timelens-7"], 'There is no recipe "timelens-7"'),
        (["plan", "best", "--launch", "fsdp"], 'Did you mean "fsdp2"'),
        (["sft", "r.toml"], "run vtg-train curate first"),
        (["rl", "r.toml"], "run vtg-train curate first"),
        (["export", "r.toml", "--to", "verl", "--out", "x"], "run vtg-train curate first"),
        (["sft", "timelens-7b"], "has no [sft]"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    workdir: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert run(*argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("vtg-train: ") and err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("argv", [[], ["plan", "best", "--devices", "0"], ["polish", "best"]])
def test_an_invalid_command_line_is_status_2(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        run(*argv)
    assert error.value.code == 2


def test_a_plan_is_json_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "best", "--machines", "2", "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["devices"], table["machines"], table["launch"]) == (16, 2, "fsdp2")
    assert all(stage["gib"] > 1 for stage in table["stages"])


def test_curation_reports_what_is_left_out(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("curate", "r.toml", "--json") == 0
    curation = json.loads(capsys.readouterr().out)
    assert (curation["read"], curation["kept"], curation["cold_start"]) == (4, 2, 2)
    assert "lost.mp4" in curation["report"] and "1 of 4 samples" in curation["report"]
    kept = load_samples([workdir / "runs/tiny/data.jsonl"])
    assert [s.id for s in kept] == ["one", "two"]
    assert (workdir / "runs/tiny/data.md").read_text() == curation["report"]
    record = json.loads((workdir / "runs/tiny/data.json").read_text())
    assert "against" not in record["of"]["data"]  # as in folders of earlier versions


def test_curation_again_returns_the_same_and_other_data_is_refused(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("curate", "r.toml") == 0
    first, before = capsys.readouterr().out, (workdir / "runs/tiny/data.jsonl").stat().st_mtime_ns
    assert run("curate", "r.toml") == 0
    assert capsys.readouterr().out == first
    assert (workdir / "runs/tiny/data.jsonl").stat().st_mtime_ns == before
    recipe(workdir, missing=0.6)
    assert run("curate", "r.toml") == 2
    assert "data.missing_share (before 0.5, now 0.6)" in capsys.readouterr().err
    assert (workdir / "runs/tiny/data.jsonl").stat().st_mtime_ns == before


def test_concurrent_curations_leave_one_complete_result(workdir: Path) -> None:
    command = [sys.executable, "-m", "vtg_eval.training.cli", "curate", "r.toml"]
    processes = [
        subprocess.Popen(command, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    ends = [(process.communicate()[1], process.returncode) for process in processes]
    assert 0 in [status for _, status in ends]
    assert all(status == 0 or "at work in runs/tiny" in err for err, status in ends)
    folder = workdir / "runs/tiny"
    assert json.loads((folder / "data.json").read_text())["counts"] == [4, 2, 2]
    assert [s.id for s in load_samples([folder / "data.jsonl"])] == ["one", "two"]
    assert {path.name for path in folder.iterdir()} == {
        *("lock", "data.json", "data.jsonl", "cold-start.jsonl", "data.md")
    }


@pytest.mark.parametrize(
    "argv", [["sft"], ["difficulty"], ["rl"], ["export", "--to", "verl", "--work", "runs/tiny"]]
)
def test_no_stage_uses_the_data_of_another_recipe(
    workdir: Path, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    assert run("curate", "r.toml") == 0
    text = (workdir / "r.toml").read_text(encoding="utf-8")
    (workdir / "r.toml").write_text(text.replace("[0.5, 60]", "[0.9, 60]"), encoding="utf-8")
    more = ["--out", "exported"] if argv[0] == "export" else []
    capsys.readouterr()
    assert run(*argv, "r.toml", *more) == 2
    assert "curation.moment_seconds (before [0.5, 60.0], now [0.9" in capsys.readouterr().err
    folders = {path.name for path in (workdir / "runs/tiny").iterdir() if path.is_dir()}
    assert not folders and not (workdir / "exported").exists()


def test_an_interrupted_curation_is_done_again(workdir: Path) -> None:
    assert run("curate", "r.toml") == 0
    folder = workdir / "runs/tiny"
    record = json.loads((folder / "data.json").read_text())
    del record["counts"]
    (folder / "data.json").write_text(json.dumps(record))
    (folder / "cold-start.jsonl").unlink()
    assert run("curate", "r.toml") == 0
    assert len(load_samples([folder / "cold-start.jsonl"])) == 2


def test_a_users_file_is_not_overwritten(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = workdir / "mine" / "data.jsonl"
    file.parent.mkdir()
    file.write_text("mine")
    assert run("curate", "r.toml", "--out", "mine") == 2
    assert "holds data.jsonl" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert run("curate", "r.toml", "--out", "mine") == 2
    assert file.read_text() == "mine"


def test_too_many_missing_videos_stop_it(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe(workdir, missing=0.1)
    assert run("curate", "r.toml") == 2
    err = capsys.readouterr().err
    assert "The videos of 1 of 4 samples are missing" in err and "lost.mp4" in err


def test_a_leak_is_refused_until_the_recipe_decides(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workdir / "data.jsonl").unlink()
    write_clock(workdir / "videos" / "test-00.mp4", frames=24, rate=12, height=64, width=64)
    write_samples(workdir / "data.jsonl", [*SAMPLES, sample("leak", "test-00.mp4")])
    assert run("curate", "r.toml") == 2
    err = capsys.readouterr().err
    assert "synth_vtg test" in err and "listed in runs/tiny/leaks.jsonl" in err
    leaks = (workdir / "runs/tiny/leaks.jsonl").read_text().splitlines()
    assert [(row["sample"], row["task"]) for row in map(json.loads, leaks)] == [
        ("leak", "synth_long"),
        ("leak", "synth_vtg"),
    ]
    scored = '[evaluation]\ntasks = ["qvhighlights"]\n'
    recipe(workdir, more=scored)
    assert run("curate", "r.toml", "--out", "scored") == 0  # what is not scored is no leak
    text = (workdir / "r.toml").read_text()
    (workdir / "r.toml").write_text(text.replace("[data]", '[data]\nagainst = ["synth_vtg"]'))
    assert run("curate", "r.toml", "--out", "named") == 2
    (workdir / "r.toml").write_text(text.replace("[data]", '[data]\nagainst = ["synth_vgt"]'))
    capsys.readouterr()
    assert run("curate", "r.toml", "--out", "misspelt") == 2
    assert 'Did you mean "synth_vtg"' in capsys.readouterr().err
    recipe(workdir, leaks="drop")
    assert run("curate", "r.toml") == 0
    assert "leak" not in {s.id for s in load_samples([workdir / "runs/tiny/data.jsonl"])}


def test_reasoning_filters_are_for_the_cold_start_only(workdir: Path) -> None:
    (workdir / "data.jsonl").unlink()
    write_samples(workdir / "data.jsonl", [*SAMPLES, sample("thought", reasoning=THOUGHT)])
    text = (workdir / "r.toml").read_text()
    (workdir / "r.toml").write_text(text.replace("[curation]", '[curation]\nformat = "think-time"'))
    assert run("curate", "r.toml") == 0
    assert len(load_samples([workdir / "runs/tiny/data.jsonl"])) == 3
    assert [s.id for s in load_samples([workdir / "runs/tiny/cold-start.jsonl"])] == ["thought"]


def test_stages_have_samples_of_their_own_or_the_recipe_says_that_they_share(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe(workdir, pools="")
    assert run("curate", "r.toml") == 2
    assert "2 of 2 samples of [rl] are samples of [sft], too" in capsys.readouterr().err
    assert not (workdir / "runs/tiny/data.json").exists()
    write_samples(workdir / "rl.jsonl", [sample("three"), sample("short", spans=(Span(1, 1.1),))])
    recipe(workdir, pools='rl = ["rl.jsonl"]')
    assert run("curate", "r.toml", "--json") == 0
    curation = json.loads(capsys.readouterr().out)
    assert (curation["read"], curation["kept"], curation["cold_start"]) == (6, 1, 2)
    assert [s.id for s in load_samples([workdir / "runs/tiny/data.jsonl"])] == ["three"]
    kept = load_samples([workdir / "runs/tiny/cold-start.jsonl"])
    assert [s.id for s in kept] == ["one", "two"]


def test_a_folder_of_an_earlier_version_is_kept(workdir: Path) -> None:
    """Its record knows neither pools nor what is shared; its recipe need not say it."""
    assert run("curate", "r.toml") == 0
    record = json.loads((workdir / "runs/tiny/data.json").read_text())
    assert set(record["of"]["data"]) == {
        *("train", "videos", "missing_share", "leaks", "label_noise")
    }
    recipe(workdir, pools="")
    assert run("curate", "r.toml") == 0


def test_export_writes_what_was_curated(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("curate", "r.toml") == 0
    capsys.readouterr()
    assert run("export", "r.toml", "--to", "ms-swift", "--out", "swift", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"swift/sft.jsonl": 2, "swift/rl.jsonl": 2}
    row = json.loads((workdir / "swift/sft.jsonl").read_text().splitlines()[0])
    assert row["videos"] == [str(workdir / "videos" / "a.mp4")]
    assert row["messages"][-1]["content"] == "0.5 - 1.5"
    assert run("export", "r.toml", "--to", "verl", "--out", "verl") == 0
    assert "verl/vtg_eval_reward.py: the reward" in capsys.readouterr().out
    (workdir / "videos" / "a.mp4").unlink()
    assert run("export", "r.toml", "--to", "verl", "--out", "other") == 2
    assert "videos/a.mp4. Fetch them" in capsys.readouterr().err


def test_an_interruption_is_status_130_and_says_how_to_resume(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "find_recipe", interrupt)
    assert run("plan", "best") == 130
    assert "run the same command again to resume" in capsys.readouterr().err


def test_ctrl_c_while_it_works_is_status_130(workdir: Path) -> None:
    code = (
        "import sys, time\n"
        "from vtg_eval.training import cli\n"
        "cli.run_curation = lambda *_: (print('working', flush=True), time.sleep(60))\n"
        "sys.exit(cli.main(['curate', 'r.toml']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None and process.stderr.readline() == "working\n"
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err.count("\n")) == (130, 1)


@pytest.mark.engine
@pytest.mark.xdist_group("training")
def test_curation_fine_tuning_and_rl_follow_on_one_another(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("trl", reason="needs the extra train")
    assert run("curate", "r.toml") == 0
    assert run("rl", "r.toml") == 2  # first the cold start
    assert "run vtg-train sft first" in capsys.readouterr().err
    assert run("sft", "r.toml") == 0
    assert run("rl", "r.toml") == 0
    last = capsys.readouterr().out.splitlines()[-2:]
    assert last[0] == "runs/tiny/rl/checkpoint"
    assert last[1].startswith("Score it: vtg-eval --model runs/tiny/rl/checkpoint")
    record = json.loads((workdir / "runs/tiny/rl/training.json").read_text())
    assert record["stage"] == "rl"
    assert (workdir / "runs/tiny/rl/checkpoint/model.safetensors").is_file()
    assert run("plan", "r.toml") == 0
