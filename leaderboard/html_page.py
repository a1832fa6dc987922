"""All pages as one self-contained HTML file: it makes no requests, and no text can run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape as markup_escaped

from vtg_eval.console.text import visible

from .documents import Document, Link, Section, TableCell
from .entries import entry_file

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882 }
html { background: Canvas; color: CanvasText }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 110rem }
main { padding: 0 1rem 4rem }
nav ul { columns: 14rem; padding-left: 1.2rem }
a { color: light-dark(#0a58ca, #8ab4f8) }
section { margin-top: 3rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 14px }
caption { font-weight: 600; padding: 1rem 0 .3rem; text-align: left }
th, td { border-bottom: 1px solid var(--line); padding: .2rem .6rem }
th, td { text-align: left; vertical-align: top }
td.n { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap }
tbody tr:hover { background: var(--soft) }
th button { all: unset; cursor: pointer; font-weight: 600 }
th button:focus-visible { outline: 2px solid }
th[aria-sort=ascending] button::after { content: " ▲" / "" }
th[aria-sort=descending] button::after { content: " ▼" / "" }
"""

# without JavaScript the tables keep their order, and headers are plain text
SCRIPT = """
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = row => row.cells[k].dataset.order ?? row.cells[k].textContent;
      const compare = (a, b) => {
        const x = key(a), y = key(b);
        if ((x === "") !== (y === "")) return x === "" ? 1 : -1;
        const by = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return down ? -by : by;
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
}
"""


def html(pages: Sequence[Document]) -> str:
    """Return the file's text; its title is the first page's."""
    return "\n".join(_document(pages)) + "\n"


def escape(text: str) -> str:
    """Return a text that is shown as it is, with its invisible characters as escapes."""
    return markup_escaped(visible(text))


def _document(pages: Sequence[Document]) -> Iterator[str]:
    policy = (
        f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{escape(pages[0].title)}</title>"
    yield f"<style>{STYLE}</style>\n</head>\n<body>\n<main>"
    for page in pages:
        yield f'<section id="{escape(page.slug)}">'
        level = 1 if page is pages[0] else 2
        yield f"<h{level}>{escape(page.title)}</h{level}>"
        yield from (f"<p>{escape(paragraph)}</p>" for paragraph in page.text)
        if page is pages[0]:
            yield from _contents(pages[1:])
        for section in page.sections:
            yield from _section(section)
        yield "</section>"
    yield f"</main>\n<script>{SCRIPT}</script>\n</body>\n</html>"


def _contents(pages: Sequence[Document]) -> Iterator[str]:
    yield '<nav aria-label="Benchmarks">\n<ul>'
    for page in pages:
        yield f'<li><a href="#{escape(page.slug)}">{escape(page.title)}</a></li>'
    yield "</ul>\n</nav>"


def _section(section: Section) -> Iterator[str]:
    yield from (f"<p>{escape(paragraph)}</p>" for paragraph in section.text)
    yield '<div class="wide">\n<table>'
    yield f"<caption>{escape(section.title)}</caption>"
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in section.table.head)
    yield f"<thead><tr>{heads}</tr></thead>\n<tbody>"
    for row in section.table.rows:
        yield f"<tr>{''.join(map(_cell, row))}</tr>"
    yield "</tbody>\n</table>\n</div>"


def _cell(cell: TableCell) -> str:
    text = escape(cell.text)
    if cell.link:
        text = f'<a href="{escape(_address(cell.link))}" rel="noreferrer">{text}</a>'
    number = "" if cell.order is None else f' class="n" data-order="{cell.order:g}"'
    anchor = f' id="{escape(cell.anchor)}"' if cell.anchor else ""
    return f"<td{anchor}{number}>{text}</td>"


def _address(link: Link) -> str:
    match link.kind:
        case "web":
            return link.target
        case "source":
            return f"#source-{link.target}"
        case "run":
            return entry_file(link.target)
        case "page":
            return f"#{link.target}"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
