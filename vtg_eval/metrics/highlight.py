"""Highlight detection: how well saliency, one number a clip, finds the clips that people chose.

Checked against jayleicn/moment_detr at commit b7e553ac, standalone_eval/eval.py, which reports
HL-mAP and HL-Hit1 on QVHighlights, and scikit-learn 1.9.1, whose precision-recall curve it uses.
All values are per query. Nothing is rounded here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.iou import Floats
from vtg_eval.metrics.moment_map import Indices, Mask, NonFinite, sums_of_selected

# the annotator's score (0 to 4) from which a clip counts as a highlight
LEVELS: Mapping[str, int] = MappingProxyType({"Fair": 2, "Good": 3, "VeryGood": 4})


class Highlights(NamedTuple):
    """Average precision and hit at one, 0 to 1: [N, L] each, in the order of the levels."""

    ap: Floats
    hit: Floats


def highlight_values(
    predicted: Sequence[Floats],
    saliency: Sequence[npt.NDArray[np.integer] | Floats],
    levels: Sequence[float] = tuple(LEVELS.values()),
    *,
    non_finite: NonFinite,
) -> Highlights:
    """Return each query's average precision and hit at one for each minimum level.

    predicted: N arrays, one number a clip (2 s in QVHighlights), in the order of time.
    saliency: N arrays [C, A] of the A annotators' scores, 0 where a clip is outside of the
    relevant ones; A is the same for all queries.

    ap: the mean over annotators. A predicted list is cut to C clips or padded with zeros.
    Precision is interpolated over equal or lower predictions, then its mean is taken over the
    distinct predictions at which recall grows. An annotator without highlights gives 0.
    hit: 1 where any annotator chose the clip with the highest prediction, the first of ties. All
    entries compete, so one beyond the C clips can win, and misses.

    non_finite: "zero" ranks non-finite predictions last and never rewards them: as the highest
    they miss, and recall that they add has precision 0. An empty list scores 0.
    "official" follows the evaluator. It raises ValueError where the evaluator stops: at an empty
    list, and at a non-finite prediction for a query that has both highlights and other clips.
    """
    if len(predicted) != len(saliency):
        raise ValueError(f"{len(predicted)} predictions, but {len(saliency)} queries")
    if not len(predicted):
        return Highlights(np.empty((0, len(levels))), np.empty((0, len(levels))))
    chosen, clips = _chosen(saliency, levels)
    if non_finite == "official":
        _check_official(predicted, _stops(predicted, chosen, clips))
    ranking = _ranking(predicted, clips, chosen.shape[3], non_finite)
    precisions = [_average_precisions(level, ranking).mean(axis=1) for level in chosen]
    return Highlights(np.stack(precisions, axis=1), _hits(predicted, chosen, clips, non_finite))


def official_stops(
    predicted: Sequence[Floats],
    saliency: Sequence[npt.NDArray[np.integer] | Floats],
    levels: Sequence[float] = tuple(LEVELS.values()),
) -> Mask:
    """Return bool [N]: for which queries `highlight_values` raises under "official"."""
    if not len(predicted):
        return np.zeros(0, dtype=np.bool_)
    return _stops(predicted, *_chosen(saliency, levels))


class _Ranking(NamedTuple):
    """Clips by descending prediction, [N, C] each; clips that do not exist come last.

    order: the clip at each rank; ends: whether it is the last of its ties; rewarded: whether
    clips at that rank count.
    """

    order: Indices
    ends: Mask
    rewarded: Mask


def _chosen(
    saliency: Sequence[npt.NDArray[np.integer] | Floats], levels: Sequence[float]
) -> tuple[Mask, Indices]:
    """Return who chose which clip at which level, [L, N, A, C], and the number of clips, [N]."""
    clips = np.array([len(scores) for scores in saliency], dtype=np.intp)
    exists = np.arange(max(1, clips.max())) < clips[:, None]
    flat = np.concatenate(saliency)
    chosen = np.zeros((len(levels), *exists.shape, flat.shape[1]), dtype=np.bool_)
    for number, level in enumerate(levels):
        chosen[number][exists] = flat >= level
    return np.ascontiguousarray(chosen.swapaxes(2, 3)), clips


def _check_official(predicted: Sequence[Floats], stops: Mask) -> None:
    if stops.any():
        row = int(stops.argmax())
        kind = "non-finite" if len(predicted[row]) else "no"
        raise ValueError(
            f"query {row} (from 0) has {kind} saliency: the official script stops here"
        )


def _stops(predicted: Sequence[Floats], chosen: Mask, clips: Indices) -> Mask:
    """Return bool [N]: whether the evaluator stops at the query."""
    counts = np.count_nonzero(chosen, axis=3)
    mixed = ((counts > 0) & (counts < clips[:, None])).any(axis=(0, 2))
    rows = zip(predicted, clips.tolist(), mixed.tolist(), strict=True)
    return np.array(
        [not len(row) or (some and not np.isfinite(row[:used]).all()) for row, used, some in rows],
        dtype=np.bool_,
    )


def _ranking(
    predicted: Sequence[Floats], clips: Indices, width: int, non_finite: NonFinite
) -> _Ranking:
    keys = np.zeros((len(predicted), width))
    for row, (values, used) in enumerate(zip(predicted, clips.tolist(), strict=True)):
        in_clips = values[:used]
        keys[row, : len(in_clips)] = in_clips
    keys = -keys
    positions = np.arange(width)
    rewarded = positions < clips[:, None]
    keys[~rewarded] = np.inf
    if non_finite == "zero":
        rewarded &= np.isfinite(keys) & np.array([[len(values) > 0] for values in predicted])
    keys[~np.isfinite(keys)] = np.inf
    order = keys.argsort(axis=1, kind="stable")
    ascending = np.take_along_axis(keys, order, axis=1)
    ends = positions == clips[:, None] - 1
    ends[:, :-1] |= ascending[:, 1:] != ascending[:, :-1]
    return _Ranking(order, ends, np.take_along_axis(rewarded, order, axis=1))


def _average_precisions(chosen: Mask, ranking: _Ranking) -> Floats:
    """Return [N, A], 0 where nothing is chosen; chosen: [N, A, C]."""
    width = chosen.shape[2]
    ranked = np.take_along_axis(chosen, ranking.order[:, None], axis=2)
    hits = ranked.cumsum(axis=2, dtype=np.int32) * ranking.ends[:, None]
    most = np.maximum.accumulate(hits, axis=2)
    # the evaluator compares recalls in single precision, which keeps all of these apart
    steps = hits.copy()
    steps[:, :, 1:] -= most[:, :, :-1]
    precision = hits / np.arange(1, width + 1) * ranking.rewarded[:, None]
    # from the lowest prediction up, which is also the order in which the evaluator adds
    highest = np.maximum.accumulate(precision[:, :, ::-1], axis=2).reshape(-1, width)
    grows = (steps > 0)[:, :, ::-1].reshape(-1, width)
    counts = np.count_nonzero(grows, axis=1)
    means: Floats = sums_of_selected(highest, grows) / np.maximum(counts, 1)
    return means.reshape(chosen.shape[:2])


def _hits(
    predicted: Sequence[Floats], chosen: Mask, clips: Indices, non_finite: NonFinite
) -> Floats:
    """Return [N, L]: 1 where any annotator chose the clip with the highest prediction."""
    tops = np.array([_top(values, non_finite) for values in predicted], dtype=np.intp)
    inside = (tops >= 0) & (tops < clips)
    # two index arrays around a slice: the queries come first, [N, L, A]
    at_top = chosen[:, np.arange(len(tops)), :, np.where(inside, tops, 0)]
    hits: Floats = (at_top.any(axis=2) & inside[:, None]).astype(np.float64)
    return hits


def _top(values: Floats, non_finite: NonFinite) -> int:
    """Return the index of the (first) highest value, -1 where no value counts."""
    if not len(values):
        return -1
    best = int(values.argmax())
    if non_finite == "official" or math.isfinite(values[best]):
        return best
    best = int(np.where(np.isfinite(values), values, -np.inf).argmax())
    return best if math.isfinite(values[best]) else -1
