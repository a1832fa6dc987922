"""Answers that are cut at `rl.max_new_tokens`: how many are too many, and what to do about it.

A cut answer is rewarded for the text before the cut, which mostly has no span.
"""

from __future__ import annotations

from ..recipe import RlRule

LIMIT = 0.2  # share of a step's answers


def too_many(share: float) -> bool:
    """Tell whether more answers of a step were cut than the limit."""
    return share > LIMIT


def advice(rule: RlRule) -> str:
    """Return what to change in the recipe."""
    if rule.mask_cut_answers:
        return "They are left out of the loss; to learn from them, raise rl.max_new_tokens."
    return "Raise rl.max_new_tokens, or leave them out of the loss: rl.mask_cut_answers = true."
