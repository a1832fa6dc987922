"""`vtg-eval tasks`: the benchmarks, or one benchmark's card."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict

from tabulate import tabulate

from vtg_eval.cli.command import Command
from vtg_eval.console.streams import show
from vtg_eval.registry import Registry
from vtg_eval.task import Card


class TasksCommand(Command):
    """List what is installed; show a card without touching any data."""

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("name", nargs="?", metavar="NAME", help="show this task's card")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: Namespace, registry: Registry) -> int:
        """List the tasks or show one."""
        if args.name:
            card: Card = registry.task(args.name).card
            text = json.dumps(asdict(card), indent=2) if args.json else "\n".join(_lines(card))
        else:
            rows = [(entry.name, entry.summary) for entry in registry.tasks.values()]
            listed = [{"name": name, "summary": summary} for name, summary in rows]
            text = json.dumps(listed, indent=2) if args.json else tabulate(rows, tablefmt="plain")
        show(text)
        return 0


def _lines(card: Card) -> Iterator[str]:
    metadata = [
        ("name", f"{card.name}, version {card.version}"),
        ("paper", card.paper),
        ("home", card.home),
        ("licence", card.licence),
        ("metrics", card.metric_family),
        ("default protocol", card.default_protocol),
        ("sample ids", card.sample_ids),
        ("videos", card.videos),
    ]
    yield card.title
    yield ""
    yield tabulate(metadata, tablefmt="plain")
    yield ""
    rows = [
        (s.name + " *" * (s.name == card.default_split), s.queries, s.videos) for s in card.splits
    ]
    yield tabulate(rows, headers=["split (* default)", "queries", "videos"])
    if card.constant_span:
        start, end = card.constant_span
        yield f"\nblind constant: {start:g} to {end:g} of the duration"
        yield f"({card.constant_span_source})"
    for title, entries in (
        ("files", [f"{file.path}: {file.home}" for file in card.files]),
        ("to know", card.gotchas),
    ):
        if entries:
            yield f"\n{title}:"
            yield from (f"- {entry}" for entry in entries)
