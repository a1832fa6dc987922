"""The command line of training: `vtg-train COMMAND RECIPE …`.

Modules that need torch are imported within the commands that use them, so that planning is fast.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vtg_eval import __version__
from vtg_eval.cli.parser import Parser
from vtg_eval.cli.program import run_program
from vtg_eval.cli.run_arguments import add_devices
from vtg_eval.console.streams import show
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry
from vtg_eval.run.devices import DeviceOptions

from .data.contexts import SampleContexts
from .data.conversion import convert_file
from .data.converters import CONVERTERS
from .data.sample import load_samples
from .data.task_data import with_task_data
from .plan.model_size import checkpoint_folder, model_size
from .plan.plan import Hardware, TrainingPlan
from .plan.plan import plan as make_plan
from .plan.table import plan_table
from .recipe import Recipe, load_recipe
from .shipped import find_recipe, is_study, shipped_recipes, shipped_studies
from .study.study import load_study
from .workspace import Workspace, require_curated, run_curation, written_by

Command = Callable[[argparse.Namespace, Registry], str]
RUNS = Path("runs")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status, one of those of `vtg_eval.cli.program`."""

    def call(registry: Registry) -> int:
        args = _parser().parse_args(argv)
        result = args.command(args, registry)
        if os.environ.get("RANK", "0") == "0":  # first of the processes that accelerate starts
            show(result)
        return 0

    resume = "; run the same command again to resume"
    return run_program("vtg-train", call, resume, whole_process=argv is None)


def _parser() -> Parser:
    parser = Parser(
        prog="vtg-train",
        description="Train models that find moments in video, by a recipe.",
        epilog=f"Shipped recipes: {', '.join(shipped_recipes())}. Studies, for plan and run: "
        f"{', '.join(shipped_studies())}.",
    )
    parser.add_argument("--version", action="version", version=f"vtg-train {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    parsers = {
        name: _add(commands, name, command, summary)
        for name, command, summary in (
            ("plan", plan, "compute the cost of a recipe; needs no GPU"),
            ("curate", curate, "check and filter the data; report what is left out"),
            ("sft", sft, "supervised fine-tuning on the curated samples"),
            ("difficulty", difficulty, "rate the samples by several answers"),
            ("rl", rl, "reinforcement learning on the selected samples"),
            ("run", run, "all stages, then scores before and after, and a report"),
            ("export", export, "write the data for ms-swift, verl or EasyR1"),
        )
    }
    for name in ("plan", "curate", "sft", "difficulty", "rl", "run"):
        _add_workspace(parsers[name])
    for name in ("plan", "difficulty", "run"):
        add = parsers[name].add_argument_group("several devices").add_argument
        add_devices(add)
        if name != "difficulty":
            add("--launch", default="", help="single, cpu2, fsdp2, zero2, zero3")
            add("--machines", type=_count, default=1, metavar="N", help="that have the devices")
    for name in ("difficulty", "rl"):
        parsers[name].add_argument(
            "--round", type=_count, default=1, metavar="N", help="of RL, from 1 (default: 1)"
        )
    exporting = parsers["export"]
    _add_workspace(exporting, "--work")
    exporting.add_argument("--to", required=True, metavar="PROJECT", help="ms-swift, verl, easyr1")
    exporting.add_argument("--out", type=Path, required=True, metavar="DIR", help="to write to")
    _add_convert(commands)
    for name in ("plan", "curate", "export"):
        parsers[name].add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add(commands: Any, name: str, run: Command, summary: str) -> Parser:
    parser: Parser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    parser.add_argument("recipe", metavar="RECIPE", help="a shipped recipe's name, or a file")
    parser.set_defaults(command=run)
    return parser


def _add_convert(commands: Any) -> None:
    parser: Parser = commands.add_parser(
        "convert",
        help="make training samples of a published data set's file",
        description="Make training samples of a published data set's file.",
        epilog=f"Layouts: {', '.join(CONVERTERS)}.",
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="the file's layout, one of those below")
    add("file", type=Path, metavar="FILE", help="the data set's annotations")
    add("--videos", type=Path, metavar="DIR", help="read lengths that FILE lacks from its videos")
    add("--out", type=Path, required=True, metavar="FILE", help="to write to")
    parser.set_defaults(command=convert)


def _add_workspace(parser: Parser, flag: str = "--out") -> None:
    parser.add_argument(
        flag,
        type=Path,
        dest="workspace",
        metavar="DIR",
        help="the folder that all stages of the recipe share (default: runs/ and its name)",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def _workspace(args: argparse.Namespace, registry: Registry, videos: bool = False) -> Workspace:
    recipe = with_task_data(load_recipe(find_recipe(args.recipe)), registry, videos)
    return Workspace(recipe, args.workspace or RUNS / recipe.name)


def _contexts(recipe: Recipe, registry: Registry) -> SampleContexts:
    folder = checkpoint_folder(recipe.model.checkpoint, registry)
    return SampleContexts(recipe.model, folder, registry)


def _plan(args: argparse.Namespace, workspace: Workspace, registry: Registry) -> TrainingPlan:
    hardware = Hardware(args.launch, args.devices, args.machines, args.tensor_parallel)
    return make_plan(workspace.recipe, hardware, args.recipe, str(workspace.folder), registry)


def plan(args: argparse.Namespace, registry: Registry) -> str:
    """Return the plan of a recipe, or of a study."""
    file = find_recipe(args.recipe)
    if is_study(file):
        return _study_plan(file, args, registry)
    planned = _plan(args, _workspace(args, registry), registry)
    if args.json:
        return json.dumps(planned.to_json(), indent=2, allow_nan=False)
    return plan_table(planned)


def run(args: argparse.Namespace, registry: Registry) -> str:
    """Run all stages of a recipe, or all trainings of a study."""
    file = find_recipe(args.recipe)
    if is_study(file):
        return _run_study(file, args, registry)
    from .pipeline import run_recipe

    workspace = _workspace(args, registry)
    planned = _plan(args, workspace, registry)
    show(plan_table(planned))
    _workspace(args, registry, videos=True)
    report = run_recipe(workspace, planned, registry)
    return f"\n{report.read_text(encoding='utf-8')}\n{report}"


def _study_plan(file: Path, args: argparse.Namespace, registry: Registry) -> str:
    from .study.plan import study_json, study_plans, study_table

    if args.launch or args.devices or args.machines > 1 or args.tensor_parallel > 1:
        raise UserError(
            "Each training of a study is one process: leave out --launch, --devices, "
            "--tensor-parallel and --machines, and run the command in several terminals."
        )
    study = load_study(file)
    plans = study_plans(study, registry)
    if getattr(args, "json", False):  # `run` has no --json
        return json.dumps(study_json(study, plans), indent=2, allow_nan=False)
    return study_table(study, plans)


def _run_study(file: Path, args: argparse.Namespace, registry: Registry) -> str:
    from .study.run import run_study

    show(_study_plan(file, args, registry))
    study = load_study(file)
    report = run_study(study, args.workspace or RUNS / study.name, registry)
    return f"\n{report.read_text(encoding='utf-8')}\n{report}"


def curate(args: argparse.Namespace, registry: Registry) -> str:
    """Check and filter the recipe's data."""
    workspace = _workspace(args, registry, videos=True)
    curation = run_curation(workspace, registry)
    if args.json:
        return json.dumps(curation._asdict(), indent=2)
    return (
        f"{curation.report}\nOf {curation.read} samples {curation.cold_start} are kept for the "
        f"cold start, {curation.kept} for reinforcement learning: {workspace.folder}"
    )


def convert(args: argparse.Namespace, registry: Registry) -> str:
    """Make training samples of a data set's file."""
    return convert_file(args.name, args.file, args.out, args.videos)


def sft(args: argparse.Namespace, registry: Registry) -> str:
    """Fine-tune on the curated samples."""
    workspace = _workspace(args, registry)
    rule = workspace.recipe.sft
    if rule is None:
        raise UserError(f"The recipe {workspace.recipe.name} has no [sft].")
    require_curated(workspace)
    samples = written_by("curate", workspace.cold_start)
    from .data.answers import target_text
    from .trainers.batches import Example
    from .trainers.sft import run_sft

    contexts = _contexts(workspace.recipe, registry)
    examples = [
        Example(
            s.to_sample(),
            workspace.video(s),
            contexts.of(s),
            target_text(s, contexts.of(s).protocol, rule),
        )
        for s in samples
    ]
    return _scored(run_sft(workspace.recipe, examples, workspace.sft))


def difficulty(args: argparse.Namespace, registry: Registry) -> str:
    """Rate each sample by several answers of the checkpoint that RL starts from."""
    from .difficulty import run_difficulty
    from .run_report import difficulty_table

    workspace = _workspace(args, registry)
    require_curated(workspace)
    samples = written_by("curate", workspace.data)
    current = workspace.round(args.round)
    start, folder = current.recipe().model.checkpoint, current.difficulty.parent
    devices = DeviceOptions(args.devices, args.tensor_parallel)
    path = run_difficulty(workspace.recipe, samples, start, folder, registry, devices)
    return f"{difficulty_table(load_samples([path]))}\n\n{path}"


def rl(args: argparse.Namespace, registry: Registry) -> str:
    """Train on the rewards of the model's own answers to the selected samples."""
    workspace = _workspace(args, registry)
    if workspace.recipe.rl is None:
        raise UserError(f"The recipe {workspace.recipe.name} has no [rl].")
    require_curated(workspace)
    current = workspace.round(args.round)
    samples = current.selected().samples
    recipe = current.recipe()
    from .trainers.batches import Example
    from .trainers.rl import run_rl

    contexts = _contexts(recipe, registry)
    examples = [Example(s.to_sample(), workspace.video(s), contexts.of(s)) for s in samples]
    return _scored(run_rl(recipe, examples, current.rl))


def _scored(checkpoint: Path) -> str:
    return f"{checkpoint}\nScore it: vtg-eval --model {checkpoint} --tasks …"


def export(args: argparse.Namespace, registry: Registry) -> str:
    """Write the curated and selected data in another project's layout."""
    from .data.export import export
    from .data.export_files import REWARD_FILE
    from .data.export_rows import Exporter

    workspace = _workspace(args, registry)
    require_curated(workspace)
    recipe = workspace.recipe
    contexts = _contexts(recipe, registry)
    folder = checkpoint_folder(recipe.model.checkpoint, registry)
    factor = model_size(recipe.model.checkpoint, folder).factor
    exporter = Exporter(
        recipe,
        lambda sample: contexts.of(sample).protocol,
        factor,
        Path(recipe.data.videos),
        folder,
    )
    sft_samples = written_by("curate", workspace.cold_start) if recipe.sft else ()
    rl_samples = workspace.round(1).selected().samples if recipe.rl else ()
    files = export(exporter, args.to, sft_samples, rl_samples, args.out)
    if args.json:
        return json.dumps({str(path): rows for path, rows in files.items()}, indent=2)
    lines = [f"{path}: {rows} rows" for path, rows in files.items()]
    if recipe.rl:
        lines.append(f"{args.out / REWARD_FILE}: the reward; its first lines say how to use it")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
