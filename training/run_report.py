"""The report of a training as Markdown: data, curves and scores, all from the stages' files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from vtg_eval.console.tables import text_table
from vtg_eval.report.tables import cell, interval_cell, remarks, with_interval
from vtg_eval.run.results import TaskResults
from vtg_eval.statistics.bootstrap import cluster_bootstrap

from .data.report import curation_table
from .data.sample import TrainingSample, load_samples
from .data.selection import Selected, constant, pass_rate
from .evaluation import TRAINED, evaluation_results
from .recipe import RlRule, SelectionRule
from .trainers.cut_answers import LIMIT, advice, too_many
from .trainers.step_clock import PARTS, TOTAL, column
from .workspace import Round, Workspace

BINS = 10  # of mean IoU and of pass rates
ENDS = 10  # the first and last figure of a curve are means over this fraction of its steps: 1 / 10
SECONDS = (TOTAL, *map(column, PARTS))
SFT_FIGURES = ("loss", "token_accuracy", "entropy", *SECONDS)
RL_FIGURES = (
    "reward",
    "group_deviation",
    "constant_groups",
    "answers_cut",
    "answer_tokens",
    "entropy",
    "kl",
)

Log = Sequence[Mapping[str, float | None]]


def run_report(workspace: Workspace) -> str:
    """Return the page, with a section for each stage of the recipe."""
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
    for current in workspace.rounds:
        of = f", round {current.number}" if len(workspace.rounds) > 1 else ""
        if recipe.difficulty is not None:
            parts += [f"## Difficulty{of}", _difficulty(current)]
        if recipe.rl is not None and recipe.selection is not None:
            parts += [f"## Selection{of}", selection_table(current.selected(), recipe.selection)]
        if recipe.rl is not None:
            parts += [f"## Reinforcement learning{of}", _rl(current)]
    scores = [score_table(results) for results in evaluation_results(workspace) if results]
    if scores:
        parts += ["## Scores", *scores]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def difficulty_table(samples: Sequence[TrainingSample]) -> str:
    """Return a histogram of the mean IoU, and the share of samples without variance."""
    rated = [sample.difficulty for sample in samples if sample.difficulty is not None]
    if not rated:
        return "No sample was rated."
    counts, edges = np.histogram([d.mean_iou for d in rated], bins=BINS, range=(0, 1))
    rows = [
        [f"{low:.1f} to {high:.1f}", str(count), f"{count / len(rated):.0%}"]
        for count, low, high in zip(counts, edges, edges[1:], strict=False)
    ]
    without_variance = constant([d.rewards for d in rated])
    return "\n\n".join(
        [
            text_table(("mean IoU", "samples", "share"), rows),
            f"{len(rated)} samples: mean IoU {np.mean([d.mean_iou for d in rated]):.3f}, deviation "
            f"within a sample {np.mean([d.deviation for d in rated]):.3f}; "
            f"{np.mean([d.parse_failures for d in rated]):.0%} of answers unreadable; "
            f"{np.mean(without_variance):.0%} of samples without variance in the reward.",
        ]
    )


def selection_table(selected: Selected, rule: SelectionRule) -> str:
    """Return what each rule left out, and histograms of the candidates and of those selected."""
    parts = [curation_table(selected.report)] if selected.report else []
    rated = [s.difficulty for s in selected.candidates if s.difficulty is not None]
    chosen = [s.difficulty for s in selected.samples if s.difficulty is not None]
    if rated:
        means = [d.mean_iou for d in rated], [d.mean_iou for d in chosen]
        parts.append(_histogram("mean IoU", *means))
    if any(d.ious for d in rated):
        rates = [[pass_rate(d, rule.pass_iou) for d in part if d.ious] for part in (rated, chosen)]
        parts.append(_histogram(f"pass rate at IoU {rule.pass_iou:g}", *rates))
    counts = f"{len(selected.samples)} of {len(selected.candidates)}"
    return "\n\n".join([*parts, f"Selected for reinforcement learning: {counts}."])


def _histogram(figure: str, values: Sequence[float], chosen: Sequence[float]) -> str:
    """Return how many samples, and how many selected ones, have a figure between 0 and 1."""
    edges = np.arange(BINS + 1) / BINS
    counts = [np.histogram(part, bins=edges)[0] for part in (values, chosen)]
    rows = [
        [f"{low:.1f} to {high:.1f}", str(all_), str(selected)]
        for low, high, all_, selected in zip(edges, edges[1:], *counts, strict=False)
    ]
    return text_table((figure, "samples", "selected"), rows)


def score_table(scored: Sequence[tuple[str, TaskResults]]) -> str:
    """Return one task's scores, a row for each checkpoint, with 95 % intervals over videos."""
    name, last = scored[-1]
    rows = [
        [name, *(with_interval(results, metric) for metric in results.headline)]
        for name, results in scored
    ]
    title = f"{last.task} {last.split}, {last.protocol}"
    parts = [text_table((title, *last.headline), rows), *remarks(last)]
    if name == TRAINED and len(scored) > 1:
        parts.append(_difference(scored[0][1], last))
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


def _difficulty(current: Round) -> str:
    workspace = current.workspace
    rule = workspace.recipe.difficulty
    assert rule is not None
    samples = load_samples([current.difficulty])
    asked = len(load_samples([workspace.data])[: rule.limit or None])
    return "\n\n".join(
        [
            f"{rule.rollouts} answers at temperature {rule.temperature:g} to each of {asked} "
            f"samples; {asked - len(samples)} could not be asked.",
            difficulty_table(samples),
        ]
    )


def _rl(current: Round) -> str:
    rule, log = current.workspace.recipe.rl, read_log(current.rl / "log.jsonl")
    assert rule is not None
    rewards = sorted({name for line in log for name in line if name.startswith("reward/")})
    used = [name for name in rewards if any(line.get(name) for line in log)]
    early = " (ended on a plateau)" if len(log) < rule.round_steps else ""
    constant_share = cell(_mean(_values(log, "constant_groups")), ".0%")
    return "\n\n".join(
        [
            f"{len(log)} of {rule.round_steps} steps{early}, {rule.prompts} prompts a step, "
            f"{rule.group} answers to each.",
            f"Groups without variance, which teach nothing: {constant_share} over all steps.",
            *_cut_warning(log, rule),
            curve_table(log, (*RL_FIGURES, *used, *SECONDS)),
        ]
    )


def read_log(path: Path) -> Log:
    """Return a stage's figures, one mapping for each step."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def curve_table(log: Log, figures: Sequence[str]) -> str:
    """Return each figure's mean over the first tenth of the steps and over the last."""
    count = max(1, len(log) // ENDS)
    rows = [
        [name, _figure(values[:count]), _figure(values[-count:])]
        for name in figures
        if (values := _values(log, name))
    ]
    steps = "step" if count == 1 else f"{count} steps"
    return text_table(("figure", f"first {steps}", f"last {steps}"), rows)


def _cut_warning(log: Log, rule: RlRule) -> Iterator[str]:
    """Yield a warning where too many answers of a step were cut."""
    shares = [share for share in _values(log, "answers_cut") if too_many(share)]
    if shares:
        yield (
            f"**Warning**: in {len(shares)} of {len(log)} steps more than {LIMIT:.0%} of the "
            f"answers were cut at {rule.max_new_tokens} tokens, {max(shares):.0%} at most. "
            f"{advice(rule)}"
        )


def _values(log: Log, name: str) -> list[float]:
    """Return a figure's values; a step may lack it, or have no value for it."""
    return [value for line in log if (value := line.get(name)) is not None]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _figure(values: Sequence[float]) -> str:
    mean = _mean(values)
    return f"{mean:.4g}" if mean is not None and math.isfinite(mean) else "not finite"


def _difference(before: TaskResults, after: TaskResults) -> str:
    """Return the paired difference of the primary metric, with samples clustered by video."""
    earlier = {sample.id: sample.value for sample in before.samples}
    pairs = [
        (sample.video, 100 * (sample.value - value))
        for sample in after.samples
        if sample.value is not None and (value := earlier.get(sample.id)) is not None
    ]
    if not pairs:
        return "No sample was scored both times."
    videos = sorted({video for video, _ in pairs})
    values = np.array([[difference] for _, difference in pairs])
    clusters = np.array([videos.index(video) for video, _ in pairs])
    (interval,) = cluster_bootstrap(values, clusters, bounds=(-100.0, 100.0))
    return (
        f"{after.primary}, trained less start on the same {len(pairs)} samples: "
        f"{interval_cell(float(values.mean()), interval.low, interval.high, '+.1f')}."
    )
