"""A study's tables: the scores of each arm, and the differences from the baselines.

They are computed from the samples' scores alone. A sample's value is its mean over the arm's seeds,
so intervals over videos are valid for these seeds, on other videos.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from vtg_eval.console.tables import text_table
from vtg_eval.report.tables import cell, interval_cell
from vtg_eval.statistics.bootstrap import Floats, Resampled, interval, resampled_means
from vtg_eval.statistics.difference import Difference, difference, holm

from .scores import Scores
from .study import Arm, Study

THRESHOLD = 0.5  # of IoU, for the recall
SIGNIFICANT = 0.05


def study_report(study: Study, scores: Scores) -> str:
    """Return the page."""
    parts = [f"# {study.name}", study.summary, _arms(study)]
    for split in dict.fromkeys(scores.splits):
        parts += [f"## {split}", *_split(study, scores, split)]
    return "\n\n".join(parts) + "\n"


def _arms(study: Study) -> str:
    lines = [f"- **{arm.name}**: {arm.title}" for arm in study.arms]
    seeds = ", ".join(map(str, study.seeds))
    return "\n".join([*lines, "", f"Seeds: {seeds}. Compared with: {', '.join(study.baselines)}."])


def _split(study: Study, scores: Scores, split: str) -> Iterator[str]:
    rows = np.flatnonzero(np.array(scores.splits) == split)
    clusters = np.unique([scores.videos[row] for row in rows], return_inverse=True)[1]
    seeds = [100 * scores.of(arm.name)[:, rows] for arm in study.arms]
    means = np.stack([values.mean(axis=0) for values in seeds], axis=1)  # [N, arms]
    resampled = resampled_means(means, clusters)
    videos = int(clusters.max()) + 1
    ends = [interval(column, videos) for column in resampled.columns()]
    yield text_table(
        ("arm", "mIoU", f"R1@{THRESHOLD:g}", "mIoU of each seed"),
        [
            [
                arm.name,
                interval_cell(float(means[:, index].mean()), low, high),
                cell(_recall(values)),
                ", ".join(cell(value) for value in values.mean(axis=1)),
            ]
            for index, (arm, values, (low, high)) in enumerate(
                zip(study.arms, seeds, ends, strict=True)
            )
        ],
    )
    for baseline in study.baselines:
        yield _differences(study, baseline, means, resampled, videos)
    yield f"{len(rows)} samples on {videos} videos; percent, with 95 % intervals over videos."


def _differences(
    study: Study, baseline: str, means: Floats, resampled: Resampled, videos: int
) -> str:
    names = [arm.name for arm in study.arms]
    base = names.index(baseline)
    others = [index for index in range(len(names)) if index != base]
    deltas = tuple(resampled.each(lambda figures: figures - figures[:, [base]]).columns())
    differences = [
        difference(float((means[:, index] - means[:, base]).mean()), deltas[index], videos)
        for index in others
    ]
    adjusted = holm([1.0 if d.p is None else d.p for d in differences])
    return text_table(
        (f"less {baseline}", "mIoU", "p", "p (Holm)", ""),
        [
            _row(study.arms[index], change, p)
            for index, change, p in zip(others, differences, adjusted, strict=True)
        ],
    )


def _row(arm: Arm, change: Difference, adjusted: float) -> list[str]:
    ends = change.interval
    if ends is None or change.p is None:
        return [arm.name, cell(change.value, "+.1f"), "–", "–", _missing(change)]
    verdict = "significant" if adjusted <= SIGNIFICANT else "not separable"
    span = interval_cell(change.value, ends.low, ends.high, "+.1f")
    return [arm.name, span, f"{change.p:.4f}", f"{adjusted:.4f}", verdict]


def _recall(values: Floats) -> float:
    """Return the percentage of values [S, N] that reach the threshold; NaN where one is NaN."""
    hits = np.where(np.isnan(values), np.nan, values >= 100 * THRESHOLD)
    return 100 * float(hits.mean())


def _missing(change: Difference) -> str:
    """Return why a difference has no interval."""
    return "too few videos" if math.isfinite(change.value) else "a score is missing"
