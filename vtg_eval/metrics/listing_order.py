"""The order in which ext4 lists files, for a source that adds its values up in that order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

MASK = 0xFFFFFFFF
START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)  # MD4's, used where no seed is set
BLOCK = 32  # bytes of a name that are hashed at a time

Words = tuple[int, ...]


def listing_order(names: Sequence[str]) -> list[int]:
    """Return the indices of the names in the order in which ext4 lists files of those names.

    A folder of more than one block is listed by the half-MD4 hash of its files' names, which is
    always the same on a file system without its own hash seed (Linux, fs/ext4/hash.c; MD4: RFC
    1320).
    Names are ASCII: with other letters the order depends on the processor.
    """
    return sorted(range(len(names)), key=lambda row: _hash(names[row].encode()))


def _hash(name: bytes) -> tuple[int, int]:
    state: Words = START
    for first in range(0, max(len(name), 1), BLOCK):
        state = _mixed(state, _words(name[first:]))
    return state[1] & ~1, state[2]


def _words(name: bytes) -> Words:
    """Return eight numbers of four letters each, padded with the length."""
    length = len(name) & 0xFF
    filling = length * 0x01010101
    words = []
    for first in range(0, BLOCK, 4):
        word = filling
        for letter in name[first : min(first + 4, BLOCK)]:
            word = (word << 8 | letter) & MASK
        words.append(word)
    return tuple(words)


def _choose(x: int, y: int, z: int) -> int:
    return z ^ (x & (y ^ z))


def _majority(x: int, y: int, z: int) -> int:
    return (x & y) + ((x ^ y) & z)


def _parity(x: int, y: int, z: int) -> int:
    return x ^ y ^ z


class Round(NamedTuple):
    """One pass over the eight numbers: their order, the constant, the rotations, the mixing."""

    order: Words
    constant: int
    shifts: Words
    mix: Callable[[int, int, int], int]


ROUNDS = (
    Round((0, 1, 2, 3, 4, 5, 6, 7), 0, (3, 7, 11, 19), _choose),
    Round((1, 3, 5, 7, 0, 2, 4, 6), 0x5A827999, (3, 5, 9, 13), _majority),
    Round((3, 7, 2, 6, 1, 5, 0, 4), 0x6ED9EBA1, (3, 9, 11, 15), _parity),
)


def _mixed(state: Words, words: Words) -> Words:
    a, b, c, d = state
    for order, constant, shifts, mix in ROUNDS:
        for step, word in enumerate(order):
            rotated = (a + mix(b, c, d) + words[word] + constant) & MASK
            shift = shifts[step % 4]
            a, b, c, d = d, (rotated << shift | rotated >> (32 - shift)) & MASK, b, c
    return tuple((old + new) & MASK for old, new in zip(state, (a, b, c, d), strict=True))
