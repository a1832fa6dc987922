"""A study's page, made of its committed figures alone: scores, tries and trainings.

`python -m vtg_eval.training.study.report nano-study docs/nano-study docs/nano-study.md` makes the
page of a study again from the folder with these files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vtg_eval.console.tables import text_table
from vtg_eval.files.atomic import write_text
from vtg_eval.report.tables import NOTHING, cell, interval_cell
from vtg_eval.statistics.bootstrap import Floats, Interval, cluster_bootstrap
from vtg_eval.statistics.difference import Difference, holm
from vtg_eval.statistics.power import minimum_detectable_effect
from vtg_eval.statistics.seeds_and_videos import crossed_mean

from ..shipped import find_recipe
from .scores import Scores, read_scores
from .study import Arm, Contrast, Gate, Study, load_study
from .trainings import TrainingFacts, read_trainings
from .tuning import TryScore, chosen_tries, read_tries

SCORES, TRIES, TRAININGS = "scores.csv", "tries.csv", "trainings.csv"
THRESHOLD = 0.5  # of IoU, for the recall
SIGNIFICANT = 0.05
VERDICTS = {True: "a difference", False: "not separable"}


class Figures(NamedTuple):
    """All that a page is made of."""

    scores: Scores
    tries: Sequence[TryScore]
    trainings: Sequence[TrainingFacts]


def read_figures(folder: Path) -> Figures:
    """Read a study's files; raises UserError where one is missing or malformed."""
    return Figures(
        read_scores(folder / SCORES),
        read_tries(folder / TRIES),
        read_trainings(folder / TRAININGS),
    )


def study_page(study: Study, figures: Figures) -> str:
    """Return the page."""
    parts = [f"# {study.name}", f"{study.summary[0].upper()}{study.summary[1:]}.", *study.notes]
    parts += ["## Arms", "\n".join(f"- **{arm.name}**: {arm.title}" for arm in study.arms)]
    if study.gate is not None:
        parts += ["## The gate", *_gate(study.gate, figures.trainings)]
    for split in dict.fromkeys(figures.scores.splits):
        parts += _split(study, figures.scores, split)
    parts += ["## What each arm spent", *_trainings(study, figures.trainings)]
    if figures.tries:
        parts += ["## Tries", *_tries(study, figures.tries)]
    return "\n\n".join(parts) + "\n"


class _Split:
    """The scores of one split. videos: int64 [N], the index of each sample's video."""

    def __init__(self, scores: Scores, split: str) -> None:
        self._scores = scores
        self.rows = np.flatnonzero(np.array(scores.splits) == split)
        names = [scores.videos[row] for row in self.rows]
        self.videos: npt.NDArray[np.int64] = np.unique(names, return_inverse=True)[1]

    def of(self, arm: str) -> Floats:
        """Return an arm's scores, percent, [S, N]."""
        values: Floats = 100 * self._scores.of(arm)[:, self.rows]
        return values

    def difference(self, contrast: Contrast) -> Difference:
        """Return the first arm less the second, over seeds and videos."""
        first, second = map(self.of, contrast)
        return crossed_mean(first - second, self.videos)


def _split(study: Study, scores: Scores, split: str) -> Iterator[str]:
    figures = _Split(scores, split)
    families = [("Primary", study.primary), ("Secondary", study.secondary)]
    yield f"## Scores on {split}"
    yield text_table(
        ("arm", "mIoU", f"R1@{THRESHOLD:g}", "SD of seeds"),
        [_arm_row(arm, figures) for arm in study.arms],
    )
    seeds, videos = len(study.seeds), int(figures.videos.max()) + 1
    yield (
        f"Percent; means of {seeds} seeds, with 95 % intervals over seeds and videos (an arm that "
        f"does not train: over videos). {len(figures.rows)} samples on {videos} videos."
    )
    for family, contrasts in families:
        if contrasts:
            yield f"{family} contrasts, mIoU:"
            yield _contrasts(contrasts, figures)
    yield "mIoU of each seed:"
    yield _seed_table(study, figures)


def _arm_row(arm: Arm, figures: _Split) -> list[str]:
    values = figures.of(arm.name)
    hits = np.where(np.isnan(values), np.nan, values >= 100 * THRESHOLD)
    deviation = float(values.mean(axis=1).std(ddof=1)) if len(values) > 1 else None
    ends: Interval | None
    if deviation is None:
        (ends,) = cluster_bootstrap(values.T, figures.videos)
    else:
        ends = crossed_mean(values, figures.videos).interval
    mean = _with_interval(float(values.mean()), ends, ".1f")
    return [arm.name, mean, cell(100 * float(hits.mean())), cell(deviation)]


def _contrasts(contrasts: Sequence[Contrast], figures: _Split) -> str:
    """Return the table of a family of contrasts."""
    differences = [figures.difference(contrast) for contrast in contrasts]
    adjusted = holm([1.0 if d.p is None else d.p for d in differences])
    return text_table(
        ("contrast", "difference", "p", "p (Holm)", "", "80 % power from"),
        [
            [
                f"{first} less {second}",
                _with_interval(d.value, d.interval, "+.1f"),
                cell(d.p, ".4f"),
                cell(p, ".4f") if d.p is not None else NOTHING,
                VERDICTS[d.p is not None and p <= SIGNIFICANT],
                cell(_detectable(d)),
            ]
            for (first, second), d, p in zip(contrasts, differences, adjusted, strict=True)
        ],
    )


def _with_interval(value: float, ends: Interval | None, form: str) -> str:
    low, high = ends or (None, None)
    return interval_cell(value, low, high, form)


def _detectable(change: Difference) -> float | None:
    """Return the true difference that these seeds and videos find with a power of 80 %."""
    if change.error is None or change.degrees_of_freedom is None:
        return None
    return minimum_detectable_effect(change.error, change.degrees_of_freedom)


def _seed_table(study: Study, figures: _Split) -> str:
    arms = [arm for arm in study.arms if arm.trains]
    return text_table(
        ("arm", *map(str, study.seeds)),
        [[arm.name, *map(cell, figures.of(arm.name).mean(axis=1))] for arm in arms],
    )


def _gate(gate: Gate, trainings: Sequence[TrainingFacts]) -> Iterator[str]:
    (facts,) = (t for t in trainings if t.arm == gate.arm)
    constant, well_formed = facts.rated_constant or 0.0, facts.rated_well_formed or 0.0
    met = constant > gate.constant_groups and well_formed < gate.well_formed
    yield (
        f"The study asks its question where more than {gate.constant_groups:.0%} of the start "
        f"checkpoint's groups of answers have no variance in the reward, and less than "
        f"{gate.well_formed:.0%} of its answers are well-formed. In {facts.rated_answers:,} "
        f"answers: {constant:.0%} and {well_formed:.0%}. The gate is "
        f"{'met' if met else '**missed**'}."
    )


def _trainings(study: Study, trainings: Sequence[TrainingFacts]) -> Iterator[str]:
    """Yield the means over seeds of what each arm spent."""
    names = [arm.name for arm in study.arms]
    groups = {name: [t for t in trainings if t.arm == name] for name in names}
    yield text_table(
        ("arm", "SFT samples", "rated answers", "RL prompts", "RL answers", "seconds"),
        [
            [
                name,
                *(
                    cell(_mean(group, key), ",.0f")
                    for key in (
                        "sft_samples",
                        "rated_answers",
                        "rl_prompts",
                        "rl_answers",
                        "seconds",
                    )
                ),
            ]
            for name, group in groups.items()
        ],
    )
    yield (
        "Means over seeds. Rated answers measure difficulty (of an arm that does not train: the "
        "gate). Seconds: of the steps of SFT and RL, on one CPU thread; not of rating."
    )
    yield text_table(
        (
            "arm",
            "well-formed on test",
            "RL: answers cut",
            "steps over 20 % cut",
            "constant groups",
            "samples to choose from",
        ),
        [
            [
                name,
                _share(group, "test_well_formed"),
                _share(group, "rl_cut"),
                cell(_mean(group, "rl_cut_steps")),
                _share(group, "rl_constant"),
                cell(_mean(group, "selected"), ".0f"),
            ]
            for name, group in groups.items()
        ],
    )
    yield (
        "Means over seeds. Answers cut: at the limit of tokens, in training. Constant groups: all "
        "answers of a group have one reward, so nothing is learnt from it."
    )


def _mean(group: Sequence[TrainingFacts], key: str) -> float | None:
    values = [value for t in group if (value := getattr(t, key)) is not None]
    return float(np.mean(values)) if values else None


def _share(group: Sequence[TrainingFacts], key: str) -> str:
    mean = _mean(group, key)
    return NOTHING if mean is None else f"{mean:.1%}"


def _tries(study: Study, tries: Sequence[TryScore]) -> Iterator[str]:
    chosen = chosen_tries(tries)
    names = list(dict.fromkeys(t.tried for t in tries))
    scores = {(t.arm, t.tried): t.score for t in tries}
    arms = [arm for arm in study.arms if arm.name in chosen]
    yield text_table(
        ("arm", *names, "chosen"),
        [[a.name, *(cell(100 * scores[a.name, n]) for n in names), chosen[a.name]] for a in arms],
    )
    if study.tuning is not None:
        yield f"mIoU on {', '.join(study.tuning.tasks)}, seed {study.tuning.seed}."


def main() -> None:
    """Make a study's page: STUDY FOLDER PAGE."""
    name, folder, page = sys.argv[1:]
    study = load_study(find_recipe(name))
    write_text(Path(page), study_page(study, read_figures(Path(folder))))


if __name__ == "__main__":
    main()
