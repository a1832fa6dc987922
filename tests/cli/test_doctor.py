from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from vtg_eval.model_adapters.qwen3_vl import Qwen3VLAdapter

from tests.tiny_checkpoints import tiny_qwen2_5_vl, tiny_qwen3_vl
from vtg_eval.cli import main


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen3_vl(tmp_path_factory.mktemp("doctor"))


def test_both_families_get_true_times(
    qwen3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "time", str(qwen3)]) == 0
    assert capsys.readouterr().out.count("true") == 5
    assert main(["doctor", "time", str(tiny_qwen2_5_vl(tmp_path)), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["true"] for row in rows] == [True] * 5
    assert {row["resolution"] for row in rows} == {0.5}


def test_times_by_frame_number_are_reported_as_wrong(
    qwen3: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most harnesses pass frame numbers and the average rate, which is wrong at a variable rate."""
    timing = Qwen3VLAdapter.timing

    def numbered(self: Qwen3VLAdapter, times: Any) -> Any:
        made = timing(self, times)
        numbers = {"frames_indices": list(range(len(times))), "fps": 2.0}
        return made._replace(metadata={**made.metadata, **numbers})

    monkeypatch.setattr(Qwen3VLAdapter, "timing", numbered)
    assert main(["doctor", "time", str(qwen3), "--json"]) == 1
    rows = {row["clock"]: row for row in json.loads(capsys.readouterr().out)}
    assert not rows["variable rate"]["true"]
    assert rows["24 fps"]["true"]


def test_a_model_without_frames_has_nothing_to_prove(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "time", "baseline:random"]) == 2
    assert "no times" in capsys.readouterr().err
