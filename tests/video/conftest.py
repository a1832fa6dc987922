"""Fixtures: a decoder, and a clock video of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.video_kinds import KINDS
from vtg_eval.video.pyav import PyavDecoder


@pytest.fixture
def decoder() -> PyavDecoder:
    return PyavDecoder()


@pytest.fixture(params=KINDS)
def clock_video(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return KINDS[request.param](tmp_path)
