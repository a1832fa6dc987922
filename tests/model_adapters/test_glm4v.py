from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from tests.engine_case import PROTOCOL, UNEVEN, make_adapter, make_frames, sample
from tests.tiny_families import glm4_1v, glm4_6v
from vtg_eval.engines.loading import load_processor
from vtg_eval.engines.model_inputs import InputBuilder
from vtg_eval.errors import UserError
from vtg_eval.model_input.video_adapter import VideoAdapter

# repeated, as frames of a video with fewer frames than the protocol asks for are
SHORT = np.array([0.95, 0.95, 0.95, 1.95, 1.95, 1.95, 2.0, 3.999999])


@pytest.mark.parametrize(
    ("build", "times", "expected"),
    [
        (glm4_1v.build, UNEVEN, (0.0, 1.0, 2.0, 4.0)),
        (glm4_6v.build, UNEVEN, (0.0, 1.1, 2.2, 4.0)),
        (glm4_1v.build, SHORT, (0.0, 0.0, 1.0, 2.0)),
    ],
)
def test_the_model_times_are_those_that_the_processor_writes(build, times, expected, tmp_path):
    adapter = make_adapter(build(tmp_path))
    assert isinstance(adapter, VideoAdapter)
    request = adapter.request(sample("a", "he sits"), make_frames(adapter, times), PROTOCOL)
    processor = load_processor(tmp_path)
    prompt = processor.tokenizer.decode(InputBuilder(processor).build(request).ids)
    assert adapter.time_encoding.read(prompt) == request.model_times == expected


def test_no_two_frames_have_one_index_as_vllm_leaves_out_the_second(tmp_path: Path) -> None:
    adapter = make_adapter(glm4_1v.build(tmp_path))
    request = adapter.request(sample("a", "he sits"), make_frames(adapter, SHORT), PROTOCOL)
    indices = request.metadata["frames_indices"]
    assert len(set(indices)) == len(SHORT) and indices == sorted(indices)
    assert np.abs(np.array(indices) / 1e6 - SHORT).max() < 1e-5


def test_a_processor_that_tells_times_in_an_unknown_way_is_refused(tmp_path: Path) -> None:
    file = glm4_1v.build(tmp_path) / "processor_config.json"
    table = json.loads(file.read_text())
    file.write_text(json.dumps(table | {"processor_class": "Glm7VProcessor"}))
    with pytest.raises(UserError, match="'Glm7VProcessor'; known are Glm4vProcessor and Glm46V"):
        make_adapter(tmp_path)
