from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from tests.engine_case import PROTOCOL, UNEVEN, make_adapter, make_frames, sample
from tests.tiny_families import llava_onevision
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llava_onevision.build(tmp_path_factory.mktemp("llava_onevision"))


def test_times_are_told_in_a_sentence_of_ours(folder: Path) -> None:
    adapter = make_adapter(folder)
    frames = make_frames(adapter, UNEVEN)
    request = adapter.request(sample("a", "he sits"), frames, PROTOCOL)
    assert "<video>\nThe video is 4.6 seconds long. Its 8 frames are at" in request.prompt
    assert request.model_times == tuple(UNEVEN)


def test_a_protocols_own_sentence_takes_its_place(folder: Path) -> None:
    adapter = make_adapter(folder)
    frames = make_frames(adapter, UNEVEN / 3)
    protocol = Registry.discover().protocol("llava-video@1").without_task
    request = adapter.request(sample("a", "he sits"), frames, protocol)
    assert "<video>\nThe video lasts for 1.87 seconds, and 8 frames are" in request.prompt
    assert "located at 0.00s,0.13s,0.37s,0.50s,0.73s,0.97s,1.33s,1.37s.Please" in request.prompt
    assert "The video is" not in request.prompt
    assert request.model_times == (0.0, 0.13, 0.37, 0.5, 0.73, 0.97, 1.33, 1.37)


def test_frames_cannot_be_given_as_images(folder: Path) -> None:
    with pytest.raises(UserError, match="Use --time-text header"):
        make_adapter(folder, "interleaved")
