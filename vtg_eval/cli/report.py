"""`vtg-eval report`: one or two runs as an HTML page."""

from __future__ import annotations

import argparse
import json
import math
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from vtg_eval.cli.command import RUN_ROOT_HELP, Command, write_lines
from vtg_eval.console.streams import show
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_bytes
from vtg_eval.registry import Registry
from vtg_eval.run.gc_pause import gc_paused
from vtg_eval.run.paths import frames_folder

FILE = "report.html"
DECODER = "pyav"
MEGABYTES = 8.0


class ReportCommand(Command):
    """Write a page: tables, plots, and every sample with its answer."""

    epilog = (
        "The page is one file that opens offline and fetches nothing. A link to a sample is the\n"
        'file\'s address with "#sample=ID". Pictures come from the videos, or from the frames\n'
        "that a run has kept; without either the page has no pictures."
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("run", type=Path, metavar="RUN", help="a run's folder")
        parser.add_argument(
            "other",
            nargs="?",
            type=Path,
            metavar="RUN_B",
            help="another run on the same task and split, to show beside it",
        )
        parser.add_argument(
            "--probes",
            nargs="+",
            type=Path,
            default=[],
            metavar="RUN",
            help="transformed runs of `vtg-eval probe`, for a section on whether answers move",
        )
        parser.add_argument("--out", type=Path, metavar="FILE", help=f"default: RUN/{FILE}")
        parser.add_argument("--data-root", type=Path, metavar="DIR", help=RUN_ROOT_HELP)
        parser.add_argument(
            "--pictures",
            type=_megabytes,
            default=MEGABYTES,
            metavar="MB",
            help="the maximum size of all pictures, 0 for none; default: %(default)g",
        )
        parser.add_argument(
            "--json", metavar="OUT", help="write the page's content as JSON instead (-: to stdout)"
        )

    def run(self, args: Namespace, registry: Registry) -> int:
        """Write the page and print its path."""
        # not at the top: see `Command`
        from vtg_eval.report.html_file import html_file
        from vtg_eval.report.page import make_page
        from vtg_eval.run.finished import SplitCache, finished_run
        from vtg_eval.video.frame_store import FrameStore

        if args.out and not args.out.parent.is_dir():
            raise UserError(f"{args.out.parent} is not a folder. Name another --out.")
        paths = [args.run, *([args.other] if args.other else [])]
        splits = SplitCache()
        store = FrameStore(registry.decoder(DECODER)(), frames_folder())
        with gc_paused():
            runs = [finished_run(path, registry, splits, args.data_root) for path in paths]
            probes = [
                finished_run(path, registry, splits, args.data_root, times=False)
                for path in args.probes
            ]
            protocols = tuple(registry.protocols.values())
            page = make_page(runs, protocols, store, args.pictures, probes)
        if args.json:
            write_lines(args.json, [json.dumps(asdict(page), allow_nan=False)])
            return 0
        target = args.out or args.run / FILE
        content = html_file(page)
        write_bytes(target, content)
        show(f"{target} ({len(content) / 1e6:.1f} MB, {len(page.samples)} samples)")
        return 0


def _megabytes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of megabytes")
    return value
