"""The parsers that read an option from an answer's text, by name."""

from __future__ import annotations

from collections.abc import Mapping

from vtg_eval.errors import UserError, suggestion
from vtg_eval.parsing import lmms_choices, official_choices
from vtg_eval.parsing.choice_rules import ChoiceParser
from vtg_eval.parsing.strict_choice import strict, strict_1

CHOICE_PARSERS: Mapping[str, ChoiceParser] = {
    "strict": strict_1,
    "strict-2": strict,
    "video-mme": official_choices.video_mme,
    "vlmevalkit-video-mme": official_choices.vlmevalkit_video_mme,
    "lvbench": official_choices.lvbench,
    "mlvu": official_choices.mlvu,
    "mvbench": official_choices.mvbench,
    "time-r1": official_choices.time_r1,
    "video-r1": official_choices.video_r1,
    "cg-bench": official_choices.cg_bench,
    "vlmevalkit-cg-bench": official_choices.cg_bench,
    "tempcompass-choice": official_choices.tempcompass_choice,
    "tempcompass-yes-no": official_choices.tempcompass_yes_no,
    "tempcompass-caption": official_choices.tempcompass_caption,
    "lmms-mcq": lmms_choices.lmms_mcq("ABCD"),
    "lmms-mcq-8": lmms_choices.lmms_mcq("ABCDEFGH"),
    "lmms-mvbench": lmms_choices.lmms_mvbench,
    "lmms-timescope": lmms_choices.lmms_timescope,
    "longvideobench": lmms_choices.longvideobench,
}


def choice_parser(name: str) -> ChoiceParser:
    """Return the parser of that name; raises UserError with the nearest name."""
    if name not in CHOICE_PARSERS:
        raise UserError(f'There is no choice parser "{name}". {suggestion(name, CHOICE_PARSERS)}')
    return CHOICE_PARSERS[name]
