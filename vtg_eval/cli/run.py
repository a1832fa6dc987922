"""`vtg-eval run`: a model on tasks, from videos to scores."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from vtg_eval.cli.command import Command
from vtg_eval.cli.run_arguments import add_run_arguments, shard
from vtg_eval.registry import Registry

EPILOG = """\
Each answer is kept at once; the same command again finishes what is missing. Exit status 1:
some samples failed (they are counted, and tried again next time), the model's logits were not
finite, or the engine failed.

--shard 2/8 answers the second of eight parts, which are of nearly equal weight, in the folder
shards/2-of-8 of the run's folder, and prints no score. When all eight have ended, on one machine
or on many, `vtg-eval merge` makes them one run.
"""


class RunCommand(Command):
    """Run a model on tasks and score it."""

    epilog = EPILOG

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        add_run_arguments(parser)
        add = parser.add_argument
        add("--shard", type=shard, metavar="I/N", help="answer part I of N only (below)")
        add("--json", metavar="OUT", help="write the results as JSON (- is standard output)")
        add("--plan", action="store_true", help="show what would be done, start nothing")
        add("--quiet", action="store_true", help="no progress, no table")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Run, print, return the exit status."""
        from vtg_eval.cli.run_tasks import run_tasks  # not at the top: see `Command`

        return run_tasks(args, registry)
