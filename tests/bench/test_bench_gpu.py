"""The script for a GPU, at the size that a CPU can run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("vllm")

import torch
from vtg_eval.training.plan.model_size import PUBLISHED, size_of

from tests.bench.gpu.checkpoints import SHAPES, write_checkpoint
from tests.tiny_families import qwen2_5_vl, qwen3_vl

SCRIPT = Path(__file__).with_name("bench_gpu.py")
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("bench")]


@pytest.mark.parametrize("name", SHAPES)
def test_a_checkpoint_has_the_published_number_of_parameters(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []

    def count(model_class, config, processor, folder):
        with torch.device("meta"):
            counts.append(sum(p.numel() for p in model_class(config).parameters()))

    for family in (qwen2_5_vl, qwen3_vl):
        monkeypatch.setattr(family, "write_checkpoint", count)
    write_checkpoint(name, tmp_path)
    assert counts == [size_of(PUBLISHED[name]).parameters]


def test_the_table_has_a_row_for_each_run(tmp_path: Path) -> None:
    sizes = ("--tiny", "--videos", "2", "--seconds", "2", "--queries", "2")
    models = ("--models", "Qwen3-VL-8B-Instruct")
    command = (sys.executable, str(SCRIPT), *sizes, *models, "--out", str(tmp_path / "gpu.md"))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "gpu.md").read_text()
    assert page == done.stdout
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in page.splitlines() if "|" in line]
    runs = {tuple(row[:4]) for row in rows[2:]}
    ways = ("videos", "stored frames", "LLM.generate")
    assert runs == {("2", way, "4", "0") for way in ways}
    for row in rows[2:]:
        seconds, requests, tokens = (float(cell.replace(",", "")) for cell in row[4:7])
        assert seconds > 0 and requests > 0 and tokens > 50 * requests
        assert row[7] == "no GPU"
        assert float(row[8]) > 0
