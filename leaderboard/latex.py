"""Pages as LaTeX tables with booktabs, for use with \\input. All texts are escaped."""

from __future__ import annotations

from collections.abc import Iterator

from vtg_eval.console.text import visible

from .documents import Document, Section, TableCell
from .entries import entry_file

HEAD = "% Needs the packages booktabs, hyperref and (with pdfLaTeX) textcomp."
ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "%": r"\%",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "≠": r"$\neq$",
        "·": r"$\cdot$",
        "†": r"\textdagger{}",
        "‡": r"\textdaggerdbl{}",
        "–": "--",
    }
)
ADDRESS_ESCAPES = str.maketrans({"%": r"\%", "#": r"\#", "&": r"\&", "_": r"\_"})


def latex(page: Document) -> str:
    """Return the page's tables as the text of a file; its paragraphs become comments."""
    lines = [HEAD, *(f"% {visible(' '.join(text.split()))}" for text in (page.title, *page.text))]
    for section in page.sections:
        lines += ["", *_section(page.title, section)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return a text on one line, escaped so that LaTeX prints it literally."""
    return visible(" ".join(text.split())).translate(ESCAPES)


def _section(title: str, section: Section) -> Iterator[str]:
    table = section.table
    numbers = [any(row[k].order is not None for row in table.rows) for k in range(len(table.head))]
    yield r"\begin{table}"
    yield rf"\caption{{{escaped(f'{title}. {section.title}')}}}"
    yield rf"\begin{{tabular}}{{{''.join('r' if number else 'l' for number in numbers)}}}"
    yield r"\toprule"
    yield _row([escaped(name) for name in table.head])
    yield r"\midrule"
    yield from (_row([_cell(cell) for cell in row]) for row in table.rows)
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def _row(cells: list[str]) -> str:
    line = f"{' & '.join(cells)} \\\\"
    # LaTeX would read a leading bracket or star as an option of the row before
    return f"{{}}{line}" if line.startswith(("[", "*")) else line


def _cell(cell: TableCell) -> str:
    text = escaped(cell.text)
    if cell.link is None or cell.link.kind in ("source", "page"):
        return text
    address = cell.link.target if cell.link.kind == "web" else entry_file(cell.link.target)
    return rf"\href{{{address.translate(ADDRESS_ESCAPES)}}}{{{text}}}"
