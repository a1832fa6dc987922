"""A budget of tokens or dollars: kept as far as no prompt has more tokens than its bound."""

from __future__ import annotations

import asyncio

from vtg_eval.engines.server.options import ServerOptions
from vtg_eval.engines.server.prices import Tokens
from vtg_eval.errors import EngineError


class Budget:
    """Counts tokens: each request reserves the most that it may use, then pays what it used.

    All methods run on one event loop.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._spent = options.spent
        self._reserved = Tokens()
        self._changed = asyncio.Event()

    async def reserve(self, most: Tokens) -> None:
        """Wait until `most` fits beside what the requests in flight may use.

        Raises EngineError where it does not fit beside what is spent already.
        """
        while not self._fits(self._spent + self._reserved + most):
            if not self._reserved.total:
                raise EngineError(self._used_up(most))
            self._changed.clear()
            await self._changed.wait()
        self._reserved += most

    def settle(self, most: Tokens, used: Tokens) -> None:
        """Replace a reservation by what was used."""
        self._reserved -= most
        self._spent += used
        self._changed.set()

    def _fits(self, tokens: Tokens) -> bool:
        options = self._options
        if options.max_tokens is not None and tokens.total > options.max_tokens:
            return False
        return options.max_cost is None or self._cost(tokens) <= options.max_cost

    def _cost(self, tokens: Tokens) -> float:
        assert self._options.price is not None  # `located` refuses a budget without a price
        return self._options.price.cost(tokens)

    def _used_up(self, most: Tokens) -> str:
        spent = (
            f"{self._spent.prompt:,} tokens of prompts and {self._spent.completion:,} of answers"
        )
        need = f"{most.total:,} tokens"
        if self._options.max_cost is not None:
            spent += f" ({self._cost(self._spent):.4f} USD)"
            need += f" ({self._cost(most):.4f} USD)"
        return (
            f"The budget ends the run: {spent} are spent, and the next request may need {need}. "
            "The answers so far are kept; the same command with a higher budget continues."
        )
