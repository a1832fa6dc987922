"""`vtg-eval compare`: do runs differ, and where; how many samples an effect size needs."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from vtg_eval.cli.command import RUN_ROOT_HELP, Command
from vtg_eval.comparison.plan_request import CORRELATION, EFFECTS, WITHIN
from vtg_eval.registry import Registry


class CompareCommand(Command):
    """Compare runs sample by sample, without videos, models or torch."""

    epilog = (
        "A RUN is a run's folder; or a file of predictions, with --task; or the output of\n"
        "`vtg-eval score --json`. The exit status is 1 where a file of predictions misses most\n"
        "samples or names unknown ids.\n"
        "Each run is compared with the first, on the samples that both have in common.\n"
        "Intervals and p-values come from resamples of whole videos, the same for both runs;\n"
        "p (Holm) is adjusted for all metrics and runs of the command. Groups are not adjusted.\n"
        "\n"
        "--plan: the minimum detectable effect is (t(97.5 %) + t(80 %)) standard errors of the\n"
        "difference, about 2.8: a test at 5 % then has a power of 80 %. The standard error is\n"
        "measured on two runs; or it is that of one run, times sqrt(2 (1 - correlation));\n"
        "or without runs, with --task and --figure, that of hits:\n"
        "100 sqrt(2 p (1 - p) (1 - correlation) (1 + (m - 1) within) / samples), p the figure,\n"
        "m the samples on an average sample's video."
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="two or more runs")
        parser.add_argument("--protocol", metavar="NAME", help="default: each run's own")
        parser.add_argument(
            "--metric", metavar="NAME", help="for groups and samples; default: the primary metric"
        )
        parser.add_argument("--task", metavar="TASK", help="the task of files of predictions")
        parser.add_argument("--split", help="with --task; default: the task's test split")
        parser.add_argument("--data-root", type=Path, metavar="DIR", help=RUN_ROOT_HELP)
        parser.add_argument("--json", metavar="OUT", help="write JSON there (-: standard output)")
        plan = parser.add_argument_group("how many samples an effect size needs")
        plan.add_argument(
            "--plan",
            action="store_true",
            help="plan from two runs, one, or --task and --figure",
        )
        plan.add_argument(
            "--effect",
            type=_numbers,
            metavar="POINTS,…",
            help=f"effects to detect, default: {','.join(f'{e:g}' for e in EFFECTS)}",
        )
        plan.add_argument(
            "--samples",
            type=_sizes,
            metavar="N,…",
            help="numbers of samples to plan for",
        )
        plan.add_argument(
            "--figure", type=_percent, metavar="PERCENT", help="the assumed share of hits"
        )
        plan.add_argument(
            "--correlation",
            type=_share,
            metavar="R",
            help=f"of two runs' values for one sample, default: {CORRELATION:g}",
        )
        plan.add_argument(
            "--within",
            type=_share,
            metavar="R",
            help=f"correlation of differences within a video, default: {WITHIN:g}",
        )

    def run(self, args: Namespace, registry: Registry) -> int:
        """Compare or plan; print tables, or write JSON."""
        from vtg_eval.cli.compare_runs import compare_or_plan  # not at the top: see `Command`

        return compare_or_plan(args, registry)


def _numbers(text: str) -> tuple[float, ...]:
    values = tuple(float(part) for part in text.split(","))
    if not all(0 < value < 100 for value in values):
        raise ArgumentTypeError("effects are percentage points above 0")
    return values


def _sizes(text: str) -> tuple[int, ...]:
    values = tuple(int(part) for part in text.split(","))
    if min(values) < 2:
        raise ArgumentTypeError("sizes are whole numbers from 2 on")
    return values


def _percent(text: str) -> float:
    value = float(text)
    if not 0 < value < 100:
        raise ArgumentTypeError("a figure is a percentage between 0 and 100")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ArgumentTypeError("a correlation is a number from 0 to below 1")
    return value
