"""What a server's tokens cost: known prices, with the date at which they were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from vtg_eval.files.toml_tables import converted, load_toml

PRICES_FILE = Path(__file__).with_name("prices.toml")
MILLION = 1_000_000
Dollars = Annotated[float, Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Numbers of tokens: of prompts and of answers."""

    prompt: int = 0
    completion: int = 0

    @property
    def total(self) -> int:
        """Both together."""
        return self.prompt + self.completion

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt + other.prompt, self.completion + other.completion)

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(self.prompt - other.prompt, self.completion - other.completion)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens of prompts, and of answers."""

    prompt: Dollars
    completion: Dollars

    def cost(self, tokens: Tokens) -> float:
        """Return US dollars."""
        return (tokens.prompt * self.prompt + tokens.completion * self.completion) / MILLION


@dataclass(frozen=True, slots=True)
class PriceList:
    """prices.toml. `servers` maps a base URL to its models' prices on that `date`."""

    date: str
    servers: Mapping[str, Mapping[str, Price]] = field(default_factory=dict)


@cache
def price_list() -> PriceList:
    """Return the prices that ship with the package."""
    return load_toml(PRICES_FILE, "a price list", lambda table: converted(table, PriceList))


def known_price(base_url: str, model: str) -> Price | None:
    """Return the price of a server's model, None where it is not on the list."""
    return price_list().servers.get(base_url, {}).get(model)
