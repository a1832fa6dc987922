"""Rules of telling times: what is told, and that it can be read back from text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.model_input import time_text
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule

times = st.lists(st.floats(0, 5000, allow_nan=False), min_size=1, max_size=20).map(sorted)


def encoding(
    frames: int = 1, moment: str = "first", resolution: float = 0.1, rounding: str = "nearest"
) -> TimeEncoding:
    return TimeEncoding(
        TimeRule.STAMPS,
        frames=frames,
        moment=moment,  # type: ignore[arg-type]
        resolution=resolution,
        rounding=rounding,  # type: ignore[arg-type]
        stamp=r"(?:(?P<minutes>\d+):)?(?P<seconds>\d+(?:\.\d)?);",
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (encoding(), (0.0, 0.4, 1.1, 1.5, 2.3)),
        (encoding(frames=2), (0.0, 1.1, 2.3)),
        (encoding(frames=2, moment="mean"), (0.2, 1.3, 2.3)),
        (encoding(frames=4, moment="mean"), (0.8, 2.3)),
        (encoding(resolution=1.0, rounding="down"), (0.0, 0.0, 1.0, 1.0, 2.0)),
    ],
)
def test_what_is_told(rule: TimeEncoding, expected: tuple[float, ...]) -> None:
    assert rule.stamped(np.array([0.0, 0.4, 1.1, 1.5, 2.3])) == expected


@given(
    seconds=times,
    frames=st.integers(1, 4),
    resolution=st.sampled_from([0.1, 1.0]),
    rounding=st.sampled_from(["nearest", "down"]),
)
def test_a_told_time_is_within_the_stated_error(
    seconds: list[float], frames: int, resolution: float, rounding: str
) -> None:
    rule = encoding(frames, "mean", resolution, rounding)
    stamps = np.array(seconds)
    told, moments = np.array(rule.stamped(stamps)), rule.moments(stamps)
    assert len(told) == -(-len(stamps) // frames)
    assert np.abs(told - moments).max() <= rule.error + 1e-9


def test_stamps_with_minutes_are_read() -> None:
    assert encoding().read("00:07; 12:59; 3.5;") == (7.0, 779.0, 3.5)


@given(seconds=times)
def test_our_own_text_is_read_back(seconds: list[float]) -> None:
    stamps = np.array(seconds)
    header = time_text.header(seconds, seconds[-1] + 0.5)
    assert time_text.ENCODINGS["header"].read(f"<video>{header}When: 3.5, 4.5 s?") == (
        time_text.ENCODINGS["header"].stamped(stamps)
    )
    images = time_text.interleaved(seconds, "<image>")
    assert time_text.ENCODINGS["interleaved"].read(f"{images}When is 3.5s?") == (
        time_text.ENCODINGS["interleaved"].stamped(stamps)
    )
