"""The scripts of docs/clusters run as they stand, without a scheduler."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.leaderboard_case import DURATIONS, LINES

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "docs" / "clusters"
PROGRAM = "import sys; from vtg_eval.cli import main; sys.exit(main())"
SHARDS = 2


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return variables for a blind model on three samples, with `vtg-eval` on the PATH."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "charades_sta_test.txt").write_text(LINES)
    (data / "Charades_v1_test.csv").write_text(DURATIONS)
    program = tmp_path / "bin" / "vtg-eval"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{PROGRAM}' \"$@\"\n")
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SHARDS": str(SHARDS),
        "MODEL": "baseline:random",
        "TASKS": "charades_sta",
        "RUN": str(tmp_path / "run"),
        "VTG_EVAL_DATA": str(data),
        "VTG_EVAL_CACHE": str(tmp_path / "cache"),
    }


def finish(environment: dict[str, str], *command: str) -> str:
    """Run a command with these variables; return what it printed."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def jobs() -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all((SCRIPTS / "kubernetes.yaml").read_text()))


def container(job: dict[str, Any]) -> dict[str, Any]:
    (only,) = job["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_the_slurm_script_answers_all_shards(environment: dict[str, str]) -> None:
    for number in range(1, SHARDS + 1):
        # only some of the shards may be submitted: the count is not that of the array
        task = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "1"}
        out = finish(environment | task, "bash", str(SCRIPTS / "slurm.sh"), "--batch-size", "2")
        assert f"charades_sta, shard {number}/{SHARDS}: " in out
    merged = finish(environment, "vtg-eval", "merge", environment["RUN"])
    assert "samples: 3, in the denominator: 3" in merged


def test_the_slurm_script_has_one_number_of_shards() -> None:
    text = (SCRIPTS / "slurm.sh").read_text()
    assert "#SBATCH --array=1-8\n" in text
    assert "\nSHARDS=${SHARDS:-8}\n" in text


def test_the_kubernetes_jobs_answer_all_shards_and_merge(environment: dict[str, str]) -> None:
    shards, merge = map(container, jobs())
    for index in range(SHARDS):
        index_variable = {"JOB_COMPLETION_INDEX": str(index)}
        out = finish(environment | index_variable, *shards["command"])
        assert f"charades_sta, shard {index + 1}/{SHARDS}: " in out
    assert "samples: 3, in the denominator: 3" in finish(environment, *merge["command"])


def test_the_kubernetes_jobs_agree(environment: dict[str, str]) -> None:
    shards, merge = jobs()
    spec = shards["spec"]
    variables, merged = (
        {one["name"]: one["value"] for one in container(job)["env"]} for job in (shards, merge)
    )
    assert (shards["kind"], spec["completionMode"]) == ("Job", "Indexed")
    assert int(variables["SHARDS"]) == spec["completions"]
    assert variables.keys() <= environment.keys()
    assert merged.items() <= variables.items()
    assert merge["spec"]["suspend"]
    for job in (shards, merge):
        pod = job["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never"
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container(job)["volumeMounts"]} == volumes
    (rule,) = [one for one in spec["podFailurePolicy"]["rules"] if one["action"] == "FailJob"]
    assert rule["onExitCodes"]["containerName"] == container(shards)["name"]
