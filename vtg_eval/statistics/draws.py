"""Random whole numbers that are the same for a seed with every version of numpy.

numpy guarantees the raw words of its bit generators, but not the numbers that `Generator` makes
of them (NEP 19), and intervals must not change with numpy's version.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Draws:
    """Numbers from 0 to `faces` - 1 (at most 2**32 faces), each as likely as any other.

    A word of 32 bits times `faces` is a number in its upper half; the few words that would make
    some numbers likelier are rejected (Lemire 2019, Fast Random Integer Generation in an
    Interval). numpy 2's `default_rng(seed).integers(faces)` gives the same. The order of the
    halves of a word is that of little-endian machines.
    """

    def __init__(self, faces: int, seed: int) -> None:
        self._faces = np.uint64(faces)
        self._least = (1 << 32) % faces  # words with a lower half below this are rejected
        self._bits = np.random.PCG64(seed)
        self._spare = np.empty(0, np.uint32)

    def take(self, count: int) -> npt.NDArray[np.int64]:
        """Return the next numbers, [count]."""
        taken = self._numbers(self._words(count))
        while len(taken) < count:
            more = self._numbers(self._words(count - len(taken)))
            taken = np.concatenate([taken, more])
        return taken

    def _words(self, count: int) -> npt.NDArray[np.uint32]:
        """Return the next words of 32 bits, [count]: the lower half of each raw word first."""
        missing = count - len(self._spare)
        fresh = self._bits.random_raw((missing + 1) // 2).view(np.uint32)
        words = np.concatenate([self._spare, fresh]) if len(self._spare) else fresh
        self._spare = words[count:]
        return words[:count]

    def _numbers(self, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        products = words * self._faces
        lower = products.view(np.uint32)[::2]
        if lower.min() < self._least:
            products = products[lower >= self._least]
        products >>= np.uint64(32)
        return products.view(np.int64)
