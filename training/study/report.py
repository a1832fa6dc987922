"""A study's tables: what each arm scores, and how the others differ from the baselines.

Made of the samples' scores alone. All of an arm's seeds together are one figure: a sample's value
is its mean over them, so intervals over videos say what holds for these seeds, on other videos.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tabulate import tabulate

from vtg_eval.statistics.bootstrap import Floats, Resampled, interval, resampled_means
from vtg_eval.statistics.difference import Difference, difference, holm

from .scores import Scores
from .study import Arm, Study

THRESHOLD = 0.5  # of IoU, for the recall beside the mean
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
    ends = [interval(each, videos) for each in resampled.columns()]
    yield _table(
        ("arm", "mIoU", f"R1@{THRESHOLD:g}", "mIoU of each seed"),
        [
            [
                arm.name,
                f"{means[:, place].mean():.1f} [{low:.1f}, {high:.1f}]",
                f"{100 * (values >= 100 * THRESHOLD).mean():.1f}",
                ", ".join(f"{value:.1f}" for value in values.mean(axis=1)),
            ]
            for place, (arm, values, (low, high)) in enumerate(
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
    others = [place for place in range(len(names)) if place != base]
    less = tuple(resampled.each(lambda figures: figures - figures[:, [base]]).columns())
    found = [
        difference(float((means[:, place] - means[:, base]).mean()), less[place], videos)
        for place in others
    ]
    adjusted = holm([1.0 if each.p is None else each.p for each in found])
    return _table(
        (f"less {baseline}", "mIoU", "p", "p (Holm)", ""),
        [
            _row(study.arms[place], each, p)
            for place, each, p in zip(others, found, adjusted, strict=True)
        ],
    )


def _row(arm: Arm, found: Difference, adjusted: float) -> list[str]:
    ends = found.interval
    if ends is None or found.p is None:
        return [arm.name, f"{found.value:+.1f}", "–", "–", "too few videos"]
    verdict = "significant" if adjusted <= SIGNIFICANT else "not separable"
    span = f"{found.value:+.1f} [{ends.low:+.1f}, {ends.high:+.1f}]"
    return [arm.name, span, f"{found.p:.4f}", f"{adjusted:.4f}", verdict]


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    text: str = tabulate(rows, heads, tablefmt="github", disable_numparse=True)
    return text
