"""Random integers: against numpy's generator, and against fixed values."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.statistics.draws import Draws


@given(
    faces=st.integers(1, 10_000) | st.integers(2**32 - 2**20, 2**32) | st.integers(1, 2**32),
    seed=st.integers(0, 2**32),
    counts=st.lists(st.integers(1, 300), min_size=1, max_size=5),
)
def test_draws_equal_those_of_numpys_generator(faces: int, seed: int, counts: list[int]) -> None:
    draws = Draws(faces, seed)
    values = np.concatenate([draws.take(count) for count in counts])
    expected = np.random.default_rng(seed).integers(faces, size=sum(counts))
    assert values.tolist() == expected.tolist()
    assert values.dtype == np.int64


def test_draws_have_fixed_values() -> None:
    assert Draws(4885, 0).take(8).tolist() == [4155, 3111, 2496, 1317, 1503, 200, 367, 80]


def test_draws_have_fixed_values_where_a_quarter_of_the_random_bits_are_rejected() -> None:
    values = Draws(3 << 30, 1).take(4).tolist()
    assert values == [1524247487, 1648692854, 2432564812, 3061657868]
