"""`vtg-eval samples`: a task's samples as JSON lines."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from vtg_eval.api.benchmarks import samples
from vtg_eval.cli.command import ROOT_HELP, Command, write_lines
from vtg_eval.registry import Registry
from vtg_eval.types import Sample


class SamplesCommand(Command):
    """Write one line per sample, in the order of the annotation file; needs no video."""

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("task", metavar="TASK")
        parser.add_argument("--split", help="default: the task's test split")
        parser.add_argument("--data-root", type=Path, metavar="DIR", help=ROOT_HELP)
        parser.add_argument("--json", default="-", metavar="OUT", help="file, or - (default)")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Write the samples."""
        rows = samples(args.task, split=args.split, data_root=args.data_root, registry=registry)
        write_lines(args.json, (json.dumps(record(s), ensure_ascii=False) for s in rows))
        return 0


def record(sample: Sample) -> dict[str, Any]:
    """Return a sample as plain JSON values; the keys are a stable interface."""
    return {
        "id": sample.id,
        "video": sample.video,
        "query": sample.query,
        "options": list(sample.options),
        "target": {
            "spans": [list(span) for span in sample.target.spans],
            "choice": sample.target.choice,
            "saliency": sample.target.saliency,
        },
        "duration": sample.duration,
        "asks": sample.asks.value,
        "clips": [list(span) for span in sample.clips],
        "groups": [list(group) for group in sample.groups],
    }
