"""What each worker asks of a Ray cluster."""

from __future__ import annotations

import pytest

from vtg_eval.errors import UserError
from vtg_eval.run.ray_cluster import WorkerShare, worker_share

HEAD = {"CPU": 4.0}
GPU_NODE = {"CPU": 64.0, "GPU": 8.0}
SMALL_NODE = {"CPU": 10.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("nodes", "arguments", "share"),
    [
        ([HEAD, GPU_NODE, SMALL_NODE], {}, WorkerShare(10, 5, 1)),
        ([HEAD, GPU_NODE, SMALL_NODE], {"each": 4}, WorkerShare(2, 32, 4)),
        ([GPU_NODE], {"devices": 4, "each": 2}, WorkerShare(2, 16, 2)),
        ([GPU_NODE], {"devices": "auto", "threads": 16}, WorkerShare(8, 2, 1)),
        ([{"CPU": 2.0, "GPU": 4.0}], {}, WorkerShare(4, 1, 1)),
        ([HEAD, {"CPU": 8.0}], {}, WorkerShare(2, 4, 0)),
        ([{}, HEAD], {}, WorkerShare(1, 4, 0)),
        ([HEAD, HEAD], {"devices": 3}, WorkerShare(3, 2, 0)),
    ],
)
def test_each_worker_has_its_part_of_a_node(nodes, arguments, share) -> None:
    assert worker_share(nodes, **arguments) == share


@pytest.mark.parametrize(
    ("nodes", "arguments", "message"),
    [
        ([{}], {}, "no GPU or processor"),
        ([HEAD, GPU_NODE], {"each": 16}, "no node with 16 GPUs"),
        ([GPU_NODE], {"devices": 3, "each": 2}, "not a multiple of --tensor-parallel 2"),
    ],
)
def test_what_a_cluster_does_not_have_is_said(nodes, arguments, message) -> None:
    with pytest.raises(UserError, match=message):
        worker_share(nodes, **arguments)
