"""Pages as plain data: paragraphs, and tables whose cells may link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Link:
    """Where a cell leads: an address ("web"), a source's id, an entry's name, a page's slug."""

    kind: Literal["web", "source", "run", "page"]
    target: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text. `order` is the number to sort by, where the text is one; `anchor` an id."""

    text: str
    link: Link | None = None
    order: float | None = None
    anchor: str = ""


EMPTY = Cell("")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as there are names in `head`."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A title, what is to be said, and a table."""

    title: str
    text: tuple[str, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class Page:
    """A page; `slug` is its file's name without suffix."""

    slug: str
    title: str
    text: tuple[str, ...]
    sections: tuple[Section, ...]
