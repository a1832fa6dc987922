"""From the arguments of commands that run a model to the options of a run."""

from __future__ import annotations

import sys
from argparse import Namespace

from vtg_eval.adapter import InputOptions
from vtg_eval.engines.base import EngineOptions
from vtg_eval.engines.server.options import ServerOptions
from vtg_eval.run.devices import DeviceOptions
from vtg_eval.run.frames_limit import frames_limit
from vtg_eval.run.setup import RunOptions


def run_options(args: Namespace) -> RunOptions:
    """Return the options of a run from the arguments of `add_run_arguments` and --quiet."""
    device_options = DeviceOptions(args.devices, args.tensor_parallel)
    return RunOptions(
        model=args.model,
        base=args.base,
        protocol=args.protocol,
        profile=args.profile,
        split=args.split,
        data_root=args.data_root,
        engine=args.engine,
        engine_options=EngineOptions(
            dtype=args.dtype,
            seed=args.seed,
            batch_size=args.batch_size,
            trust_remote_code=args.trust_remote_code,
            extra={**dict(args.engine_arg), **device_options.engine_arguments},
        ),
        input_options=InputOptions(time_text=args.time_text, thinking=args.thinking),
        decoder=args.decoder,
        frames_limit=frames_limit(args.frames_limit),
        limit=args.limit,
        allow_subset=args.allow_subset,
        quiet=args.quiet,
        command=tuple(sys.argv),
        devices=args.devices,
        ray=args.ray,
        tensor_parallel=args.tensor_parallel,
        decode_workers=args.workers,
        ray_decoders=args.ray_decoders,
        server=ServerOptions(
            base_url=args.base_url,
            send=args.send,
            timeout=args.request_timeout,
            max_cost=args.max_cost,
            max_tokens=args.max_tokens_total,
            price=args.price,
        ),
    )
