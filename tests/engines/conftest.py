"""One start of each engine for each family, shared by all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from vtg_eval.engines.base import Engine, EngineOptions
from vtg_eval.protocol import GenerationRule

if TYPE_CHECKING:  # the module needs torch; some tests of this folder do not
    from tests.engine_case import RunSetup

RULE = GenerationRule(max_new_tokens=12)


@pytest.fixture(scope="session", params=["qwen2_5_vl", "qwen3_vl"])
def setup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunSetup:
    from tests.engine_case import make_setup

    return make_setup(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def hf_engine(setup: RunSetup) -> Iterator[Engine]:
    from vtg_eval.engines.transformers import TransformersEngine

    engine = TransformersEngine(setup.folder, RULE, EngineOptions(batch_size=4))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def vllm_engine(setup: RunSetup) -> Iterator[Engine]:
    from vtg_eval.engines.vllm import VllmEngine

    engine = VllmEngine(setup.folder, RULE, EngineOptions(batch_size=4))
    yield engine
    engine.close()
