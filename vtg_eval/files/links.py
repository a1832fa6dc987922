"""Symbolic links in folders that files are written to."""

from __future__ import annotations

from pathlib import Path

from vtg_eval.errors import UserError


def refuse_links(root: Path, path: Path) -> None:
    """Raise UserError where `path`, or a folder between it and `root`, is a symbolic link.

    What is written through a link lands elsewhere. `root` may be one: the user named it.
    """
    for entry in (path, *path.parents):
        if entry == root:
            return
        if entry.is_symlink():
            raise UserError(
                f"{entry} is a link, and nothing is written through it. Remove it, or name the "
                "folder that it leads to by --data-root."
            )
