"""A stream's packets: which are sound."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from vtg_eval.video.packets import TIMES_MAY_JUMP, Timeline


def packet(dts: int, corrupt: bool = False) -> SimpleNamespace:
    return SimpleNamespace(dts=dts, pts=dts, size=1, duration=1, is_corrupt=corrupt)


@pytest.mark.parametrize("flags", [0, TIMES_MAY_JUMP])
@pytest.mark.parametrize("damaged", [{0}, {3}, {4}, {5}, {4, 5}, {3, 4, 5}])
def test_all_but_the_damaged_packets_come_out_to_the_last(flags: int, damaged: set[int]) -> None:
    container = SimpleNamespace(format=SimpleNamespace(flags=flags))
    stream = SimpleNamespace(time_base=Fraction(1, 25), average_rate=Fraction(25))
    packets = [packet(number, number in damaged) for number in range(6)]
    sound = Timeline(container, stream).sound(packets)
    assert [one.dts for one in sound] == [n for n in range(6) if n not in damaged]
