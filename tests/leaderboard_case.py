"""Fixtures for tests of the leaderboard: parts of its data, a hand-made entry, a tiny run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from vtg_eval.leaderboard.board import SHIPPED, Board
from vtg_eval.leaderboard.entries import Answers, Figures, LeaderboardEntry
from vtg_eval.leaderboard.signing import sign

from vtg_eval.cli import main
from vtg_eval.failures import Failure
from vtg_eval.registry import Registry
from vtg_eval.run.manifest import Subset

LINES = "AAAAA 0.0 10.0##person sits.\nBBBBB 5.0 10.0##person runs.\nBBBBB 0.0 5.0##person eats.\n"
DURATIONS = "id,length\nAAAAA,20.0\nBBBBB,20.0\n"

FIGURES = Figures(
    primary="mIoU",
    headline=("R1@0.5", "mIoU"),
    n_expected=3720,
    n_scored=3720,
    metrics={"R1@0.5": 50.0, "mIoU": 44.0},
    intervals={"R1@0.5": (48.0, 52.0), "mIoU": (43.0, 45.0)},
    failures={Failure.UNPARSED: 1},
    floors={"whole video": {"R1@0.5": 0.4, "mIoU": 27.0}},
    ceiling=None,
)
ENTRY = LeaderboardEntry(
    name="model-charades_sta-strict@2-00000000",
    setting="zero-shot",
    spec={
        "task": "charades_sta",
        "task_version": "1-A",
        "split": "test",
        "annotations": "a" * 64,
        "model": "model",
        "protocol": {"name": "strict@2", "prompt": {"subtitles": "none"}},
    },
    subset=Subset("d" * 64, 3720, 3720),
    versions=({"vtg-eval": "0.1.0"},),
    answers=Answers(3720, "e" * 64),
    figures=FIGURES,
)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1))",
    "a | b\n| c | d |",
    "`code` **bold** $x$",
    r"\input{/etc/passwd} & # _ ^ ~ %",
    "=HYPERLINK(0)",
    "</td></table><h1>",
    "*" * 40,
]


def with_spec(entry: LeaderboardEntry, **changes: Any) -> LeaderboardEntry:
    """Return the entry with other values in its spec."""
    return replace(entry, spec={**entry.spec, **changes})


KEPT = ("charades_sta", "tvgbench", "tacos", "videomme")


def board_copy(folder: Path) -> Path:
    """Copy the shipped data of some benchmarks to `folder`, signed again, without runs."""
    published = folder / "published"
    shutil.copytree(SHIPPED / "published", published)
    for path in (published / "results").glob("*.csv"):
        if path.stem not in KEPT:
            path.unlink()
    pages = (published / "pages.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in pages[1:] if line.split(",")[3] in KEPT]
    (published / "pages.csv").write_text("".join([pages[0], *kept]), encoding="utf-8")
    sign(published)
    return folder


def part_of(board: Board, *entries: LeaderboardEntry) -> Board:
    """Return a board of one benchmark, with these runs of Charades-STA."""
    published = board.published
    return replace(
        board,
        published=replace(
            published,
            benchmarks={"charades_sta": published.benchmarks["charades_sta"]},
            numbers=tuple(n for n in published.numbers if n.benchmark == "charades_sta"),
            pages=(),
        ),
        entries=entries,
        cards={"charades_sta": Registry.discover().task("charades_sta").card},
    )


def changed(path: Path, old: str, new: str, at: int = 0) -> int:
    """Replace a text in the first line from index `at` on that has it; return the line number."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    index = next(k for k, line in enumerate(lines) if k >= at and old in line)
    lines[index] = lines[index].replace(old, new)
    path.write_text("".join(lines), encoding="utf-8")
    return index + 1


def tiny_run(folder: Path, model: str = "baseline:whole-video") -> Path:
    """Run a baseline on three samples of Charades-STA, with data in `folder`."""
    (folder / "charades_sta_test.txt").write_text(LINES)
    (folder / "Charades_v1_test.csv").write_text(DURATIONS)
    out = folder / "run"
    arguments = ["--model", model, "--tasks", "charades_sta", "--data-root", str(folder)]
    assert main([*arguments, "--out", str(out), "--quiet"]) == 0
    return out
