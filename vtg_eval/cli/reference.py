"""The help texts as one page; `python -m vtg_eval.cli.reference docs/cli.md` rewrites it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vtg_eval.cli import overview, parser_for
from vtg_eval.plugins.checks import load_target
from vtg_eval.registry import Registry

BUILT_IN = "vtg_eval.cli"


def reference(registry: Registry) -> str:
    """Return the help of the built-in sub-commands as Markdown, at a fixed width."""
    os.environ["COLUMNS"] = "96"  # argparse reads it for every line
    parts = [
        "# The command line",
        f"Written by `python -m {BUILT_IN}.reference docs/cli.md`; a test keeps it current.",
        _block(overview(registry)),
    ]
    for entry in registry.commands.values():
        if entry.target.startswith("vtg_eval."):  # also those of the shipped plug-in folders
            parser = parser_for(entry, load_target("command", entry)())
            parts += [f"## vtg-eval {entry.name}", _block(parser.format_help())]
    return "\n\n".join(parts) + "\n"


def _block(text: str) -> str:
    return f"```\n{text.strip()}\n```"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(Registry.discover()), encoding="utf-8")
