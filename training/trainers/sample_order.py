"""Which sample comes when: written down before training, so that a resumed run cannot differ."""

from __future__ import annotations

import os

import numpy as np

from vtg_eval.errors import UserError


def order(count: int, size: int, seed: int, shuffled: bool = True) -> list[int]:
    """Return `size` rows of `count`: pass after pass over all, each in an order of its own.

    Where not shuffled (a curriculum), each pass keeps the data's order. Raises UserError
    without data.
    """
    if count < 1:
        raise UserError("There is no sample to train on; see the reports of the stages before.")
    passes = range(-(-size // count))
    rows = [
        np.random.default_rng((seed, number)).permutation(count) if shuffled else np.arange(count)
        for number in passes
    ]
    return [int(row) for row in np.concatenate(rows)[:size]] if size else []


def accumulation(total: int, device_batch: int, what: str) -> int:
    """Return how many batches of `device_batch` make one step on each of the processes.

    total: of the step, over all processes (launched by accelerate or torchrun). Raises UserError
    where they do not divide evenly.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    at_once = device_batch * processes
    if total % at_once:
        raise UserError(
            f"{what} is {total}, which is no multiple of {processes} processes x device_batch "
            f"{device_batch}; change one of them."
        )
    return total // at_once
