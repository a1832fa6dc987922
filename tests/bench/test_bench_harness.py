"""The measurement of the harness's own time, at a size that takes no time."""

from __future__ import annotations

from pathlib import Path

from tests.bench.bench_harness import run, write_annotations


def test_each_part_that_is_timed_is_part_of_a_run(tmp_path: Path) -> None:
    write_annotations(tmp_path, 8)
    parts = run(tmp_path, tmp_path / "run").parts
    assert [part for part, seconds in parts.items() if not seconds] == []
