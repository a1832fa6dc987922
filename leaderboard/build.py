"""The leaderboard's files: a function of its contents alone, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

from vtg_eval.errors import UserError

from .board import Board
from .entries import entry_file
from .html_page import html
from .latex import latex
from .long_rows import csv_file, sources_file
from .markdown import markdown
from .overview import overview_page, sources_page
from .pages import benchmark_page


def built_files(board: Board) -> dict[str, str]:
    """Return the text of every file by its name relative to the folder."""
    overview, sources = overview_page(board), sources_page(board)
    pages = [benchmark_page(board, slug) for slug in board.slugs]
    files = {
        "index.html": html([overview, *pages, sources]),
        f"{sources.slug}.csv": sources_file(board),
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
    """Return an entry as the text of its file."""
    return json.dumps(table, indent=1, allow_nan=False) + "\n"


def write_files(files: dict[str, str], out: Path) -> None:
    """Write the files; raises UserError where that fails. Other files there are left alone."""
    try:
        for name, text in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    except OSError as exc:
        raise UserError(f"{out} cannot be written: {exc.strerror}.") from exc


def differing(files: dict[str, str], out: Path) -> list[str]:
    """Return the names of files in `out` that are missing, other, or not of this build."""
    there = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    both = files.keys() & there.keys()
    other = {name for name in both if there[name].read_bytes() != files[name].encode()}
    return sorted(other | (files.keys() ^ there.keys()))
