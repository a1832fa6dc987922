"""Options that an engine does not have, found without loading a model."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from vtg_eval.engines.base import Engine, EngineOptions
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry

pytestmark = pytest.mark.xdist_group("engines")
REGISTRY = Registry.discover()
NANO = REGISTRY.models["nano"].path


def engine(name: str) -> type[Engine]:
    if name != "replay" and find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    made: type[Engine] = REGISTRY.engine(name)
    return made


@pytest.mark.parametrize(
    ("name", "dtype", "extra", "named"),
    [
        ("transformers", "float8", {}, "--dtype float8 is unknown"),
        ("transformers", "int8", {}, "--dtype int8 is unknown"),
        ("transformers", "auto", {"devicemap": "cpu"}, 'Did you mean "device_map"?'),
        ("transformers", "auto", {"device_map": [0]}, "must be of the type str or int or dict"),
        ("transformers", "auto", {"attn_implementation": "spda"}, 'Did you mean "sdpa"?'),
        ("transformers", "auto", {"dtype": "float32"}, "use --dtype instead"),
        ("vllm", "float8", {}, "vLLM does not take --dtype float8: dtype"),
        ("vllm", "auto", {"max_model_lne": 1}, 'Did you mean "max_model_len"?'),
        ("vllm", "auto", {"max_model_len": "long"}, "max_model_len=long: max_model_len Input shou"),
        ("vllm", "auto", {"max_model_len": 10**9}, "max_model_len=1000000000: "),
        ("vllm", "auto", {"tensor_parallel_size": 0}, "tensor_parallel_size=0: tensor_parallel"),
        ("vllm", "auto", {"model": "x"}, "--engine-arg model: vLLM has no such argument"),
        ("replay", "auto", {"x": 1}, "leave out --engine-arg"),
    ],
    ids=str,
)
def test_the_message_names_the_option(
    name: str, dtype: str, extra: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError) as caught:
        engine(name).check_options(NANO, EngineOptions(dtype=dtype, extra=extra))
    assert named in str(caught.value)
    assert "nano" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "dtype", "extra"),
    [
        ("transformers", "bfloat16", {"attn_implementation": "eager", "device_map": "cpu"}),
        ("transformers", "auto", {"tie_word_embeddings": True}),
        ("vllm", "bfloat16", {"max_model_len": 4096, "enforce_eager": True}),
        ("vllm", "auto", {"max_model_len": None}),
        ("replay", "auto", {}),
    ],
    ids=str,
)
def test_usual_options_are_taken(name: str, dtype: str, extra: dict[str, Any]) -> None:
    engine(name).check_options(NANO, EngineOptions(dtype=dtype, extra=extra))
