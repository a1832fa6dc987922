"""The form of a whole answer with reasoning: which tags, in which order."""

from __future__ import annotations

import re

THINK, THOUGHT, TIME, TIMED = "<think>", "</think>", "<time>", "</time>"
ANSWER_OPENS = re.compile(r"</think>\s*+<answer>")
ANSWERED = "</answer>"


def well_formed(text: str, form: str) -> bool:
    """Tell whether the whole text has the form.

    "think-answer": <think>…</think> <answer>…</answer> and nothing else (TimeZero).
    "think-time": <think>…</think>, then <time>…</time>, then anything (TVG-R1). What "…" stands
    for may hold anything, tags too.
    """
    if form == "any":
        return True
    if not text.startswith(THINK):
        return False
    if form == "think-answer":
        opened = ANSWER_OPENS.search(text, len(THINK))
        return opened is not None and text.endswith(ANSWERED, opened.end())
    place = 0
    for tag in (THINK, THOUGHT, TIME, TIMED):
        place = text.find(tag, place)
        if place < 0:
            return False
        place += len(tag)
    return True
