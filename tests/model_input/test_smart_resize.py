from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.errors import VideoError
from vtg_eval.model_input.smart_resize import frame_size
from vtg_eval.protocol import FrameRule


@pytest.mark.parametrize(
    ("height", "width", "frames", "rule", "factor", "size"),
    [
        # within the bounds: to the nearest multiple
        (360, 480, 60, FrameRule(min_tokens=64), 28, (364, 476)),
        # 14336 x 28² x 2 / 768 = 29269 px a frame
        (1080, 1920, 768, FrameRule(min_tokens=16), 28, (112, 224)),
        # the share falls below min_tokens: 64 x 28² x 1.05 = 52684 px
        (1080, 1920, 768, FrameRule(min_tokens=64), 28, (168, 280)),
        # one frame's own bound
        (2160, 3840, 4, FrameRule(max_tokens=768), 32, (640, 1152)),
        # too small
        (64, 64, 4, FrameRule(min_tokens=16), 32, (128, 128)),
        # nano: exactly 4 tokens
        (96, 96, 60, FrameRule(min_tokens=4, max_tokens=4), 32, (64, 64)),
        (10, 300, 4, FrameRule(min_tokens=4), 28, (28, 308)),
    ],
)
def test_sizes(
    height: int, width: int, frames: int, rule: FrameRule, factor: int, size: tuple[int, int]
) -> None:
    assert frame_size(height, width, frames, rule, factor) == size


@given(
    height=st.integers(16, 4000),
    ratio=st.floats(0.25, 4),
    frames=st.integers(2, 384).map(lambda n: 2 * n),
    factor=st.sampled_from([28, 32]),
)
def test_multiples_within_bounds_and_stable(
    height: int, ratio: float, frames: int, factor: int
) -> None:
    rule = FrameRule(min_tokens=16, max_tokens=768, total_tokens=14336)
    rows, columns = frame_size(height, max(16, round(height * ratio)), frames, rule, factor)
    tokens = rows * columns / factor**2
    assert rows % factor == columns % factor == 0
    most = max(min(768.0, 14336 / frames * 2), 16 * 1.05)
    assert tokens <= most or tokens < 16 * 1.6  # growing rounds up
    assert frame_size(rows, columns, frames, rule, factor) == (rows, columns) or tokens > most


def test_a_strip_is_refused() -> None:
    with pytest.raises(VideoError, match="oblong"):
        frame_size(10, 3000, 4, FrameRule(), 28)
