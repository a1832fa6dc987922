"""`vtg-eval profiles`: how published fine-tunes are asked, or one profile in full."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict

from tabulate import tabulate

from vtg_eval.cli.command import Command
from vtg_eval.cli.protocols import value_text
from vtg_eval.console.streams import show
from vtg_eval.profile import NamedProfile
from vtg_eval.registry import Registry


class ProfilesCommand(Command):
    """List the profiles; show one with its source and what it does not reproduce."""

    epilog = "`vtg-eval run --profile NAME` applies one; `--profile none` applies none."

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("name", nargs="?", metavar="NAME", help="show this profile")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: Namespace, registry: Registry) -> int:
        """List the profiles or show one."""
        if args.name:
            profile = registry.profile(args.name)
            lines = "\n".join(_lines(profile))
            show(json.dumps(asdict(profile), indent=2) if args.json else lines)
            return 0
        profiles = registry.profiles.values()
        if args.json:
            rows = [
                {"name": p.name, "protocol": p.protocol, "summary": p.summary} for p in profiles
            ]
            show(json.dumps(rows, indent=2))
        else:
            cells = [(p.name, p.protocol or "refused", p.summary) for p in profiles]
            show(tabulate(cells, tablefmt="plain"))
        return 0


def _lines(profile: NamedProfile) -> Iterator[str]:
    yield f"{profile.name}: {profile.summary}"
    yield f"source: {profile.source}"
    yield f"for: {', '.join(profile.architectures)}"
    yield f"recognised by: {', '.join(profile.recognises)}"
    if profile.protocol:
        yield f"protocol: {profile.protocol} (`vtg-eval protocols show {profile.protocol}`)"
    if profile.refused:
        yield f"refused: {profile.refused}"
    if profile.caveat:
        yield f"caveat: {profile.caveat}"
    for part, table in profile.rules.items():
        yield f"\n[{part}]"
        yield from (f"{key} = {value_text(value)}" for key, value in table.items())
    if profile.not_reproduced:
        yield "\nnot reproduced:"
        yield from (f"- {sentence}" for sentence in profile.not_reproduced)
