"""The devices of this machine, and what each worker process may use of it."""

from __future__ import annotations

import os
from typing import Literal

from vtg_eval.errors import UserError

Devices = int | Literal["auto"]

GPUS = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"


def worker_environments(devices: Devices, each: int = 1) -> list[dict[str, str]]:
    """Return the variables of each worker: its GPUs and its share of the processor's threads.

    devices: how many are used; auto: all GPUs. each: GPUs a worker. Without a GPU, a device is a
    share of the processor. Raises UserError where there are fewer.
    """
    gpus = visible_gpus()
    if devices == "auto" and not gpus:
        raise UserError("--devices auto: no GPU is visible. Name a number of processes.")
    count = len(gpus) if devices == "auto" else devices
    if gpus and count > len(gpus):
        raise UserError(f"--devices {count}: {len(gpus)} GPUs are visible.")
    if count % each:
        raise UserError(f"--devices {count} is not a multiple of --tensor-parallel {each}.")
    workers = count // each
    shared = {THREADS: os.environ.get(THREADS, str(max(cores() // workers, 1)))}
    return [
        shared | ({GPUS: ",".join(gpus[first : first + each])} if gpus else {})
        for first in range(0, count, each)
    ]


def visible_gpus() -> list[str]:
    """Return the names by which CUDA knows the GPUs that this process may use."""
    import torch  # type: ignore[import-not-found,unused-ignore]  # only where it is asked

    count = torch.cuda.device_count()
    named = os.environ.get(GPUS)
    return named.split(",")[:count] if named else [str(number) for number in range(count)]


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
