"""`vtg-eval leaderboard`: build the tables, rank, add and export runs, sign the data."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from vtg_eval.cli.command import ROOT_HELP, Command, write_lines
from vtg_eval.console.streams import show
from vtg_eval.errors import UserError
from vtg_eval.files.atomic import write_text
from vtg_eval.files.owned_folder import lock_folder
from vtg_eval.registry import Registry

from .board import FLOORS, PUBLISHED, SHIPPED, load_board
from .build import built_files, differing, entry_text, write_files
from .entries import LeaderboardEntry, entry_file, make_entry
from .export import model_index, whole_json
from .floor_rows import load_floors
from .markdown import markdown
from .overview import overview_page
from .published import SETTINGS
from .published_files import load_published
from .signing import sign
from .standings import model_standings, run_standings, site_page, standings_text

SITE_TITLE = "The page of a leaderboard site"
OTHER_TITLE = "Reported by sources"


class LeaderboardCommand(Command):
    """Published results and runs: tables, ranks, entries, exports."""

    epilog = (
        "examples:\n"
        "  vtg-eval leaderboard build --out docs/leaderboard\n"
        "  vtg-eval leaderboard rank runs/…\n"
        "  vtg-eval leaderboard rank --published TVG-R1-7B\n"
        "  vtg-eval leaderboard add runs/… --setting zero-shot\n"
        "  vtg-eval leaderboard export runs/… --format model-index"
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        build = verbs.add_parser("build", help="write all tables, or print the overview")
        build.add_argument("--out", type=Path, metavar="DIR", help="write the files there")
        build.add_argument(
            "--check",
            type=Path,
            metavar="DIR",
            help="compare the files there with a new build; exit status 1 if they differ",
        )
        rank = verbs.add_parser("rank", help="rank runs or a published model")
        rank.add_argument("--published", metavar="MODEL", help="a published model instead of runs")
        add = verbs.add_parser("add", help="add runs, scored again from their journals")
        export = verbs.add_parser("export", help="print runs in the format of another tool")
        export.add_argument(
            "--format",
            choices=("model-index", "json"),
            required=True,
            help="a model card's metadata block, or all data as one JSON",
        )
        signing = verbs.add_parser("sign", help="sign the published results again, after a change")
        for verb in (build, rank, add, export, signing):
            self._add_shared(verb, runs=verb is not signing)
        for verb in (build, rank, add, signing):
            verb.add_argument("--json", metavar="OUT", help="write JSON there (-: standard output)")
        export.add_argument("--out", metavar="FILE", default="-", help="default: standard output")

    def _add_shared(self, verb: ArgumentParser, runs: bool) -> None:
        verb.add_argument(
            "--board",
            type=Path,
            default=SHIPPED,
            metavar="DIR",
            help="the leaderboard's data (default: the data of this installation)",
        )
        if runs:
            verb.add_argument(
                "runs", nargs="*", type=Path, metavar="RUN", help="the folder of a run"
            )
            verb.add_argument(
                "--setting",
                choices=SETTINGS,
                default="unspecified",
                help="whether the model was trained on the benchmark's own data",
            )
            verb.add_argument("--data-root", type=Path, metavar="DIR", help=ROOT_HELP)

    def run(self, args: Namespace, registry: Registry) -> int:
        """Run the verb."""
        verbs = {"build": _build, "rank": _rank, "add": _add, "export": _export, "sign": _sign}
        return verbs[args.verb](args, registry)


def _entries(args: Namespace, registry: Registry) -> list[LeaderboardEntry]:
    return [make_entry(path, registry, args.data_root, args.setting) for path in args.runs]


def _build(args: Namespace, registry: Registry) -> int:
    board = load_board(args.board, registry, _entries(args, registry))
    files = built_files(board)
    outdated = differing(files, args.check) if args.check else []
    if args.out:
        write_files(files, args.out)
    if args.json:
        write_lines(args.json, [json.dumps({"files": list(files), "differ": outdated}, indent=2)])
    elif not (args.out or args.check):
        show(markdown(overview_page(board)).rstrip("\n"))
    for name in outdated:
        print(f"{args.check / name} differs from a new build.", file=sys.stderr)
    if args.out:
        print(f"{len(files)} files in {args.out}", file=sys.stderr)
    return 1 if outdated else 0


def _rank(args: Namespace, registry: Registry) -> int:
    if bool(args.runs) == bool(args.published):
        raise UserError("Give the folders of runs, or --published MODEL, not both.")
    entries = _entries(args, registry)
    board = load_board(args.board, registry, entries)
    if args.published:
        groups = {
            SITE_TITLE: site_page(board, args.published),
            OTHER_TITLE: model_standings(board, args.published),
        }
    else:
        groups = {f"{e.model}, {e.name}": run_standings(board, e) for e in entries}
    if args.json:
        table = [
            {"title": title, "standings": [asdict(standing) for standing in group]}
            for title, group in groups.items()
        ]
        write_lines(args.json, [json.dumps(table, indent=2, ensure_ascii=False)])
        return 0
    texts = [f"{title}\n\n{standings_text(group)}" for title, group in groups.items() if group]
    show("\n\n".join(texts))
    return 0


def _add(args: Namespace, registry: Registry) -> int:
    if not args.runs:
        raise UserError("Give the folder of at least one run.")
    entries = _entries(args, registry)
    with _lock_board(args.board):
        board = load_board(args.board, registry)
        entered = {entry.name: entry for entry in board.entries}
        for entry in entries:
            path = args.board / entry_file(entry.name)
            if entered.get(entry.name, entry).answers != entry.answers:
                raise UserError(
                    f"{entry.name} is already entered, with other answers. Delete {path} first."
                )
            path.parent.mkdir(exist_ok=True)
            write_text(path, entry_text(entry.to_json()))
            print(f"{path} is written: build the tables again.", file=sys.stderr)
    if args.json:
        table = [entry.to_json() for entry in entries]
        write_lines(args.json, [json.dumps(table, indent=2)])
    return 0


def _lock_board(board: Path) -> AbstractContextManager[None]:
    """Lock the leaderboard's data for this process; raises UserError if the folder has none."""
    if not (board / PUBLISHED).is_dir():
        raise UserError(f"{board} has no leaderboard data. Give another --board.")
    return lock_folder(board / PUBLISHED, "folder of a leaderboard's data")


def _export(args: Namespace, registry: Registry) -> int:
    entries = _entries(args, registry)
    board = load_board(args.board, registry, entries)
    shown = entries or list(board.entries)
    if args.format == "json":
        text = json.dumps(whole_json(board, shown), indent=1, allow_nan=False)
    else:
        text = model_index(board, shown).rstrip("\n")
    write_lines(args.out, [text])
    return 0


def _sign(args: Namespace, registry: Registry) -> int:
    folder = args.board / PUBLISHED
    with _lock_board(args.board):
        load_published(folder, registry.tasks, registry.protocols, signed=False)
        load_floors(folder / FLOORS, signed=False)
        changed = sign(folder)
        load_board(args.board, registry)
    if args.json:
        write_lines(args.json, [json.dumps({"changed": changed}, indent=2)])
    else:
        show("\n".join(f"{name} is signed again" for name in changed) or "nothing has changed")
    return 0
