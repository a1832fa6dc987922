"""Pages as Markdown. All texts are escaped: a model's name cannot become a link or a tag."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vtg_eval.console.text import visible

from .documents import Document, DocumentTable, Link, TableCell
from .entries import entry_file

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!$])")


def markdown(page: Document) -> str:
    """Return the page as the text of a file."""
    return "\n".join(_blocks(page)) + "\n"


def escaped(text: str) -> str:
    """Return a text on one line, escaped so that Markdown shows it literally."""
    return SPECIAL.sub(r"\\\1", visible(" ".join(text.split())))


def _blocks(page: Document) -> Iterator[str]:
    yield f"# {escaped(page.title)}"
    for paragraph in page.text:
        yield f"\n{escaped(paragraph)}"
    for section in page.sections:
        yield f"\n## {escaped(section.title)}"
        for paragraph in section.text:
            yield f"\n{escaped(paragraph)}"
        yield ""
        yield from _table(section.table)


def _table(table: DocumentTable) -> Iterator[str]:
    yield _row([escaped(name) for name in table.head])
    yield _row(["---"] * len(table.head))
    for row in table.rows:
        yield _row([_cell(cell) for cell in row])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: TableCell) -> str:
    text = escaped(cell.text)
    return f"[{text}]({_address(cell.link)})" if cell.link else text


def _address(link: Link) -> str:
    match link.kind:
        case "web":
            return link.target
        case "source":
            return "sources.md"
        case "run":
            return entry_file(link.target)
        case "page":
            return f"{link.target}.md"
