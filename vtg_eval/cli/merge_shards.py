"""What `vtg-eval merge` does: the shards of a run become one run."""

from __future__ import annotations

import re
import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtg_eval.cli.run_output import (
    check_output,
    progress_table,
    show_results,
    warn_failures,
    write_tables,
)
from vtg_eval.console.streams import warn
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry
from vtg_eval.run.gc_pause import gc_paused
from vtg_eval.run.merge import Merged, ShardFolder, ShardState, find_shards, merge
from vtg_eval.run.shards import run_of


def merge_shards(args: Namespace, registry: Registry) -> int:
    """Merge, print, return the exit status."""
    check_output(args.json)
    tables: list[dict[str, Any]] = []
    failed = False
    for folder, shards in _by_run(args.runs, args.out).items():
        with gc_paused():
            merged = merge(shards, folder, registry, args.data_root)
        tables.append(_show(merged, folder, args.json))
        failed |= merged.failed > 0
    if args.json:
        write_tables(tables, args.json)
    return 1 if failed else 0


def _by_run(paths: Sequence[Path], out: Path | None) -> dict[Path, list[ShardFolder]]:
    """Return the shards to merge in each run's folder; raises UserError."""
    shards = {shard.path.resolve(): shard for path in paths for shard in find_shards(path)}
    runs: dict[Path, list[ShardFolder]] = {}
    for shard in shards.values():
        run = out or run_of(shard.path)
        if run is None:
            raise UserError(
                f"{shard.path} is not in its run's folder: name the merged run's --out."
            )
        runs.setdefault(run, []).append(shard)
    return runs


def _show(merged: Merged, folder: Path, out: str | None) -> dict[str, Any]:
    """Print a merged run; return it as plain JSON values."""
    if merged.results is not None:
        warn_failures(merged.results, folder)
        show_results(merged.results, folder, merged.spec, out)
    if merged.unfinished:
        _warn_unfinished(merged, folder)
    if merged.results is None:
        warn(
            f"{folder}: {merged.answered} of {merged.asked} samples answered, so there is no score "
            "yet. The run's command without --shard asks all others."
        )
        return progress_table(merged.spec, folder, merged.answered, merged.asked)
    return merged.results.to_json()


def _warn_unfinished(merged: Merged, folder: Path) -> None:
    warn(f"{folder}: unfinished shards: {', '.join(map(_described, merged.unfinished))}.")
    shard = merged.unfinished[0].shard
    if merged.command:
        words = shlex.join(("vtg-eval", *merged.command[1:]))
        command = re.sub(r"--shard[= ]\S+", f"--shard {shard}", words)
        warn(f"this finishes shard {shard}, and so on; then merge again:\n{command}")


def _described(state: ShardState) -> str:
    if state.asked is None:
        return f"{state.shard} (not begun)"
    return f"{state.shard} ({state.done} of {state.asked})"
