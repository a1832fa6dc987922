"""A checkpoint of several parts: the one that answers in text must be whole, no other need be."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch
from safetensors.torch import load_file

from tests.engine_case import make_adapter
from tests.robustness.broken_checkpoints import Break, added, table, without
from tests.tiny_families.qwen2_5_omni import FAMILY
from vtg_eval.engines.base import EngineOptions
from vtg_eval.engines.loading import load_config, load_model
from vtg_eval.engines.model_parts import text_part
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.errors import UserError
from vtg_eval.run.requests import probe_request

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("families")]
PART = "thinker."
AWQ = {"quant_method": "awq"}
RUN: dict[str, Break] = {
    "as published": lambda folder: None,
    "without the talker": without("talker."),
    "without the codec": without("token2wav."),
}
REFUSED: dict[str, tuple[Break, str]] = {
    "a layer missing": (without("thinker.model.layers.1."), "12 missing"),
    "vision missing": (without("thinker.visual."), "missing"),
    "head missing": (without("thinker.lm_head"), "1 missing"),
    "a foreign weight": (added("thinker.value_head.weight", 4, 4), "1 unexpected"),
    "of no part": (added("value_head.weight", 4, 4), "1 unexpected"),
    "quantised": (table("config.json", "quantization_config", value=AWQ), "quantised by awq"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILY.build(tmp_path_factory.mktemp("omni"))


def changed(whole: Path, change: Break, folder: Path) -> Path:
    shutil.copytree(whole, folder)
    change(folder)
    return folder


def check(folder: Path) -> None:
    probe = partial(probe_request, make_adapter(folder))
    TransformersEngine.check(folder, EngineOptions(), probe)


def test_the_part_is_the_one_that_transformers_runs_for_text(whole: Path) -> None:
    config = load_config(whole)
    part = text_part(config)
    assert part.config is config.thinker_config
    assert part.others == ("talker.", "token2wav.")
    assert text_part(part.config) == (part.config, ())


@pytest.mark.parametrize("case", RUN)
def test_the_part_has_its_own_weights(case: str, whole: Path, tmp_path: Path) -> None:
    folder = changed(whole, RUN[case], tmp_path / "checkpoint")
    check(folder)
    model: Any = load_model(folder, torch.float32)
    stored = load_file(folder / "model.safetensors")
    expected = [value for name, value in stored.items() if name.startswith(PART)]
    loaded = list(model.state_dict().values())  # versions of transformers name them differently
    assert all(any(torch.equal(other, value) for other in loaded) for value in expected)


@pytest.mark.parametrize("case", REFUSED)
def test_a_part_that_is_not_whole_is_refused(case: str, whole: Path, tmp_path: Path) -> None:
    change, says = REFUSED[case]
    folder = changed(whole, change, tmp_path / "checkpoint")
    for attempt in (check, partial(load_model, dtype=torch.float32)):
        with pytest.raises(UserError, match=says):
            attempt(folder)


def test_the_part_saved_alone_is_a_checkpoint(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    shutil.copytree(whole, folder)
    (folder / "model.safetensors").unlink()
    load_model(whole, torch.float32).save_pretrained(folder)
    check(folder)
    assert make_adapter(folder).rate == make_adapter(whole).rate == 25  # type: ignore[attr-defined]
