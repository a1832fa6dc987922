"""The training log as a page: what was learnt from what, and what came of it.

It is made of the stages' files alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate

from vtg_eval.report.tables import remarks
from vtg_eval.run.results import TaskResults
from vtg_eval.statistics.bootstrap import cluster_bootstrap

from .data.sample import TrainingSample, load_samples
from .data.selection import constant, select_samples
from .evaluation import TRAINED, evaluation_results
from .recipe import SelectionRule
from .workspace import Workspace

BINS = 10  # of mean IoU
ENDS = 10  # a curve's first and last figure are means over this part of its steps
SFT_FIGURES = ("loss", "token_accuracy", "entropy")
RL_FIGURES = (
    "reward",
    "group_deviation",
    "constant_groups",
    "answers_cut",
    "answer_tokens",
    "entropy",
    "kl",
)

Log = Sequence[Mapping[str, float]]


def run_report(workspace: Workspace) -> str:
    """Return the page; a stage that the recipe does not have is not on it."""
    recipe = workspace.recipe
    parts = [
        f"# {recipe.name}",
        recipe.summary,
        f"Source: {recipe.source}. Trained from {recipe.model.checkpoint} under "
        f"{recipe.model.protocol}.",
        "## Data",
        re.sub(
            r"^# ", "### ", (workspace.folder / "data.md").read_text("utf-8"), flags=re.MULTILINE
        ),
    ]
    if recipe.sft is not None:
        parts += ["## Supervised fine-tuning", _sft(workspace)]
    if recipe.difficulty is not None:
        parts += ["## Difficulty", _difficulty(workspace)]
    if recipe.rl is not None:
        parts += ["## Reinforcement learning", _rl(workspace)]
    scores = [score_table(found) for found in evaluation_results(workspace) if found]
    if scores:
        parts += ["## Scores", *scores]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def difficulty_table(samples: Sequence[TrainingSample]) -> str:
    """Return how many samples have which mean IoU, and the share that teaches nothing."""
    found = [sample.difficulty for sample in samples if sample.difficulty is not None]
    if not found:
        return "No sample was probed."
    counts, edges = np.histogram([each.mean_iou for each in found], bins=BINS, range=(0, 1))
    rows = [
        [f"{low:.1f} to {high:.1f}", count, f"{count / len(found):.0%}"]
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
    ]
    same = constant([each.rewards for each in found])
    return "\n\n".join(
        [
            _table(("mean IoU", "samples", "share"), rows),
            f"{len(found)} samples: mean IoU {np.mean([e.mean_iou for e in found]):.3f}, deviation "
            f"within a sample {np.mean([e.deviation for e in found]):.3f}; "
            f"{np.mean([e.parse_failures for e in found]):.0%} of answers unreadable; "
            f"{np.mean(same):.0%} of samples without variance in the reward.",
        ]
    )


def score_table(found: Sequence[tuple[str, TaskResults]]) -> str:
    """Return one task's scores, a row for each checkpoint, with 95 % intervals over videos."""
    last = found[-1][1]
    rows = [
        [name, *(_with_interval(results, metric) for metric in results.headline)]
        for name, results in found
    ]
    title = f"{last.task} {last.split}, {last.protocol}"
    parts = [_table((title, *last.headline), rows), *remarks(last)]
    if [name for name, _ in found][-1] == TRAINED and len(found) > 1:
        parts.append(_difference(found[0][1], last))
    return "\n\n".join(parts)


def _sft(workspace: Workspace) -> str:
    rule, log = workspace.recipe.sft, read_log(workspace.sft / "log.jsonl")
    assert rule is not None
    samples = len(load_samples([workspace.cold_start]))
    return "\n\n".join(
        [
            f"{len(log)} of {rule.steps} steps of {rule.batch} out of {samples} samples "
            f"({len(log) * rule.batch / samples:.2g} passes over them).",
            curve_table(log, SFT_FIGURES),
        ]
    )


def _difficulty(workspace: Workspace) -> str:
    rule = workspace.recipe.difficulty
    assert rule is not None
    samples = load_samples([workspace.difficulty])
    chosen = select_samples(samples, workspace.recipe.selection or SelectionRule())
    asked = len(load_samples([workspace.data])[: rule.limit or None])
    return "\n\n".join(
        [
            f"{rule.rollouts} answers at temperature {rule.temperature:g} to each of {asked} "
            f"samples; {asked - len(samples)} could not be asked.",
            difficulty_table(samples),
            f"Selected for reinforcement learning: {len(chosen)} of {len(samples)}.",
        ]
    )


def _rl(workspace: Workspace) -> str:
    rule, log = workspace.recipe.rl, read_log(workspace.rl / "log.jsonl")
    assert rule is not None
    parts = sorted({name for line in log for name in line if name.startswith("reward/")})
    used = [p for p in parts if any(line.get(p) for line in log)]
    early = " (ended on a plateau)" if len(log) < rule.steps else ""
    without = np.mean([line.get("constant_groups", 0.0) for line in log]) if log else 0.0
    return "\n\n".join(
        [
            f"{len(log)} of {rule.steps} steps{early}, {rule.prompts} prompts a step, "
            f"{rule.group} answers to each.",
            f"Groups without variance, which teach nothing: {without:.0%} over all steps.",
            curve_table(log, (*RL_FIGURES, *used)),
        ]
    )


def read_log(path: Path) -> Log:
    """Return a stage's figures, one mapping a step."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def curve_table(log: Log, figures: Sequence[str]) -> str:
    """Return each figure's mean over the first tenth of the steps and over the last."""
    part = max(1, len(log) // ENDS)
    rows = []
    for name in figures:
        values = [line[name] for line in log if name in line]
        if values:
            rows.append([name, f"{np.mean(values[:part]):.4g}", f"{np.mean(values[-part:]):.4g}"])
    steps = "step" if part == 1 else f"{part} steps"
    return _table(("figure", f"first {steps}", f"last {steps}"), rows)


def _difference(before: TaskResults, after: TaskResults) -> str:
    """Return the paired difference of the primary metric, samples of one video kept together."""
    old = {sample.id: sample.value for sample in before.samples}
    pairs = [
        (sample.video, 100 * (sample.value - first))
        for sample in after.samples
        if sample.value is not None and (first := old.get(sample.id)) is not None
    ]
    if not pairs:
        return "No sample was scored both times."
    videos = sorted({video for video, _ in pairs})
    values = np.array([[value] for _, value in pairs])
    (interval,) = cluster_bootstrap(values, np.array([videos.index(v) for v, _ in pairs]))
    return (
        f"{after.primary}, trained less start on the same {len(pairs)} samples: "
        f"{values.mean():+.1f} [{interval.low:+.1f}, {interval.high:+.1f}]."
    )


def _with_interval(results: TaskResults, metric: str) -> str:
    value = results.metrics.get(metric)
    if value is None:
        return "–"
    low, high = results.intervals.get(metric, (None, None))
    return f"{value:.1f}" if low is None or high is None else f"{value:.1f} [{low:.1f}, {high:.1f}]"


def _table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    text: str = tabulate(cells, headers, tablefmt="github", disable_numparse=True)
    return text
