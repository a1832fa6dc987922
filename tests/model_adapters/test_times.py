"""The times that reach each family's model, read back from its real processor's output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from tests.engine_case import EVEN, LATE, PROTOCOL, UNEVEN, make_adapter, make_frames, sample
from tests.tiny_families import tiny_families
from vtg_eval.adapter import TimeText
from vtg_eval.engines.base import Request
from vtg_eval.engines.loading import load_processor
from vtg_eval.engines.model_inputs import InputBuilder
from vtg_eval.errors import UserError
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.model_input.time_text import ENCODINGS

pytestmark = pytest.mark.xdist_group("times")
FAMILIES = tiny_families()
KINDS = {
    "even": EVEN,
    "uneven": UNEVEN,
    "odd": EVEN[:7],
    "late": LATE,
    "23.976 fps": np.arange(40) * 12 * 1001 / 24000,
}
SECONDS_PER_PAIR = ("second_per_grid_ts", "video_second_per_grid")


class Family:
    """One family's checkpoint and its real processor."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = FAMILIES[name].build(folder)
        self.processor = load_processor(self.folder)
        self.builder = InputBuilder(self.processor)

    def read(self, times: Any, time_text: TimeText | None = None) -> tuple[Request, Any]:
        """Return a request on frames at `times`, and the times (seconds) in the model's input."""
        adapter: Any = make_adapter(self.folder, time_text)
        frames = make_frames(adapter, times)
        request = adapter.request(sample("s", "it stops"), frames, PROTOCOL)
        made = self.builder.build(request)
        encoding: TimeEncoding = ENCODINGS.get(adapter.time_text, adapter.time_encoding)
        if encoding.rule is TimeRule.ROTARY:
            name = next(name for name in SECONDS_PER_PAIR if name in made.tensors)
            step, rate = float(made.tensors[name][0]), round(1 / encoding.resolution)
            pairs = int(made.tensors["video_grid_thw"][0, 0])
            # as the model places them: the fraction is cut off
            return request, tuple(int(pair * step * rate) / rate for pair in range(pairs))
        return request, encoding.read(self.processor.tokenizer.decode(made.ids))


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Family:
    return Family(request.param, tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("kind", KINDS)
def test_the_processor_tells_the_model_times(kind: str, family: Family) -> None:
    request, times = family.read(KINDS[kind])
    assert times
    assert times == request.model_times


@pytest.mark.parametrize("time_text", ["header", "interleaved"])
def test_times_as_text_are_those_of_the_frames(time_text: TimeText, family: Family) -> None:
    try:
        request, times = family.read(KINDS["23.976 fps"], time_text)
    except UserError as exc:
        assert "cannot be given as images" in str(exc)
        return
    assert times == request.model_times
    assert np.abs(np.array(times) - KINDS["23.976 fps"]).max() <= 0.05001
