"""CG-Bench's form of an answer: JSON in a fence, {"result": …}."""

from __future__ import annotations

FENCE = "```"
OPENING = "```json"


def fenced_json(text: str) -> str:
    """Return what stands in the first fence that is marked as JSON; "" without a closed one."""
    start = text.find(OPENING)
    if start < 0:
        return ""
    start += len(OPENING)
    end = text.find(FENCE, start)
    return "" if end < 0 else text[start:end].strip()
