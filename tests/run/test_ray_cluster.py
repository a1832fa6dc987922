"""What each worker asks of a Ray cluster."""

from __future__ import annotations

import pytest

from vtg_eval.errors import UserError
from vtg_eval.run.ray_cluster import WorkerShare, decoders_each, worker_share

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


@pytest.mark.parametrize(
    ("share", "decoders", "each"),
    [
        (WorkerShare(8, 8, 1), 8, 1),
        (WorkerShare(8, 8, 1), 80, 1),  # 14 processors are left
        (WorkerShare(2, 8, 1), 80, 31),  # 62
        (WorkerShare(2, 8, 1), 7, 3),
    ],
)
def test_decoders_use_the_processors_that_are_left(share, decoders, each) -> None:
    assert decoders_each([HEAD, GPU_NODE, SMALL_NODE], share, decoders) == each


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (WorkerShare(4, 1, 1), "each of the 4 workers needs one"),
        (WorkerShare(2, 2, 0), "2 workers of 2 processors each leave none"),
    ],
)
def test_what_decoders_do_not_have_is_said(share, message) -> None:
    with pytest.raises(UserError, match=message):
        decoders_each([HEAD], share, 2)
