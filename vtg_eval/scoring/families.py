"""The metric families by the name that a card gives."""

from __future__ import annotations

from collections.abc import Mapping

from vtg_eval.errors import UserError, suggestion
from vtg_eval.scoring.choice import choice
from vtg_eval.scoring.clues import clues
from vtg_eval.scoring.grounded_choice import grounded_choice
from vtg_eval.scoring.grounding import grounding
from vtg_eval.scoring.highlights import highlights
from vtg_eval.scoring.moment_choice import moment_choice
from vtg_eval.scoring.segment_ranks import segment_ranks
from vtg_eval.scoring.table import Family

FAMILIES: Mapping[str, Family] = {
    "grounding": grounding,
    "choice": choice,
    "clues": clues,
    "grounded choice": grounded_choice,
    "highlights": highlights,
    "moment choice": moment_choice,
    "segment ranks": segment_ranks,
}


def metric_family(name: str) -> Family:
    """Return the family of that name; raises UserError with the nearest name."""
    if name not in FAMILIES:
        raise UserError(f'There is no metric family "{name}". {suggestion(name, FAMILIES)}')
    return FAMILIES[name]
