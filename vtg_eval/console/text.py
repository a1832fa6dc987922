"""Text of models, datasets and plug-ins as it is shown: invisible characters are escaped.

Escaped are control characters (also those of terminals), characters that change the direction of
writing, separators of lines, lone surrogates and everything else that Unicode shows as nothing.
Joiners and variation selectors stay where scripts and emoji need them: after a character that is
not ASCII (a selector also after the digits, "#" and "*" of keycaps).
"""

from __future__ import annotations

import re
import textwrap
import traceback

from vtg_eval.errors import one_line

WIDTH = 80  # characters in a line of a terminal
INVISIBLE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # direction
    "\u2028\u2029\ud800-\udfff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "]"
    "|(?<![^\x00-\x7f\u200c\u200d])[\u200c\u200d]"  # joiners
    "|(?<![^\x00-\x7f])(?<![0-9#*])[\ufe00-\ufe0f]"  # variation selectors
)


def visible(text: str) -> str:
    """Return a text on one line with each invisible character as its escape, `\\u202e`."""
    return INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def visible_lines(text: str) -> str:
    """Return a text of several lines with all other invisible characters escaped."""
    return "\n".join(map(visible, text.split("\n")))


def wrapped(text: str, indent: str = "") -> str:
    """Return a paragraph in lines that fit a terminal; a longer word has a line of its own.

    indent: of all lines but the first.
    """
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def error_line(error: BaseException) -> str:
    """Return an exception as one line: its class and its message, which `one_line` may cut."""
    try:
        message = visible(one_line(str(error)))
    except Exception:  # the class may be a plug-in's
        message = "(its message cannot be shown)"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def traceback_text(error: BaseException) -> str:
    """Return the whole traceback, without the values of variables."""
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # as above
        return "".join([*traceback.format_tb(error.__traceback__), type(error).__name__])
