"""The page as one HTML file with data, style and script, which opens offline.

All text from models and datasets is untrusted. It is in the file once, as JSON without "<", and
the script only inserts it as text. The content security policy only allows this script, by its
digest, and no requests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files

from vtg_eval.report.page_data import Page

# in order of dependence
SCRIPTS = (
    "dom.js",
    "format.js",
    "tables.js",
    "probe.js",
    "charts.js",
    "plots.js",
    "filters.js",
    "list.js",
    "timeline.js",
    "detail.js",
    "main.js",
)


def html_file(page: Page) -> bytes:
    """Return the page as a UTF-8 file."""
    style = _asset("page.css")
    script = '"use strict";\n' + "".join(map(_asset, SCRIPTS))
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_digest(script)}",
            f"style-src {_digest(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
    return _filled(
        _asset("page.html"), {"policy": policy, "style": style, "data": _data(page), "code": script}
    )


def _data(page: Page) -> str:
    """Return JSON that cannot close the element that contains it."""
    text = json.dumps(asdict(page), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _filled(template: str, parts: Mapping[str, str]) -> bytes:
    """Replace each `{{name}}` by its part; a `{{` inside a part is not replaced."""
    pieces = []
    for number, piece in enumerate(template.split("{{")):
        name, closed, text = piece.partition("}}")
        pieces.append(parts[name] + text if number and closed else piece)
    # a lone surrogate becomes an escape such as "\\udc80", which JSON reads back unchanged
    return "".join(pieces).encode("utf-8", "backslashreplace")


def _asset(name: str) -> str:
    return (files("vtg_eval.report") / "assets" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return the source expression of an inline element with exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
