"""The Ray cluster that a run uses: the connection to it, and each worker's share of it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from math import ceil

from vtg_eval.errors import UserError
from vtg_eval.run.devices import Devices

LOCAL, AUTO = "local", "auto"
CONNECT_SECONDS = 10.0
OBJECT_STORE = 100 * 2**20  # bytes, of a Ray on this machine; videos do not travel through it
# Read when Ray is imported. With "1" for the last one, Ray copies the working folder of `uv run` to
# each node and installs an environment there.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


@dataclass(frozen=True, slots=True)
class WorkerShare:
    """How many workers there are, and what each asks of Ray."""

    workers: int
    cpus: int
    gpus: int


def require_ray() -> None:
    """Raise UserError where Ray is not installed; call this before anything imports it."""
    if find_spec("ray") is None:
        raise UserError("--ray needs Ray: install the extra ray, as in pip install '.[ray]'.")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def check_address(address: str) -> None:
    """Raise UserError for what is neither HOST:PORT, auto nor local; asks nobody.

    A Ray client (ray://) is refused: the process that writes the results is a part of the cluster.
    """
    host, _, port = address.rpartition(":")
    named = bool(host) and port.isdecimal() and "/" not in host
    if address not in (LOCAL, AUTO) and not named:
        raise UserError(
            f"--ray {address}: name the head node's HOST:PORT (the port of `ray start --head`), "
            "auto on a node of the cluster, or local."
        )


def connect(address: str) -> bool:
    """Connect to the cluster at `address`, or start one on this machine for "local".

    address: one that `check_address` accepts. Returns False where this process is connected
    already. Raises UserError.
    """
    require_ray()
    import ray

    if ray.is_initialized():
        return False
    local: dict[str, object] = {}
    if address == LOCAL:
        local = {"include_dashboard": False, "object_store_memory": OBJECT_STORE}
    elif address != AUTO:
        _check_answers(address)
    with _sigterm_kept():
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **local)
        except Exception as exc:
            if address == AUTO and isinstance(exc, ConnectionError):
                raise UserError(
                    "--ray auto: no Ray runs on this machine. Start it with `ray start --head`, "
                    "or join a cluster with `ray start --address HOST:PORT`."
                ) from exc
            raise UserError(f"--ray {address}: {exc}") from exc
    return True


def node_resources() -> list[Mapping[str, float]]:
    """Return the resources of each node of the connected cluster, by Ray's names."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def worker_share(
    nodes: Sequence[Mapping[str, float]],
    devices: Devices | None = None,
    each: int = 1,
    threads: int | None = None,
) -> WorkerShare:
    """Return the workers of a run and what each needs.

    nodes: see `node_resources`. devices: how many GPUs are
    used, `each` by one worker; all by default. Without GPUs there is a worker for each node, or
    `devices` of them. threads: that decode, over all workers; by default a worker has the part of
    its node's processors that is its part of the node's GPUs. Raises UserError.
    """
    gpu_nodes = [node for node in nodes if node.get("GPU", 0) >= each]
    if gpu_nodes:
        most = sum(int(node["GPU"] // each) for node in gpu_nodes)
        workers = _workers(devices, each) or most
        cpus = min(int(node.get("CPU", 0) * each / node["GPU"]) for node in gpu_nodes)
    else:
        cpu_nodes = [node for node in nodes if node.get("CPU", 0) >= 1]
        if each > 1 or not cpu_nodes:
            what = f"node with {each} GPUs" if each > 1 else "GPU or processor"
            raise UserError(f"--ray: the cluster has no {what}.")
        workers = _workers(devices, each) or len(cpu_nodes)
        cpus = int(min(node["CPU"] for node in cpu_nodes)) // ceil(workers / len(cpu_nodes))
    if threads is not None:
        cpus = threads // workers
    return WorkerShare(workers, max(cpus, 1), each if gpu_nodes else 0)


def decoders_each(nodes: Sequence[Mapping[str, float]], share: WorkerShare, decoders: int) -> int:
    """Return how many videos each worker has decoded at a time by processors that no worker has.

    decoders: videos at a time over all workers; fewer where fewer processors are left. Raises
    UserError where none is, and where there are fewer decoders than workers.
    """
    if decoders < share.workers:
        raise UserError(
            f"--ray-decoders {decoders}: each of the {share.workers} workers needs one. Name as "
            "many, or more."
        )
    left = int(sum(node.get("CPU", 0) for node in nodes)) - share.workers * share.cpus
    if left < 1:
        raise UserError(
            f"--ray-decoders: {share.workers} workers of {share.cpus} processors each leave none "
            "in the cluster. Let them have fewer (--workers), or add a node."
        )
    return max(min(decoders, left) // share.workers, 1)


def _workers(devices: Devices | None, each: int) -> int | None:
    """Return how many workers the user wants, None for as many as there can be."""
    if devices is None or devices == "auto":
        return None
    if devices % each:
        raise UserError(f"--devices {devices} is not a multiple of --tensor-parallel {each}.")
    return devices // each


def _check_answers(address: str) -> None:
    """Raise UserError where nobody listens: Ray itself tries for minutes, then ends the process."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as exc:
        raise UserError(f"--ray {address}: nobody answers there ({exc}).") from exc


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Keep this process's handler of SIGTERM, which Ray replaces by its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
