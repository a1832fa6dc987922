"""The workers that a run's options ask for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from vtg_eval.errors import UserError
from vtg_eval.run.devices import cores, worker_environments
from vtg_eval.run.process_pool import ProcessPool
from vtg_eval.run.ray_cluster import (
    LOCAL,
    check_address,
    connect,
    decoders_each,
    node_resources,
    require_ray,
    worker_share,
)
from vtg_eval.run.ray_pool import RayPool
from vtg_eval.run.setup import RunOptions
from vtg_eval.run.worker import MakeWork, Work
from vtg_eval.run.worker_pool import WorkerPool

Pool = WorkerPool[Any]
WorkFor = Callable[[RunOptions], Work]


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers of a run.

    processes: how many have an engine; with Ray the pool knows better. decode_workers: threads that
    decode in each. start: starts them; None where this process answers by itself.
    """

    processes: int
    decode_workers: int
    start: Callable[[], Pool] | None = None


def workers_of(options: RunOptions, work: WorkFor) -> Workers:
    """Return the workers that the options ask for; raises UserError where there are none such.

    work: makes what a worker does, in its process; it is pickled.
    """
    if options.ray_decoders and options.ray in (None, LOCAL):
        raise UserError(
            "--ray-decoders is for a cluster of several machines: name it by --ray HOST:PORT or "
            "--ray auto."
        )
    threads = options.decode_workers or cores()
    if options.ray is not None:
        require_ray()
        check_address(options.ray)
        devices = options.devices if isinstance(options.devices, int) else 1
        count = max(devices // options.tensor_parallel, 1)
        return Workers(
            count, max(threads // count, 1), partial(_ray_pool, options, work, options.ray)
        )
    if options.devices is None:
        return Workers(1, threads)
    environments = worker_environments(options.devices, options.tensor_parallel)
    count = len(environments)
    each = max(threads // count, 1)
    return Workers(count, each, partial(ProcessPool, _make(options, work, each), environments))


def _ray_pool(options: RunOptions, work: WorkFor, address: str) -> Pool:
    connected = connect(address)
    nodes, decoders = node_resources(), options.ray_decoders
    share = worker_share(nodes, options.devices, options.tensor_parallel, options.decode_workers)
    threads = share.cpus if decoders is None else decoders_each(nodes, share, decoders)
    variables = {name: value for name, value in os.environ.items() if name.startswith("VTG_EVAL_")}
    return RayPool(_make(options, work, threads), share, variables, disconnect=connected)


def _make(options: RunOptions, work: WorkFor, threads: int) -> MakeWork:
    """Return what makes a worker's work; threads: that decode in it, or wait for decoders."""
    alone = replace(options, devices=None, ray=None, quiet=True, decode_workers=threads)
    return partial(work, alone)
