"""`vtg-eval merge`: the shards of a run become one run."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtg_eval.cli.command import ROOT_HELP, Command
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


class MergeCommand(Command):
    """Join the answers of a run's shards and score them, without the model."""

    epilog = (
        "RUN is the folder of a run that was made with --shard, a folder with several of them (as\n"
        "for several tasks), or a shard. The merged run is as if one process had made it, and its\n"
        "results are the same, byte for byte. Its command without --shard asks what is missing.\n"
        "Shards may still be at work or be finished later: merge again then.\n"
        "\n"
        "Exit status: 0 merged and scored; 1 samples failed, or shards are missing or unfinished;\n"
        "2 a mistake in the arguments or the files, such as shards of different runs."
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
        parser.add_argument(
            "--out",
            type=Path,
            metavar="DIR",
            help="the merged run's folder, for shards of one run; default: the one that has them",
        )
        parser.add_argument("--data-root", type=Path, metavar="DIR", help=ROOT_HELP)
        parser.add_argument(
            "--json", metavar="OUT", help="write the results as JSON (- is standard output)"
        )

    def run(self, args: Namespace, registry: Registry) -> int:
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
