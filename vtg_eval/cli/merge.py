"""`vtg-eval merge`: the shards of a run become one run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from vtg_eval.cli.command import RUN_ROOT_HELP, Command
from vtg_eval.registry import Registry


class MergeCommand(Command):
    """Join the answers of a run's shards and score them, without the model."""

    epilog = (
        "RUN is the folder of a run that was made with --shard, a folder with several of them (as\n"
        "for several tasks), or a shard. The merged run is as if one process had made it, and its\n"
        "results are the same, byte for byte. Its command without --shard asks what is missing.\n"
        "Shards may still be at work or be finished later: merge again then.\n"
        "\n"
        "Exit status: 0 merged and scored; 1 samples failed, or shards are missing or unfinished;\n"
        "2 a mistake in the arguments or the files, such as shards of different runs."
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
        parser.add_argument(
            "--out",
            type=Path,
            metavar="DIR",
            help="the merged run's folder, for shards of one run; default: the one that has them",
        )
        parser.add_argument("--data-root", type=Path, metavar="DIR", help=RUN_ROOT_HELP)
        parser.add_argument(
            "--json", metavar="OUT", help="write the results as JSON (- is standard output)"
        )

    def run(self, args: Namespace, registry: Registry) -> int:
        """Merge, print, return the exit status."""
        from vtg_eval.cli.merge_shards import merge_shards  # not at the top: see `Command`

        return merge_shards(args, registry)
