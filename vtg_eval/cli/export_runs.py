"""What `vtg-eval export` does: write the data frames of runs to a file."""

from __future__ import annotations

import json
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from vtg_eval.api.frames import metrics_frame, samples_frame
from vtg_eval.api.runs import load_run
from vtg_eval.console.streams import show
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import atomic_path
from vtg_eval.registry import Registry


def export(args: Namespace, registry: Registry) -> int:
    """Write the file and print its path."""
    _check_target(args.out)
    if args.to == "parquet" and find_spec("pyarrow") is None:
        raise UserError("Parquet files need pyarrow: install the extra parquet, or use --to csv.")
    runs = [
        load_run(path, data_root=args.data_root, protocol=args.protocol, registry=registry)
        for path in args.runs
    ]
    if args.table == "metrics":
        frame = metrics_frame(runs)
    else:
        parts = [samples_frame(run) for run in runs]
        for part, path in zip(parts, args.runs, strict=True):
            part.insert(0, "run", str(path))
        frame = pd.concat(parts, ignore_index=True)
    with atomic_path(args.out) as part_file:
        _write(frame, part_file, args.to)
    show(f"{args.out} ({len(frame):,} rows)")
    return 0


def _check_target(out: Path) -> None:
    """Raise UserError for a file that cannot be written, or belongs to a run."""
    parent = out.absolute().parent
    if not parent.is_dir():
        raise UserError(f"{parent} is not a folder. Name another --out.")
    if out.is_dir():
        raise UserError(f"{out} is a folder. Name a file as --out.")
    if out.exists() and (parent / "manifest.json").exists():
        raise UserError(f"{out} is a file of a run. Name another --out.")


def _write(frame: pd.DataFrame, path: Path, kind: str) -> None:
    if kind == "parquet":
        frame.to_parquet(path, engine="pyarrow", index=False)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True, force_ascii=False, double_precision=15)
    else:
        frame.map(_as_json).to_csv(path, index=False, lineterminator="\n")


def _as_json(value: object) -> object:
    """Return a list as JSON text, anything else as it is."""
    return json.dumps(value) if isinstance(value, list | tuple) else value
