"""A Ray cluster on this machine, for the tests of a run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests import fakes

REPOSITORY = Path(__file__).parents[1]


ATTEMPTS = 3  # to start a node: Ray gives up after 30 s, which is short on a busy machine
# no token in the user's home
SETTINGS = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
NODE = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}
# by default a lost node is seen after 5 checks, 3 s apart
HEAD = {**NODE, "include_dashboard": False, "_system_config": {"health_check_period_ms": 500}}


class SmallCluster:
    """A head node and another one, of one processor each; the fake plug-in is installed there."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """variables: of the nodes' processes."""
        from ray.cluster_utils import Cluster

        self._variables = variables
        self._cluster = self._tried(lambda: Cluster(True, head_node_args=HEAD))
        self._other = self._added()

    @property
    def address(self) -> str:
        """HOST:PORT of the head node."""
        return str(self._cluster.address)

    def remove_node(self) -> None:
        """End the node that is not the head, as if its machine had crashed."""
        self._cluster.remove_node(self._other, allow_graceful=False)
        self._other = None

    def repair(self) -> None:
        """Have two nodes again, and no more: a lost one counts until Ray has seen that it is."""
        if self._other is None:
            self._other = self._added()
            self._cluster.wait_for_nodes(60)

    def wait_until_free(self, seconds: float = 30.0) -> None:
        """Wait until no actor holds a processor; raises TimeoutError."""
        import ray

        ray.init(self.address, log_to_driver=False, logging_level="ERROR")
        try:
            end = time.monotonic() + seconds
            while ray.available_resources().get("CPU") != 2.0:
                if time.monotonic() > end:
                    raise TimeoutError(f"free: {ray.available_resources()}")
                time.sleep(0.1)
        finally:
            ray.shutdown()

    def close(self) -> None:
        """End the nodes."""
        self._cluster.shutdown()

    def _added(self) -> Any:
        return self._tried(lambda: self._cluster.add_node(**NODE))

    def _tried(self, start: Callable[[], Any]) -> Any:
        """Return what a call returns, which starts a node; it may fail some times."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._variables.items():
                patch.setenv(name, value)
            for _ in range(ATTEMPTS - 1):
                with suppress(Exception):  # Ray has no class of its own for this
                    return start()
            return start()


@pytest.fixture(scope="session")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCluster]:
    pytest.importorskip("ray", reason="needs the extra ray")
    site = tmp_path_factory.mktemp("site")
    fakes.install("fakes", "tests.fakes", site)
    path = {"PYTHONPATH": f"{site}{os.pathsep}{REPOSITORY}"}
    with closing(SmallCluster({**SETTINGS, **path})) as cluster:
        yield cluster


@pytest.fixture
def ray_cluster(_cluster: SmallCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallCluster]:
    """Two nodes; tests that use it are of the xdist group "ray"."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    yield _cluster
    _cluster.repair()
