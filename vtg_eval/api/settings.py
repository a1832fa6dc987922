"""How a model is run: the arguments of `vtg-eval run`, as keywords."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, cast

import msgspec
from msgspec import Meta

from vtg_eval.adapter import InputOptions
from vtg_eval.engines.base import EngineOptions
from vtg_eval.engines.server.options import Send, ServerOptions
from vtg_eval.engines.server.prices import Price
from vtg_eval.errors import UserError, suggestion
from vtg_eval.run.devices import DeviceOptions
from vtg_eval.run.frames_limit import frames_limit
from vtg_eval.run.setup import RunOptions
from vtg_eval.types import Thinking, TimeText

Positive = Annotated[int, Meta(ge=1)]
AboveZero = Annotated[float, Meta(gt=0)]


class _Checked(TypedDict, total=False):
    """The settings whose types msgspec checks."""

    base: str | None
    protocol: str | None
    profile: str | None
    split: str | None
    engine: str | None
    dtype: str
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    batch_size: Positive
    trust_remote_code: bool
    engine_arg: Mapping[str, Any]
    time_text: TimeText | None
    thinking: Thinking
    decoder: str
    frames_limit: Annotated[int, Meta(ge=0)] | None
    limit: Positive | None
    allow_subset: bool
    quiet: bool
    devices: Positive | Literal["auto"] | None
    ray: str | None
    tensor_parallel: Positive
    workers: Positive | None
    ray_decoders: Positive | None
    base_url: str | None
    send: Send
    request_timeout: AboveZero
    max_cost: AboveZero | None
    max_tokens_total: Positive | None
    price: Price | None


class RunSettings(_Checked, total=False):
    """The arguments of `vtg-eval run`; what is left out has the default of that command.

    engine_arg: passed to the engine. frames_limit: bytes of the disk for decoded frames.
    request_timeout: seconds. max_cost: US dollars. docs/cli.md explains the others.
    """

    data_root: str | Path | None


SETTINGS = tuple(RunSettings.__annotations__)


def checked(settings: Mapping[str, Any]) -> RunSettings:
    """Return a user's keywords; raises UserError for one that is unknown or has a wrong value."""
    for name in settings:
        if name not in SETTINGS:
            raise UserError(f'There is no setting "{name}". {suggestion(name, SETTINGS)}')
    try:
        msgspec.convert({**settings}, _Checked)
    except msgspec.ValidationError as exc:
        raise UserError(f"A setting has a wrong value: {exc}.") from exc
    return cast(RunSettings, settings)


def task_names(tasks: str | Sequence[str]) -> list[str]:
    """Return the names of tasks, in a text separated by commas; raises UserError."""
    parts = tasks.split(",") if isinstance(tasks, str) else list(tasks)
    names = [name.strip() for name in parts if name.strip()]
    if not names or len(set(names)) < len(names):
        raise UserError("Name one or more tasks, each once: charades_sta,synth_vtg")
    return names


def run_options(model: str, settings: RunSettings, command: tuple[str, ...] = ()) -> RunOptions:
    """Return the options of a run. command: what the manifest names as the command."""
    engine, server = EngineOptions(), ServerOptions()
    root = settings.get("data_root")
    tensor_parallel = settings.get("tensor_parallel", 1)
    of_devices = DeviceOptions(settings.get("devices"), tensor_parallel).engine_arguments
    return RunOptions(
        model=model,
        base=settings.get("base"),
        protocol=settings.get("protocol"),
        profile=settings.get("profile"),
        split=settings.get("split"),
        data_root=None if root is None else Path(root),
        engine=settings.get("engine"),
        engine_options=EngineOptions(
            dtype=settings.get("dtype", engine.dtype),
            seed=settings.get("seed", engine.seed),
            batch_size=settings.get("batch_size", engine.batch_size),
            trust_remote_code=settings.get("trust_remote_code", False),
            extra={**settings.get("engine_arg", {}), **of_devices},
        ),
        input_options=InputOptions(
            time_text=settings.get("time_text"), thinking=settings.get("thinking", "default")
        ),
        decoder=settings.get("decoder", "pyav"),
        frames_limit=frames_limit(settings.get("frames_limit")),
        limit=settings.get("limit"),
        allow_subset=settings.get("allow_subset", False),
        quiet=settings.get("quiet", False),
        command=command,
        devices=settings.get("devices"),
        ray=settings.get("ray"),
        tensor_parallel=tensor_parallel,
        decode_workers=settings.get("workers"),
        ray_decoders=settings.get("ray_decoders"),
        server=ServerOptions(
            base_url=settings.get("base_url"),
            send=settings.get("send", server.send),
            timeout=settings.get("request_timeout", server.timeout),
            max_cost=settings.get("max_cost"),
            max_tokens=settings.get("max_tokens_total"),
            price=settings.get("price"),
        ),
    )
