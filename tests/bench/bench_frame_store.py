"""Hit rates of the frame store and of other policies, on traces of runs.

python tests/bench/bench_frame_store.py [--videos 120]

Entries have one size. A benchmark has `--videos` videos, and the store has room for 3/4 of them
unless the column says otherwise. A column is the mean hit rate of the runs that could have hits:

same, other order: one benchmark, run 6 times in the same order, or each time in another.
two: two benchmarks in turn, or one benchmark with two sampling rules.
small: the hit rate of a benchmark of 1/8 of the videos that is run in turn with a large one.
2 at once: two processes that run the same benchmark in two orders.
1/3, 1/6: one benchmark, with room for so much of it.
switch: another benchmark after 4 runs of the first: its 2nd to 8th run, each.
to smaller: the same with another benchmark of half the videos.
written: entries written in a first run, for each that has room.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from vtg_eval.video.entry_file import entry_bytes
from vtg_eval.video.entry_folder import EntryFolder

CHANCE = random.Random(0)
Run = Sequence[str]
Trace = Sequence[Run]


class Policy(ABC):
    """A store of `room` entries of equal size."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.writes = 0

    def begin(self) -> None:  # noqa: B027 - most policies do not count runs
        """Note that a run begins."""

    @abstractmethod
    def ask(self, key: str) -> bool:
        """Return whether an entry is there; where not, decide whether it is stored."""


class Lru(Policy):
    """Least recently used first."""

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self.entries: OrderedDict[str, int] = OrderedDict()  # by last use, with its time
        self.now = 0

    def ask(self, key: str) -> bool:
        self.now += 1
        hit = key in self.entries
        if hit or self.admit(key):
            self.entries[key] = self.now
            self.entries.move_to_end(key)
            self.writes += not hit
        return hit

    def admit(self, key: str) -> bool:
        """Make room if the entry is to be stored."""
        if len(self.entries) >= self.room:
            self.entries.popitem(last=False)
        return True


class ThisRun(Lru):
    """LRU; what was used since this run began stays."""

    began = 0

    def begin(self) -> None:
        self.began = self.now

    def admit(self, key: str) -> bool:
        oldest = next(iter(self.entries.values()), self.now)
        if len(self.entries) < self.room:
            return True
        return oldest <= self.began and super().admit(key)


class Age(Lru):
    """Only what has not been used while 4 times the room was asked for makes way."""

    LIMITS = 4

    def admit(self, key: str) -> bool:
        return len(self.entries) < self.room or (self.stale() and super().admit(key))

    def stale(self) -> bool:
        return self.now - next(iter(self.entries.values())) > self.LIMITS * self.room


class SmallestKeys(Age):
    """As `Age`; else the largest key makes way for a smaller one. The store's rule, in short."""

    def admit(self, key: str) -> bool:
        if super().admit(key):
            return True
        largest = max(self.entries)
        if key < largest:
            del self.entries[largest]
        return key < largest


class SmallestKeys8(SmallestKeys):
    """An entry is stale after twice as long."""

    LIMITS = 8


class RealStore(Policy):
    """The frame store's folder itself, with small entries."""

    ENTRY = np.zeros((1, 2, 2, 3), np.uint8), np.zeros(1)

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self.folder = tempfile.TemporaryDirectory()
        self.begin()

    def begin(self) -> None:
        limit = self.room * entry_bytes(self.ENTRY[0].shape)
        self.store = EntryFolder(Path(self.folder.name), limit)

    def ask(self, key: str) -> bool:
        if self.store.read(key) is not None:
            return True
        self.store.write(key, self.ENTRY)
        self.writes += self.store.read(key) is not None
        return False


class Bimodal(Lru):
    """LRU; one in 8 new entries is stored (Qureshi et al. 2007)."""

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self.random = random.Random(0)

    def admit(self, key: str) -> bool:
        if len(self.entries) >= self.room and self.random.random() > 1 / 8:
            return False
        return super().admit(key)


class RandomVictim(Lru):
    """Any entry makes way."""

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self.random = random.Random(0)

    def admit(self, key: str) -> bool:
        if len(self.entries) >= self.room:
            del self.entries[self.random.choice(list(self.entries))]
        return True


class TinyLfu(Lru):
    """LRU; a new entry is stored if it was asked more often (Einziger et al. 2017).

    Counts are exact, and halved after 10 requests for each entry of room.
    """

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self.counts: Counter[str] = Counter()
        self.asked = 0

    def ask(self, key: str) -> bool:
        self.counts[key] = min(15, self.counts[key] + 1)
        self.asked += 1
        if self.asked >= 10 * self.room:
            self.asked //= 2
            self.counts = Counter({k: n // 2 for k, n in self.counts.items() if n > 1})
        return super().ask(key)

    def admit(self, key: str) -> bool:
        if len(self.entries) < self.room:
            return True
        victim = next(iter(self.entries))
        return self.counts[key] > self.counts[victim] and super().admit(key)


class Sieve(Policy):
    """SIEVE (Zhang et al. 2024)."""

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self.queue: list[str] = []  # oldest first
        self.visited: dict[str, bool] = {}
        self.hand = 0

    def ask(self, key: str) -> bool:
        if key in self.visited:
            self.visited[key] = True
            return True
        if len(self.queue) >= self.room:
            self.evict()
        self.queue.append(key)
        self.visited[key] = False
        self.writes += 1
        return False

    def evict(self) -> None:
        while self.visited[self.queue[self.hand % len(self.queue)]]:
            self.hand %= len(self.queue)
            self.visited[self.queue[self.hand]] = False
            self.hand += 1
        self.hand %= len(self.queue)
        del self.visited[self.queue.pop(self.hand)]


class Clock(Sieve):
    """First in, first out, with reinsertion of what was used."""

    def evict(self) -> None:
        while self.visited[self.queue[0]]:
            self.visited[self.queue[0]] = False
            self.queue.append(self.queue.pop(0))
        del self.visited[self.queue.pop(0)]


class S3Fifo(Policy):
    """S3-FIFO (Yang et al. 2023): a small queue, a main one, and the names of what left."""

    def __init__(self, room: int) -> None:
        super().__init__(room)
        self.small: deque[str] = deque()
        self.main: deque[str] = deque()
        self.ghosts: OrderedDict[str, None] = OrderedDict()
        self.uses: dict[str, int] = {}

    def ask(self, key: str) -> bool:
        if key in self.uses:
            self.uses[key] = min(3, self.uses[key] + 1)
            return True
        while len(self.uses) >= self.room:
            self.evict()
        queue = self.main if key in self.ghosts else self.small
        self.ghosts.pop(key, None)
        queue.append(key)
        self.uses[key] = 0
        self.writes += 1
        return False

    def evict(self) -> None:
        if len(self.small) >= self.room // 10 or not self.main:
            key = self.small.popleft()
            if self.uses[key] > 1:
                self.main.append(key)
                self.uses[key] = 0
                return
            self.ghosts[key] = None
            if len(self.ghosts) > self.room:
                self.ghosts.popitem(last=False)
            del self.uses[key]
        else:
            key = self.main.popleft()
            if self.uses[key]:
                self.uses[key] -= 1
                self.main.append(key)
            else:
                del self.uses[key]


POLICIES: Mapping[str, type[Policy]] = {
    "LRU": Lru,
    "any entry": RandomVictim,
    "first in, reinsertion": Clock,
    "SIEVE": Sieve,
    "S3-FIFO": S3Fifo,
    "TinyLFU": TinyLfu,
    "LRU, 1 in 8 stored": Bimodal,
    "LRU, not of this run": ThisRun,
    "stale": Age,
    "stale, then largest key": SmallestKeys,
    "stale (8), then largest key": SmallestKeys8,
    "the frame store": RealStore,
}


def benchmark(name: str, videos: int) -> list[str]:
    """Return the keys of a benchmark's entries, in the order of a run."""
    return [hashlib.sha256(f"{name} {n}".encode()).hexdigest() for n in range(videos)]


def rates(policy: Policy, runs: Trace) -> list[float]:
    """Return the hit rate of each run."""
    result = []
    for run in runs:
        policy.begin()
        result.append(mean(policy.ask(key) for key in run))
    return result


def shuffled(run: Run) -> Run:
    return CHANCE.sample(run, len(run))


def measured(kind: type[Policy], n: int) -> list[object]:
    """Return a policy's row."""
    a, b, small = benchmark("a", n), benchmark("b", n), benchmark("small", n // 8)
    room = n * 3 // 4
    at_once = [key for pair in zip(a, shuffled(a), strict=True) for key in pair]
    first = kind(room)
    rates(first, [a])
    return [
        mean(rates(kind(room), [a] * 6)[1:]),
        mean(rates(kind(room), [shuffled(a) for _ in range(6)])[1:]),
        mean(rates(kind(room), [a, b] * 6)[2:]),
        mean(rates(kind(room), [a, small] * 6)[3::2]),
        mean(rates(kind(room), [at_once] * 6)[1:]),
        mean(rates(kind(n // 3), [a] * 12)[1:]),
        mean(rates(kind(n // 6), [a] * 12)[1:]),
        " ".join(f"{rate:.1f}" for rate in rates(kind(room), [a] * 4 + [b] * 8)[5:]),
        " ".join(f"{r:.1f}" for r in rates(kind(room), [a] * 4 + [b[: n // 2]] * 8)[5:]),
        first.writes / room,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=120)
    videos = parser.parse_args().videos
    rows = [[name, *measured(kind, videos)] for name, kind in POLICIES.items()]
    heads = ["policy", "same order", "other order", "two", "small", "2 at once", "1/3", "1/6"]
    print(tabulate(rows, [*heads, "switch", "to smaller", "written"], "pipe", floatfmt=".2f"))


if __name__ == "__main__":
    main()
