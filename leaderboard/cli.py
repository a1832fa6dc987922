"""`vtg-eval leaderboard`: build the tables, rank, add and export runs, sign the data."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from vtg_eval.cli.command import RUN_ROOT_HELP, Command
from vtg_eval.registry import Registry

from .published import SETTINGS


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
            verb.add_argument("--data-root", type=Path, metavar="DIR", help=RUN_ROOT_HELP)

    def run(self, args: Namespace, registry: Registry) -> int:
        """Run the verb."""
        from .verbs import run_verb  # not at the top: see `Command`

        return run_verb(args, registry)
