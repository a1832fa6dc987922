"""`vtg-eval probe`: is it grounding or guessing? A model on transformed videos and queries."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from vtg_eval.cli.command import Command
from vtg_eval.cli.run_arguments import add_run_arguments
from vtg_eval.probe.transformation import STANDARD
from vtg_eval.registry import Registry

EPILOG = f"""\
Runs the model on the task as it is, then once for each transformation, each in a folder of its
own (with --out DIR a sub-folder of DIR); the same command again finishes what is missing. Then
the answers are compared: those of a model that looks at the video move as the video does.

Transformations, with amounts in seconds (10s) or percent of the video (50%):
  prepend:50%   a part of another video of the task before the video
  append:50%    after the video
  trim:25%      the begin is cut off, or the end where the moment is at the begin
  speed:2       played faster by this factor; speed:0.5 is slower
  reverse       played backwards
  swap          another video of the task, the same query
  absent        the same video, a query of another video
The default is all of them: {",".join(STANDARD)}
The seed chooses the other videos.

--runs compares finished runs without the model: the original run first, then transformed ones.

Exit status 1: some samples failed, as for `vtg-eval run`.
"""


class ProbeCommand(Command):
    """Run a model on transformed videos and tell whether its answers follow."""

    epilog = EPILOG

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        add_run_arguments(parser, required=False)
        add = parser.add_argument
        add("--transformations", metavar="NAME,…", help="default: all (below)")
        add(
            "--runs",
            nargs="+",
            type=Path,
            metavar="RUN",
            help="compare finished runs: ORIGINAL TRANSFORMED …",
        )
        add("--json", metavar="OUT", help="write the comparison as JSON (- is standard output)")
        add("--plan", action="store_true", help="show what would be done, start nothing")
        add("--quiet", action="store_true", help="no progress, no table")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Run what is missing, compare, print; return the exit status."""
        from vtg_eval.cli.probe_runs import run_probe  # not at the top: see `Command`

        return run_probe(args, registry)
