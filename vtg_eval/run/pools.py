"""The workers that a run's options ask for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from vtg_eval.run.devices import cores, worker_environments
from vtg_eval.run.evaluation import EvaluationWork
from vtg_eval.run.process_pool import ProcessPool
from vtg_eval.run.ray_cluster import connect, node_resources, require_ray, worker_share
from vtg_eval.run.ray_pool import RayPool
from vtg_eval.run.setup import RunOptions
from vtg_eval.run.worker_pool import WorkerPool

Pool = WorkerPool[Any]


def pool_of(options: RunOptions) -> Callable[[], Pool] | None:
    """Return what starts the workers, None where this process answers by itself.

    Raises UserError where there are not such workers.
    """
    if options.ray is not None:
        require_ray()
        return partial(_ray_pool, options, options.ray)
    if options.devices is None:
        return None
    environments = worker_environments(options.devices, options.tensor_parallel)
    threads = (options.decode_workers or cores()) // len(environments)
    return partial(ProcessPool, _work(options, threads), environments)


def _ray_pool(options: RunOptions, address: str) -> Pool:
    connected = connect(address)
    share = worker_share(
        node_resources(), options.devices, options.tensor_parallel, options.decode_workers
    )
    ours = {name: value for name, value in os.environ.items() if name.startswith("VTG_EVAL_")}
    return RayPool(_work(options, share.cpus), share, ours, disconnect=connected)


def _work(options: RunOptions, threads: int) -> Callable[[], EvaluationWork]:
    """Return what makes a worker's work; threads: that decode in it."""
    alone = replace(options, devices=None, ray=None, quiet=True, decode_workers=max(threads, 1))
    return partial(EvaluationWork, alone)
