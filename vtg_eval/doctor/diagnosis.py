"""From the times that a model is told to the finding that explains what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtg_eval.doctor.findings import (
    AVERAGE,
    DEFAULT_GRID,
    DEFAULT_RATE,
    EMPTY,
    EVEN_GRID,
    IMAGES,
    INDICES,
    METADATA,
    ODD_COUNT,
    OTHER,
    SAMPLED_TWICE,
    TRUNCATED,
    Finding,
)
from vtg_eval.doctor.input_times import InputTimes
from vtg_eval.model_input.rotary_time import grid, pair_seconds
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule, Times

# rounding error of the comparison, far below any resolution
SLACK = 1e-4
MOSTLY = 0.8  # share of times that are equal where few are rounded to the other side
DEFAULT_FPS = 24.0  # of processors, where the metadata has none
DEFAULT_STEPS = (1.0, 2.0)  # of models, for the seconds per grid step


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a clock video's chosen frames.

    times: seconds, of the decoded pictures. numbers: theirs in the file. average: the file's mean
    frame rate. images: the frames travel as images. shown: how many the model may see, empty where
    that is not known.
    """

    times: Times
    numbers: Times
    average: float
    images: bool
    shown: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Times in the input against the true ones: the largest error, the largest allowed one (s).

    error is None where no times, or another number of them, are told.
    """

    error: float | None
    allowed: float
    finding: Finding | None


def judge(input_times: InputTimes, truth: Truth) -> Judgement:
    """Compare what is told with what is true, and name the difference."""
    encoding = input_times.encoding
    expected = encoding.moments(truth.times)
    allowed = _allowed(encoding, truth.times)
    if miscounted := _miscounted(input_times, truth, len(expected)):
        return Judgement(None, allowed, miscounted)
    error = float(np.abs(input_times.times - expected).max())
    if error > allowed + SLACK:
        return Judgement(error, allowed, _explained(input_times, truth))
    uneven = error > encoding.error + SLACK
    return Judgement(error, allowed, EVEN_GRID if uneven else None)


def _allowed(encoding: TimeEncoding, times: Times) -> float:
    """Return how far from the truth the encoding may be: its rounding, or the best even grid."""
    if encoding.rule is not TimeRule.ROTARY:
        return encoding.error
    rate = 1 / encoding.resolution
    starts = encoding.moments(times)
    best = grid(pair_seconds(times, rate), len(starts), rate)
    return max(encoding.error, float(np.abs(best - starts).max()))


def _miscounted(input_times: InputTimes, truth: Truth, groups: int) -> Finding | None:
    """Return what is wrong with the number of times, or of frames; None where both are right."""
    if not len(input_times.times):
        if input_times.encoding.rule is TimeRule.ROTARY:
            return DEFAULT_GRID
        return IMAGES if truth.images else EMPTY
    frames = len(truth.times)
    odd = frames % 2 == 1
    # processors pad an odd number to an even one, whatever the groups are
    most = max(frames + frames % 2, groups * input_times.encoding.frames)
    if truth.shown and not any(frames <= shown <= most for shown in truth.shown):
        return SAMPLED_TWICE
    if len(input_times.times) == groups:
        return None
    return ODD_COUNT if odd and abs(len(input_times.times) - groups) == 1 else SAMPLED_TWICE


def _explained(input_times: InputTimes, truth: Truth) -> Finding:
    """Return the finding whose wrong times are the ones that are told."""
    order = np.arange(len(truth.times), dtype=np.float64)
    if input_times.encoding.rule is TimeRule.ROTARY:
        return _explained_step(input_times, truth.times)
    wrong_times = (
        (AVERAGE, truth.numbers / truth.average),
        (METADATA, order / DEFAULT_FPS),
        (DEFAULT_RATE, truth.numbers / DEFAULT_FPS),
        (INDICES, order),
        (INDICES, truth.numbers),
        (TRUNCATED, np.floor(truth.times)),
    )
    for finding, times in wrong_times:
        if _says(input_times, times):
            return finding
    if np.array_equal(input_times.times, np.floor(input_times.encoding.moments(truth.times))):
        return TRUNCATED
    if len(truth.times) % 2 and _all_but_the_last(input_times, truth.times):
        return ODD_COUNT
    return OTHER


def _explained_step(input_times: InputTimes, times: Times) -> Finding:
    """Return the finding of a rotary grid with a wrong step."""
    assert input_times.step is not None
    rate = 1 / input_times.encoding.resolution
    step = pair_seconds(times, rate)
    if np.isclose(input_times.step, input_times.encoding.frames / DEFAULT_FPS):
        return METADATA
    if input_times.step == np.floor(step) != step:
        return TRUNCATED
    return DEFAULT_GRID if input_times.step in DEFAULT_STEPS else OTHER


def _says(input_times: InputTimes, times: Times) -> bool:
    """Tell whether told times are `times` as the encoding rounds them, up to ties."""
    differences = np.abs(input_times.times - input_times.encoding.stamped(times))
    equal = float((differences <= SLACK).mean())
    return equal >= MOSTLY and bool((differences <= input_times.encoding.resolution + SLACK).all())


def _all_but_the_last(input_times: InputTimes, times: Times) -> bool:
    right = (
        np.abs(input_times.times - input_times.encoding.moments(times))
        <= input_times.encoding.error + SLACK
    )
    return bool(right[:-1].all() and not right[-1])
