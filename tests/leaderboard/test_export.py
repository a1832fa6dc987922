"""Exports: read by Hugging Face's own reader, and one JSON of all data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yaml", reason="needs the extra hf")
pytest.importorskip("huggingface_hub", reason="needs the extra hf")

import yaml
from huggingface_hub import EvalResult, ModelCard
from vtg_eval.leaderboard.board import SHIPPED, load_board
from vtg_eval.leaderboard.entries import LeaderboardEntry
from vtg_eval.leaderboard.export import model_index

from tests.leaderboard_case import ENTRY, FIGURES, tiny_run, with_spec
from vtg_eval.cli import main
from vtg_eval.registry import Registry

REGISTRY = Registry.discover()
SHIPPED_BOARD = load_board(SHIPPED, REGISTRY)


def exported(*entries: LeaderboardEntry) -> str:
    cards = {entry.task: REGISTRY.task(entry.task).card for entry in entries}
    return model_index(replace(SHIPPED_BOARD, entries=entries, cards=cards), entries)


def results(text: str) -> list[EvalResult]:
    evaluations = ModelCard(text).data.eval_results
    assert evaluations is not None
    return evaluations


def test_hugging_face_reads_the_block() -> None:
    evaluations = results(exported(ENTRY))
    figures = [(r.metric_type, r.metric_value) for r in evaluations]
    assert figures == [("R1@0.5", 50.0), ("mIoU", 44.0)]
    first = evaluations[0]
    assert (first.dataset_type, first.dataset_split) == ("charades_sta", "test")
    assert first.dataset_name == "Charades-STA: indoor activities, one moment for each sentence"
    assert first.dataset_revision == "1-A"
    assert first.metric_args == {
        "protocol": "strict@2",
        "interval_95": [48.0, 52.0],
        "best_blind_floor": 0.4,
    }
    assert first.dataset_args is not None
    assert first.dataset_args["signature"] == ENTRY.to_json()["signature"]
    assert first.dataset_args["subset"] == "whole"


def test_several_runs_of_a_model_share_one_name() -> None:
    other = with_spec(replace(ENTRY, name="other"), task="tacos")
    table = next(yaml.safe_load_all(exported(ENTRY, other)))
    (model,) = table["model-index"]
    assert [r["dataset"]["type"] for r in model["results"]] == ["charades_sta", "tacos"]


@pytest.mark.parametrize(
    "name", ['a"b', "a\\b", "a: b\n- c", "\x00\x85\u2028\ud7ff", "yes", "😀 {x} # y", "1e5", "---"]
)
def test_hostile_names_stay_texts(name: str) -> None:
    table = next(yaml.safe_load_all(exported(with_spec(ENTRY, model=name))))
    assert table["model-index"][0]["name"] == name
    assert len(table) == 1


def test_a_metric_without_a_value_is_left_out() -> None:
    figures = replace(FIGURES, metrics={"R1@0.5": 1e-7, "mIoU": None})
    (only,) = results(exported(replace(ENTRY, figures=figures)))
    assert [(only.metric_type, only.metric_value)] == [("R1@0.5", 0.0)]


def test_from_a_run_on_the_command_line(tmp_path: Path, capsys: Any) -> None:
    run = tiny_run(tmp_path)
    arguments = ["leaderboard", "export", str(run), "--data-root", str(tmp_path)]
    assert main([*arguments, "--format", "model-index"]) == 0
    text = capsys.readouterr().out
    (first, *_) = results(text)
    assert first.dataset_args is not None and len(first.dataset_args["subset"]) == 64


def test_one_json_of_all_data(capsys: Any) -> None:
    assert main(["leaderboard", "export", "--format", "json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert set(table) == {"format", "made_by", "runs", "numbers", "sources", "benchmarks"}
    assert table["format"] == 1
    assert [run["spec"]["model"] for run in table["runs"]] == ["nano"]
    kinds = {row["kind"] for row in table["numbers"]}
    assert kinds == {"reported", "floor", "reproduced"}
    sources = {source["id"] for source in table["sources"]}
    assert all(r["source"] in sources for r in table["numbers"] if r["kind"] == "reported")
    page = (Path(__file__).parents[2] / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    for key in {*table, *table["numbers"][0], *table["runs"][0]}:
        assert f"`{key}`" in page, f"docs/leaderboard.md does not explain {key}"
