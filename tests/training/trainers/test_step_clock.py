"""The time of a step: divided into parts that are disjoint and complete."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.trainers.step_clock import PARTS, TOTAL, Part, StepClock, column


class Hands:
    """A clock that is moved by hand."""

    seconds = 5.0

    def __call__(self) -> float:
        return self.seconds

    def __iadd__(self, seconds: float) -> Hands:
        self.seconds += seconds
        return self


def test_a_part_within_another_is_not_counted_twice() -> None:
    hands = Hands()
    clock = StepClock(hands)
    hands += 1
    clock.switch("learning")
    hands += 2
    with clock.during("rollouts"):
        hands += 3
        with clock.during("inputs"):
            hands += 4
        hands += 5
    hands += 6
    assert clock.lap() == {
        "seconds": 21,
        "seconds/rollouts": 8,
        "seconds/inputs": 4,
        "seconds/learning": 8,
        "seconds/waiting": 1,
    }
    hands += 7
    assert clock.lap()["seconds/waiting"] == 7


def test_a_part_ends_though_its_work_fails() -> None:
    hands = Hands()
    clock = StepClock(hands)
    with pytest.raises(ValueError, match="broken"), clock.during("inputs"):
        hands += 1
        raise ValueError("broken")
    hands += 2
    assert clock.lap()["seconds/waiting"] == 2


@given(st.lists(st.tuples(st.sampled_from(PARTS), st.floats(0, 1e4), st.booleans())))
def test_the_parts_of_any_step_are_its_time(moves: list[tuple[Part, float, bool]]) -> None:
    hands = Hands()
    clock = StepClock(hands)
    for part, seconds, within in moves:
        if within:
            with clock.during(part):
                hands += seconds
        else:
            clock.switch(part)
            hands += seconds
    total = sum(seconds for _, seconds, _ in moves)
    line = clock.lap()
    parts = [line[column(part)] for part in PARTS]
    assert min(parts) >= 0
    assert sum(parts) == pytest.approx(line[TOTAL], abs=1e-4)
    assert line[TOTAL] == pytest.approx(total, abs=1e-4)
