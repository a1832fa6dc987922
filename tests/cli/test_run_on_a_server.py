"""`vtg-eval --model openai:NAME` from the command line, against a server that misbehaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai", reason="needs the extra openai")

from tests.rude_server import RudeServer
from vtg_eval.cli import main

MAIN = "import sys; from vtg_eval.cli import main; sys.exit(main())"
KEY = "canary-0123456789"
LIMIT = 24


@dataclass(frozen=True, slots=True)
class Shell:
    """Calls `vtg-eval` in an empty folder; the benchmark's videos are shared by all tests."""

    home: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, server: RudeServer, *args: str) -> tuple[int, str, str]:
        """Call it in this process: exit status, standard output, standard error."""
        return main(arguments(server, *args)), *self.capsys.readouterr()

    def start(self, server: RudeServer, *args: str) -> subprocess.Popen[str]:
        """Start it in a new process."""
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *arguments(server, *args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def journal(self, out: str) -> list[dict[str, Any]]:
        path = self.home / out / "journal.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


def arguments(server: RudeServer, *args: str) -> list[str]:
    model = ["--model", "openai:some/model", "--base-url", server.url, "--tasks", "synth_vtg"]
    return ["run", *model, "--limit", str(LIMIT), *args]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "data").mkdir()
    return folder


@pytest.fixture
def shell(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VTG_EVAL_CACHE", str(data / "cache"))
    monkeypatch.setenv("VTG_EVAL_DATA", str(data / "data"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return Shell(tmp_path, capsys)


@pytest.fixture
def server() -> Iterator[RudeServer]:
    with RudeServer() as polite:
        yield polite


def test_a_run_has_a_plan_scores_and_a_manifest_that_says_who_tells_the_times(
    shell: Shell, server: RudeServer
) -> None:
    code, out, err = shell.run(server, "--plan", "--out", "one")
    assert (code, server.arrived) == (0, {}), err
    assert f"synth_vtg: {LIMIT} samples" in out
    code, out, err = shell.run(server, "--out", "one")
    assert code == 0, err
    assert "openai:model" in out
    assert "mIoU" in out
    manifest = json.loads((shell.home / "one" / "manifest.json").read_text())
    identity = {"base_url": server.url, "send": "images", "images": "JPEG, quality 90, 4:4:4"}
    assert manifest["spec"]["engine_args"] == identity
    assert manifest["sessions"][0]["engine"]["times"] == "asserted by us"
    for record in shell.journal("one"):
        assert record["finish"] == "stop"
        assert record["model_times"] == [round(time, 1) for time in record["frame_times"]]
        assert record["prompt_tokens"] > 60 * len(record["frame_times"])
    images = [p for p in server.last["messages"][-1]["content"] if p["type"] == "image_url"]
    assert len(images) == len(record["frame_times"])
    assert main(["report", "one", "--pictures", "0", "--out", "page.html"]) == 0
    assert "openai:model" in (shell.home / "page.html").read_text()
    code, out, err = shell.run(server, "--out", "one", "--send", "video")
    assert code == 2
    assert "one" in err


def test_a_video_is_sent_with_its_times(shell: Shell, server: RudeServer) -> None:
    assert shell.run(server, "--out", "one", "--send", "video", "--limit", "2")[0] == 0
    manifest = json.loads((shell.home / "one" / "manifest.json").read_text())
    assert manifest["sessions"][0]["engine"]["times"] == "asserted by the server"
    record = shell.journal("one")[-1]
    arguments = server.last["media_io_kwargs"]["video"]
    times = [index / arguments["fps"] for index in arguments["frames_indices"]]
    assert times == pytest.approx(record["frame_times"], abs=1e-6)
    assert record["model_times"] == []


def test_a_killed_run_is_finished_and_asks_no_answered_sample_again(shell: Shell) -> None:
    with RudeServer(rudeness=0.2, kinds=["broken", "half", "garbage", "reset"], delay=0.1) as rude:
        process = shell.start(rude, "--out", "one", "--batch-size", "4")
        while len(shell.journal("one")) < LIMIT // 3:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.kill()
        process.communicate()
        kept = shell.journal("one")
        assert len(kept) < LIMIT
        time.sleep(0.3)  # the server finishes what it has begun
        assert shell.run(rude, "--out", "one", "--batch-size", "4")[0] == 0
    records = shell.journal("one")
    assert len({record["id"] for record in records}) == len(records) == LIMIT
    assert {record["finish"] for record in records} == {"stop"}
    assert records[: len(kept)] == kept
    twice = [sample for sample, count in rude.answered.items() if count > 1]
    assert len(twice) <= 4
    assert len(rude.answered) == LIMIT
    with RudeServer() as polite:
        code, _, err = shell.run(polite, "--out", "one")
        assert code == 2, "another server is another run"
        assert "one" in err


def test_ctrl_c_ends_a_run_at_once(shell: Shell) -> None:
    with RudeServer(rudeness=0.5, kinds=["slow"], delay=0.1) as slow:
        process = shell.start(slow, "--out", "one")
        while not shell.journal("one"):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - began < 10
    assert process.returncode == 130
    assert "run the same command again to finish" in err


def test_a_budget_holds_over_sessions_and_a_higher_one_continues(
    shell: Shell, server: RudeServer
) -> None:
    server.image_tokens = 2000
    code, _, err = shell.run(server, "--out", "one", "--max-tokens-total", "700000")
    assert code == 1
    assert "the same command with a higher budget continues" in err
    assert "Traceback" not in err
    answered = len(shell.journal("one"))
    assert 0 < answered < LIMIT
    assert 400_000 < server.billed <= 700_000
    assert shell.run(server, "--out", "one", "--max-tokens-total", "700000")[0] == 1
    assert server.billed <= 700_000
    code, _, err = shell.run(server, "--out", "one", "--max-cost", "100", "--price", "10,10")
    assert code == 0, err
    assert len(shell.journal("one")) == LIMIT
    assert set(server.answered.values()) == {1}


def test_the_key_is_written_nowhere(shell: Shell, server: RudeServer) -> None:
    server.answer = f"Bearer {KEY} from {{n}}.0 to {{n}}.5"
    outputs = [*shell.run(server, "--out", "one", "--limit", "3")]
    server.status, server.error = 400, {"message": f"bad request by Bearer {KEY}"}
    outputs += shell.run(server, "--out", "two", "--limit", "3")
    server.status, server.error = 401, {"message": f"wrong key {KEY}"}
    outputs += shell.run(server, "--out", "three", "--limit", "3")
    assert server.keys == {f"Bearer {KEY}"}
    assert KEY not in "".join(map(str, outputs))
    files = [path for path in shell.home.rglob("*") if path.is_file()]
    assert {"manifest.json", "journal.jsonl", "results.json"} <= {path.name for path in files}
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path
    assert "[OPENAI_API_KEY] from" in shell.journal("one")[0]["text"]
    assert "bad request by Bearer [OPENAI_API_KEY]" in shell.journal("two")[0]["error"]


def test_a_refusal_is_counted_by_its_name_and_not_asked_again(
    shell: Shell, server: RudeServer
) -> None:
    server.finish = "content_filter"
    code, out, err = shell.run(server, "--out", "one", "--limit", "3")
    assert code == 0, err
    assert "refused" in out
    results = json.loads((shell.home / "one" / "results.json").read_text())
    assert results["failures"] == {"refused": 3}
    assert shell.run(server, "--out", "one", "--limit", "3")[0] == 0
    assert set(server.arrived.values()) == {1}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--model", "openai:m", "--engine", "vllm"], "leave out --engine"),
        (["--model", "openai:m", "--max-cost", "1"], "--price PROMPT,COMPLETION"),
        (["--model", "nano", "--max-cost", "1"], "--model openai:NAME"),
        (["--model", "openai"], "openai:MODEL_NAME"),
    ],
)
def test_wrong_arguments(shell: Shell, server: RudeServer, args: list[str], message: str) -> None:
    base = ["--base-url", server.url] if args[1] == "openai:m" else []
    assert main(["run", *args, *base, "--tasks", "synth_vtg"]) == 2
    assert message in shell.capsys.readouterr().err


def test_without_a_key_openais_own_server_is_not_asked(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert main(["run", "--model", "openai:gpt-5", "--tasks", "synth_vtg"]) == 2
    assert "set the environment variable OPENAI_API_KEY" in shell.capsys.readouterr().err
    assert list(shell.home.iterdir()) == []
