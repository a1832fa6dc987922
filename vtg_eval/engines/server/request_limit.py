"""How many requests a server gets at a time: the number adapts to what it can take."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

FIRST = 16  # requests at a time, before the server has shown what it can take


class RequestLimit:
    """A limit that grows by one for each round of answers and is halved when the server is busy.

    It stays between 1 and `most`. Additive increase, multiplicative decrease, as TCP's congestion
    avoidance (RFC 5681). All methods run on one event loop.
    """

    def __init__(self, most: int) -> None:
        self.size = float(min(FIRST, most))
        self._most = most
        self._sent = 0
        self._halved_at = -math.inf
        self._resume_at = -math.inf
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[float]:
        """Wait until one more request may be sent; yields the time of that moment."""
        while self._sent >= int(self.size):
            self._changed.clear()
            await self._changed.wait()
        self._sent += 1
        try:
            while (delay := self._resume_at - _now()) > 0:
                await asyncio.sleep(delay)
            yield _now()
        finally:
            self._sent -= 1
            self._changed.set()

    def answered(self) -> None:
        """Count an answer."""
        self.size = min(self.size + 1 / self.size, float(self._most))
        self._changed.set()

    def busy(self, sent_at: float) -> None:
        """Halve the limit: a request sent at that time was refused or took too long.

        Requests that were sent before the last halving do not count again.
        """
        if sent_at > self._halved_at:
            self.size = max(1.0, self.size / 2)
            self._halved_at = _now()

    def pause(self, seconds: float) -> None:
        """Send nothing for so many seconds."""
        self._resume_at = max(self._resume_at, _now() + seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()
