"""The devices of this machine, and what each worker process may use of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from vtg_eval.errors import UserError

Devices = int | Literal["auto"]

GPUS = "CUDA_VISIBLE_DEVICES"
THREADS = "OMP_NUM_THREADS"


class DeviceOptions(NamedTuple):
    """The values of --devices and --tensor-parallel, as in `RunOptions`."""

    devices: Devices | None = None
    tensor_parallel: int = 1

    @property
    def engine_arguments(self) -> Mapping[str, int]:
        """The engine's argument for several GPUs; nothing for one."""
        return {"tensor_parallel_size": self.tensor_parallel} if self.tensor_parallel > 1 else {}

    @property
    def arguments(self) -> Sequence[str]:
        """The options as they are typed; nothing for one process."""
        devices = [] if self.devices is None else ["--devices", str(self.devices)]
        each = str(self.tensor_parallel)
        return [*devices, *(["--tensor-parallel", each] if self.tensor_parallel > 1 else [])]


ONE_PROCESS = DeviceOptions()  # the engine is in this process


def worker_environments(devices: Devices, each: int = 1) -> list[dict[str, str]]:
    """Return the variables of each worker: its GPUs and its share of the processor's threads.

    devices: how many are used; auto: all GPUs. each: GPUs a worker. Without a GPU, a device is a
    share of the processor. Raises UserError where there are fewer.
    """
    gpus = visible_gpus()
    count = device_count(devices)
    if gpus and count > len(gpus):
        raise UserError(f"--devices {count}: {len(gpus)} GPUs are visible. Name as many, or fewer.")
    workers = worker_count(count, each)
    shared = {THREADS: os.environ.get(THREADS, str(max(cores() // workers, 1)))}
    return [
        shared | ({GPUS: ",".join(gpus[first : first + each])} if gpus else {})
        for first in range(0, count, each)
    ]


def device_count(devices: Devices) -> int:
    """Return how many devices are meant; raises UserError for auto without a GPU."""
    if devices != "auto":
        return devices
    count = len(visible_gpus())
    if not count:
        raise UserError("--devices auto: no GPU is visible. Name a number of processes.")
    return count


def worker_count(devices: int, each: int) -> int:
    """Return how many workers the devices are for, `each` a worker; raises UserError for a rest."""
    if devices % each:
        raise UserError(f"--devices {devices} is not a multiple of --tensor-parallel {each}.")
    return devices // each


def visible_gpus() -> list[str]:
    """Return the names by which CUDA knows the GPUs that this process may use."""
    import torch  # type: ignore[import-not-found,unused-ignore]  # only where it is asked

    count = torch.cuda.device_count()
    named = os.environ.get(GPUS)
    return named.split(",")[:count] if named else [str(number) for number in range(count)]


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
