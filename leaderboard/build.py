"""The leaderboard's files. They depend on its contents alone, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

from vtg_eval.files.atomic import is_partial, write_text
from vtg_eval.files.owned_folder import LOCK, lock_folder

from .board import Board
from .entries import entry_file
from .html_page import html
from .latex import latex
from .long_rows import csv_file, sources_file
from .markdown import markdown
from .overview import overview_page, sources_page
from .pages import benchmark_page

SOURCES_FILE = "sources.csv"  # in every build: it identifies a leaderboard's folder


def built_files(board: Board) -> dict[str, str]:
    """Return the text of every file, by its path relative to the folder."""
    overview, sources = overview_page(board), sources_page(board)
    pages = [benchmark_page(board, slug) for slug in board.slugs]
    files = {
        "index.html": html([overview, *pages, sources]),
        SOURCES_FILE: sources_file(board),
    }
    for page in (overview, *pages, sources):
        files[f"{page.slug}.md"] = markdown(page)
        files[f"{page.slug}.tex"] = latex(page)
    for slug in board.slugs:
        files[f"{slug}.csv"] = csv_file(board, slug)
    for entry in board.entries:
        files[entry_file(entry.name)] = entry_text(entry.to_json())
    return dict(sorted(files.items()))


def entry_text(table: dict[str, object]) -> str:
    """Return an entry's JSON values as the text of its file."""
    return json.dumps(table, indent=1, allow_nan=False) + "\n"


def write_files(files: dict[str, str], out: Path) -> None:
    """Write a build into its folder; other files of a leaderboard's folder are not touched.

    Raises UserError if writing fails, if the folder is not a leaderboard's, or if another process
    writes into it.
    """
    tops = {Path(name).parts[0] for name in files}
    with lock_folder(out / SOURCES_FILE, "folder of a leaderboard", tops):
        for name, text in files.items():
            path = out / name
            path.parent.mkdir(exist_ok=True)
            write_text(path, text)


def differing(files: dict[str, str], out: Path) -> list[str]:
    """Return the names of files in `out` that are missing, different, or not part of this build."""
    paths = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    existing = {name: p for name, p in paths.items() if name != LOCK and not is_partial(name)}
    common = files.keys() & existing.keys()
    changed = {name for name in common if existing[name].read_bytes() != files[name].encode()}
    return sorted(changed | (files.keys() ^ existing.keys()))
