"""Pages as plain data: paragraphs, and tables whose cells may have links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Link:
    """A cell's link. `target` is an address ("web"), a source id, an entry name or a page slug."""

    kind: Literal["web", "source", "run", "page"]
    target: str


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell's text. `order`: the number to sort by, for numeric cells; `anchor`: an element id."""

    text: str
    link: Link | None = None
    order: float | None = None
    anchor: str = ""


EMPTY = TableCell("")


@dataclass(frozen=True, slots=True)
class DocumentTable:
    """Rows with one cell for each name in `head`."""

    head: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A title, paragraphs, and a table."""

    title: str
    text: tuple[str, ...]
    table: DocumentTable


@dataclass(frozen=True, slots=True)
class Document:
    """A page; `slug` is its file name without suffix."""

    slug: str
    title: str
    text: tuple[str, ...]
    sections: tuple[Section, ...]
