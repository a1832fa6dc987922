"""A Ray cluster on this machine, for the tests of a run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import fakes

REPOSITORY = Path(__file__).parents[1]


class SmallCluster:
    """A head node and another one, of one processor each; the fake plug-in is installed there."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}
        self._cluster = Cluster(True, head_node_args={**node, "include_dashboard": False})
        self._node = node
        self._other: Any = self._cluster.add_node(**node)

    @property
    def address(self) -> str:
        """HOST:PORT of the head node."""
        return str(self._cluster.address)

    def remove_node(self) -> None:
        """End the node that is not the head, as if its machine had crashed."""
        self._cluster.remove_node(self._other, allow_graceful=False)
        self._other = None

    def repair(self) -> None:
        """Have two nodes again."""
        if self._other is None:
            self._other = self._cluster.add_node(**self._node)

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


@pytest.fixture(scope="session")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCluster]:
    pytest.importorskip("ray", reason="needs the extra ray")
    site = tmp_path_factory.mktemp("site")
    fakes.install("fakes", "tests.fakes", site)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{site}{os.pathsep}{REPOSITORY}")
        patch.setenv("RAY_AUTH_MODE", "disabled")  # no token in the user's home
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        with closing(SmallCluster()) as cluster:
            yield cluster


@pytest.fixture
def ray_cluster(_cluster: SmallCluster) -> Iterator[SmallCluster]:
    """Two nodes; tests that use it are of the xdist group "ray"."""
    yield _cluster
    _cluster.repair()
