"""`vtg-eval --ray`: workers on a cluster, one journal, the results of one process."""

from __future__ import annotations

import json
import signal
import sys
import time

import pytest

from tests.fakes import QUERIES, VIDEOS
from tests.ray_case import SmallCluster
from tests.shell import Shell

TOTAL = VIDEOS * QUERIES


def ids(shell: Shell, folder: str) -> list[str]:
    return [record["id"] for record in shell.journal(folder)]


pytestmark = pytest.mark.xdist_group("ray")


def test_a_cluster_gives_the_results_of_one_process_though_an_actor_is_killed(
    shell: Shell, ray_cluster: SmallCluster
) -> None:
    assert shell.run("--out", "one", "--quiet")[0] == 0
    fault = ("stop_after=5", "signal=SIGKILL", f"once={shell.home / 'made'}")
    engine_args = [word for arg in fault for word in ("--engine-arg", arg)]
    code, out, err = shell.run("--out", "two", "--ray", ray_cluster.address, *engine_args)
    assert code == 0, err
    assert "R1@0.5" in out
    assert shell.results("two") == shell.results("one")
    assert sorted(ids(shell, "two")) == sorted(ids(shell, "one"))
    manifest = json.loads((shell.home / "two" / "manifest.json").read_text())
    assert [session["engine"]["processes"] for session in manifest["sessions"]] == [2]


def test_decoders_give_the_results_of_one_process_though_one_is_killed(
    shell: Shell, ray_cluster: SmallCluster
) -> None:
    arguments = ("--decoder", "faulty", "--frames-limit", "0")
    assert shell.run("--out", "one", "--quiet", *arguments)[0] == 0
    (video,) = (shell.home / "cache").rglob("v3.txt")
    fault = video.with_suffix(".fault")
    fault.write_text("kill")
    decoders = ("--ray", ray_cluster.address, "--devices", "1", "--ray-decoders", "2")
    code, out, err = shell.run("--out", "two", *arguments, *decoders)
    assert code == 0, err
    assert not fault.exists()
    assert "has ended" not in err  # the worker's process was not killed
    assert f"\nframes: {VIDEOS} videos decoded, 0 from the store" in out
    assert shell.results("two") == shell.results("one")
    assert {record["frames"] for record in shell.journal("two")} == {
        record["frames"] for record in shell.journal("one")
    }


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_run_that_ended_is_finished_later(
    shell: Shell, ray_cluster: SmallCluster, number: signal.Signals, status: int
) -> None:
    arguments = ("--out", "two", "--ray", ray_cluster.address, "--engine-arg", "delay=0.2")
    process = shell.start(*arguments)
    file = shell.home / "two" / "journal.jsonl"
    while not (file.exists() and file.stat().st_size) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    if status == 130:
        assert "run the same command again to finish" in err
    assert 0 < len(shell.journal("two")) < TOTAL
    ray_cluster.wait_until_free()
    if number is signal.SIGKILL:
        code, _, err = shell.run(*arguments)
        assert code == 0, err
        assert len(shell.journal("two")) == TOTAL


def test_a_ray_of_this_machine(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    code, _, err = shell.run("--out", "two", "--ray", "local", "--devices", "1")
    assert code == 0, err
    assert "Traceback" not in err
    assert len(shell.journal("two")) == TOTAL


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "nobody answers there"),
        ("auto", "no Ray runs on this machine. Start it with `ray start --head`"),
    ],
)
def test_an_address_of_no_cluster_is_refused(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, address: str, message: str
) -> None:
    ray = pytest.importorskip("ray", reason="needs the extra ray")

    def no_ray(*args: object, **options: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", no_ray)  # another test's Ray may run on this machine
    code, _, err = shell.run("--out", "two", "--ray", address)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "head", ":6379", "Local", ""])
@pytest.mark.parametrize("plan", [(), ("--plan",)])
def test_what_is_no_address_is_refused_before_anything_starts(
    shell: Shell, address: str, plan: tuple[str, ...]
) -> None:
    pytest.importorskip("ray", reason="needs the extra ray")
    code, _, err = shell.run("--out", "two", "--ray", address, *plan)
    assert code == 2
    assert "HOST:PORT" in err
    assert not (shell.home / "two").exists()


@pytest.mark.parametrize("arguments", [(), ("--ray", "local")])
def test_decoders_without_a_cluster_are_refused(shell: Shell, arguments: tuple[str, ...]) -> None:
    code, _, err = shell.run("--out", "two", "--ray-decoders", "4", *arguments)
    assert code == 2
    assert "--ray-decoders is for a cluster of several machines" in err
    assert not (shell.home / "two").exists()


def test_without_ray_the_extra_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = shell.run("--out", "two", "--ray", "local")
    assert code == 2
    assert "install the extra ray" in err
    assert not (shell.home / "two").exists()
