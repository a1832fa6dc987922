"""What the model is asked about one sample: the protocol's prompt with the query in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from vtg_eval import protocol
from vtg_eval.protocol import PromptRule
from vtg_eval.types import OutputType, Sample

PLACEHOLDERS = re.compile(rf"\{{({'|'.join(protocol.PLACEHOLDERS)})\}}")


class TimeFormat(NamedTuple):
    """How times are written: decimals of a second, text behind each, text between two."""

    decimals: int
    unit: str
    separator: str


TIME_FORMATS: Mapping[str, TimeFormat] = {
    "0.5, 1.0": TimeFormat(1, "", ", "),
    "0.50s,1.00s": TimeFormat(2, "s", ","),
}


def wording(asks: OutputType, rule: PromptRule) -> str:
    """Return the protocol's prompt for that kind of sample, empty where it has none."""
    match asks:
        case OutputType.SPANS:
            return rule.text
        case OutputType.CHOICE:
            return rule.choice
        case OutputType.BOTH:
            return rule.grounded_choice


def tells_times(asks: OutputType, rule: PromptRule) -> bool:
    """Tell whether the protocol's prompt itself lists the frames' times."""
    return "{frame_times}" in wording(asks, rule)


def listed_times(times: Sequence[float], rule: PromptRule) -> tuple[float, ...]:
    """Return frame times (seconds) with the decimals that the protocol's prompt has of them."""
    decimals = TIME_FORMATS[rule.times].decimals
    return tuple(float(f"{time:.{decimals}f}") for time in times)


def written(query: str, rule: PromptRule) -> str:
    """Return the query as the rule formats it.

    "sentence" is TimeLens' rule: white space collapsed, full stops at the ends cut;
    "lower-sentence" is VTimeLLM's: also lower case.
    """
    match rule.query:
        case "as-is":
            return query
        case "sentence":
            return " ".join(query.split()).strip(".").strip()
        case "lower-sentence":
            return " ".join(query.lower().split()).strip(".").strip()


def question(
    sample: Sample,
    rule: PromptRule,
    frame_times: Sequence[float] = (),
    clean: Callable[[str], str] = str,
    duration: float = 0.0,
) -> str:
    """Return the prompt's text for a sample.

    frame_times, duration: of the shown video, in seconds. clean: applied to every text of the
    dataset before it is inserted. Inserted text is never searched for placeholders.
    """
    decimals, unit, separator = TIME_FORMATS[rule.times]
    options = zip(sample.letters, map(clean, sample.options), strict=True)
    texts: Mapping[str, str] = {
        "query": clean(written(sample.query, rule)),
        "options": "\n".join(_option(letter, text, rule) for letter, text in options),
        "subtitles": clean(sample.subtitles),
        "frame_times": separator.join(f"{time:.{decimals}f}{unit}" for time in frame_times),
        "frame_count": str(len(frame_times)),
        "duration": f"{duration:.2f}",
    }
    return PLACEHOLDERS.sub(lambda match: texts[match[1]], wording(sample.asks, rule))


def _option(letter: str, text: str, rule: PromptRule) -> str:
    values = {"{letter}": letter, "{text}": text}
    return re.sub(r"\{letter\}|\{text\}", lambda match: values[match[0]], rule.option)
