"""What the verbs of `vtg-eval leaderboard` do."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path

from vtg_eval.cli.command import write_lines
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
from .published_files import load_published
from .signing import sign
from .standings import model_standings, run_standings, site_page, standings_text

SITE_TITLE = "The page of a leaderboard site"
OTHER_TITLE = "Reported by sources"


def run_verb(args: Namespace, registry: Registry) -> int:
    """Run the verb on the leaderboard's data; return the exit status."""
    verbs = {"build": _build, "rank": _rank, "add": _add, "export": _export, "sign": _sign}
    return verbs[args.verb](args, args.board or SHIPPED, registry)


def _entries(args: Namespace, registry: Registry) -> list[LeaderboardEntry]:
    return [make_entry(path, registry, args.data_root, args.setting) for path in args.runs]


def _build(args: Namespace, data: Path, registry: Registry) -> int:
    board = load_board(data, registry, _entries(args, registry))
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


def _rank(args: Namespace, data: Path, registry: Registry) -> int:
    if bool(args.runs) == bool(args.published):
        raise UserError("Give the folders of runs, or --published MODEL, not both.")
    entries = _entries(args, registry)
    board = load_board(data, registry, entries)
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


def _add(args: Namespace, data: Path, registry: Registry) -> int:
    if not args.runs:
        raise UserError("Give the folder of at least one run.")
    entries = _entries(args, registry)
    with _lock_board(data):
        board = load_board(data, registry)
        entered = {entry.name: entry for entry in board.entries}
        for entry in entries:
            path = data / entry_file(entry.name)
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


def _export(args: Namespace, data: Path, registry: Registry) -> int:
    entries = _entries(args, registry)
    board = load_board(data, registry, entries)
    shown = entries or list(board.entries)
    if args.format == "json":
        text = json.dumps(whole_json(board, shown), indent=1, allow_nan=False)
    else:
        text = model_index(board, shown).rstrip("\n")
    write_lines(args.out, [text])
    return 0


def _sign(args: Namespace, data: Path, registry: Registry) -> int:
    folder = data / PUBLISHED
    with _lock_board(data):
        load_published(folder, registry.tasks, registry.protocols, signed=False)
        load_floors(folder / FLOORS, signed=False)
        changed = sign(folder)
        load_board(data, registry)
    if args.json:
        write_lines(args.json, [json.dumps({"changed": changed}, indent=2)])
    else:
        show("\n".join(f"{name} is signed again" for name in changed) or "nothing has changed")
    return 0
