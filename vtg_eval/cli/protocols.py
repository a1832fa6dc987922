"""`vtg-eval protocols`: list them, show one in full, or score answers under all of them."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from tabulate import tabulate

from vtg_eval.cli.command import Command
from vtg_eval.cli.score import add_predictions_arguments
from vtg_eval.console.streams import show
from vtg_eval.protocol import SPLITS, ResolvedProtocol, Rules
from vtg_eval.registry import Registry


class ProtocolsCommand(Command):
    """List protocols, show one, or score predictions under all of them."""

    epilog = "Without a verb it lists the protocols."

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("--json", action="store_true", help="print JSON")
        verbs = parser.add_subparsers(dest="verb", metavar="VERB")
        listed = verbs.add_parser("list", help="list the protocols")
        show = verbs.add_parser("show", help="show one protocol and its verbatim prompt")
        show.add_argument("name", metavar="NAME")
        show.add_argument("--task", metavar="TASK", help="with the values for this task")
        score = verbs.add_parser("score", help="score one predictions file under all protocols")
        add_predictions_arguments(score)
        for verb in (listed, show, score):  # SUPPRESS keeps a --json before the verb
            verb.add_argument("--json", action="store_true", default=SUPPRESS, help="print JSON")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Print the list, the protocol or the scores."""
        if args.verb == "score":
            from vtg_eval.cli.protocol_scores import score_under_all  # see `Command`

            return score_under_all(args, registry)
        show((self._show if args.verb == "show" else self._list)(args, registry))
        return 0

    def _list(self, args: Namespace, registry: Registry) -> str:
        rows = [(p.name, p.without_task.summary) for p in registry.protocols.values()]
        if args.json:
            return json.dumps([{"name": name, "summary": text} for name, text in rows], indent=2)
        table: str = tabulate(rows, tablefmt="plain")
        return table

    def _show(self, args: Namespace, registry: Registry) -> str:
        protocol = registry.protocol(args.name)
        rules, overrides = protocol.without_task, protocol.overrides
        if args.task:
            rules, overrides = registry.protocol_for(registry.task(args.task).card, args.name), {}
        if args.json:
            return json.dumps({**rules.to_json(), "overrides": overrides}, indent=2)
        return "\n".join(_lines(rules, overrides))


def _lines(protocol: ResolvedProtocol, overrides: Mapping[str, Any]) -> Iterator[str]:
    yield f"{protocol.name}: {protocol.summary}"
    yield f"source: {protocol.source}"
    if protocol.only_tasks:
        yield f"only for: {', '.join(protocol.only_tasks)}"
    if protocol.families:
        yield f"for metrics of: {', '.join(protocol.families)}"
    for part in fields(Rules):
        rule = getattr(protocol, part.name)
        yield f"\n[{part.name}]"
        for entry in fields(rule):
            yield f"{entry.name} = {value_text(getattr(rule, entry.name))}"
    for task, tables in overrides.items():
        yield from _overrides(f"tasks.{task}", tables)
    if protocol.notes:
        yield "\nto know:"
        yield from (f"- {note}" for note in protocol.notes)


def _overrides(prefix: str, tables: Mapping[str, Any]) -> Iterator[str]:
    for part, table in tables.items():
        if part == SPLITS:
            for split, parts in table.items():
                yield from _overrides(f"{prefix}.{SPLITS}.{split}", parts)
            continue
        yield f"\n[{prefix}.{part}]"
        yield from (f"{key} = {value_text(value)}" for key, value in table.items())


def value_text(value: object) -> str:
    """Return a value on one line, or a text of several lines verbatim below its key."""
    if isinstance(value, str) and "\n" in value:
        return f'"""\n{value}"""'
    return json.dumps(value, ensure_ascii=False)
