"""How a request ends, and what can be wrong with an answer."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Finish(StrEnum):
    """How the request for a sample's answer ended. The first two are answers."""

    STOP = "stop"  # the model ended its answer
    LENGTH = "length"  # the answer was cut off at the token limit
    UNDECODABLE = "undecodable"  # the video could not be read; no engine was asked
    CUT_SHORT = "cut_short"  # the video's file ends before the video does; no engine was asked
    NON_FINITE = "non_finite"  # the model's logits were not finite
    REFUSED = "refused"  # the model refused to answer, or its server held the answer back
    ERROR = "error"  # the model, its engine or its adapter failed


class Failure(StrEnum):
    """One kind of failure and what it means, in a sentence.

    Failure counts are samples of each kind; for the last two, records.
    """

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        """Make a member; `Failure(value)` looks it up."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    @classmethod
    def _missing_(cls, value: object) -> Failure | None:
        """Find a member by a name that it had in results.json up to format 2."""
        former = {"said_never": cls.FALSE_ABSENT, "said_present": cls.FALSE_PRESENT}
        return former.get(value) if isinstance(value, str) else None

    MISSING = "missing", "No answer for this sample."
    UNDECODABLE = "undecodable", "The video could not be read."
    CUT_SHORT = "cut_short", "The video's file is cut: it ends before the video does."
    NON_FINITE_MODEL = "non_finite_model", "The model's logits were NaN or infinite."
    ERROR = "error", "The model or its engine failed."
    TRUNCATED = (
        "truncated",
        "The answer was cut off at the token limit; what is there is still read.",
    )
    REFUSED = "refused", "The model said that it cannot answer, or its server held the answer back."
    UNPARSED = "unparsed", "What was asked for, a span or an option, was not found in the answer."
    AMBIGUOUS = "ambiguous", "More than one option is named."
    MALFORMED = "malformed", "A value of the wrong kind, such as a string for a number."
    TOO_MANY_SPANS = "too_many_spans", "More spans than any ranking needs."
    NON_FINITE = "non_finite", "A time that is NaN or infinite."
    REVERSED = "reversed", "The end lies before the start."
    ZERO_LENGTH = "zero_length", "Start and end are the same."
    FALSE_ABSENT = "false_absent", "The answer says that the event never happens, but it does."
    FALSE_PRESENT = "false_present", "The answer gives a span for an event that never happens."
    OUT_OF_RANGE = "out_of_range", "The span leaves the video; it is scored all the same."
    WHOLE_VIDEO = (
        "whole_video",
        "The span covers nearly the whole video; it is scored all the same.",
    )
    ESCAPED = (
        "escaped",
        "The sample's text had special tokens, which were broken up; it is scored all the same.",
    )
    UNKNOWN_ID = "unknown_id", "A record whose id is not one of the split's samples."
    DUPLICATE = "duplicate", "A further record for an id that had one."
