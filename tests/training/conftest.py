"""Tiny cases shared by the tests of trainings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.training_case import RunSetup


@pytest.fixture(scope="session", params=["qwen2_5_vl", "qwen3_vl"])
def setup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunSetup:
    from tests.training_case import make_setup

    return make_setup(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VTG_EVAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory) -> RunSetup:
    """One family only, where both would show the same."""
    from tests.training_case import make_setup

    return make_setup("qwen2_5_vl", tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="session")
def cold(one: RunSetup, tmp_path_factory: pytest.TempPathFactory) -> RunSetup:
    from tests.training_case import after_cold_start

    return after_cold_start(one, 20, tmp_path_factory.mktemp("cold") / "out")
