"""Protocols: everything between a sample and a score that is not the model, as data.

A protocol is one TOML file: top-level keys and the tables [frames], [prompt], [generation],
[answer], [score]; a table [tasks.NAME.answer] (and so on) overrides single keys for one task.
The dataclasses below are the schema; an unknown key or value is refused with its name.
Prompts stand in these files to the letter of their source.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vtg_eval.errors import UserError
from vtg_eval.names import nearest

DEFAULT_PROTOCOL = "strict@1"


@dataclass(frozen=True, slots=True)
class FrameRule:
    """Which frames the model sees, and how large.

    policy: "fps": the frame on display at k / fps; "fps-index": indices evenly spread over the
    file as qwen-vl-utils spreads them; "uniform": `max_frames` frames, one amid each of as many
    equal parts. Frame counts are even (models take frames in pairs).
    min_tokens, max_tokens: bounds on one frame's size, in the model's own visual tokens for one
    frame (28 x 28 px for Qwen2.5-VL, 32 x 32 px for Qwen3-VL). total_tokens: bound on the whole
    video, frames / 2 x size, for a pair of frames shares its tokens (as qwen-vl-utils counts).
    """

    policy: Literal["fps", "fps-index", "uniform"] = "fps"
    fps: float = 2.0
    min_frames: int = 4
    max_frames: int = 768
    min_tokens: int = 16
    max_tokens: int = 768
    total_tokens: int = 14336


@dataclass(frozen=True, slots=True)
class PromptRule:
    """What the model is asked. `{query}` in `text` is replaced by the query.

    query: "as-is"; "sentence": white space collapsed and the final full stop cut.
    layout: "video-first" lets queries on the same video share its prefix.
    """

    text: str = ""
    system: str = ""
    query: Literal["as-is", "sentence", "lower-sentence"] = "as-is"
    layout: Literal["video-first", "text-first"] = "video-first"


@dataclass(frozen=True, slots=True)
class GenerationRule:
    """How the model answers. decoding: "greedy", or "checkpoint": its own generation_config."""

    max_new_tokens: int = 256
    decoding: Literal["greedy", "checkpoint"] = "greedy"


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """From text to the one span that counts.

    parser: a name in `vtg_eval.parsing.SPAN_PARSERS`. unit: what a number in the text means,
    seconds or hundredths of the duration (then IoU is taken on fractions of the duration).
    select: which of the parsed spans counts. reversed: what an end before the start means.
    quantum: round times to a multiple of so many seconds (0: not at all).
    """

    parser: str = "strict"
    unit: Literal["seconds", "percent"] = "seconds"
    select: Literal["first", "last"] = "first"
    reversed: Literal["zero", "swap"] = "zero"
    quantum: float = 0.0


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """From spans to figures.

    comparator: how IoU is held against a threshold. iou_decimals: round each IoU first
    (-1: not at all). ranks: a recall is reported for the best of the first so many spans.
    nms: leave out spans that overlap a better one by more than this IoU (1: keep all).
    truth: "clamp" cuts targets at the video's end and leaves out those that then are empty.
    occurrences: which of a target's occurrences counts. missing: whether samples without an
    answer score 0 or leave the denominator. duplicates: which line counts when an id occurs
    twice. arithmetic: in which order the mean is taken, which shows in the last digits only.
    average: also report the mean of mIoU and the recalls, as "avg".
    A non-finite time scores 0 under every protocol, also where its source gives it a hit.
    """

    thresholds: tuple[float, ...] = (0.3, 0.5, 0.7)
    comparator: Literal[">=", ">"] = ">="
    iou_decimals: int = -1
    ranks: tuple[int, ...] = (1,)
    nms: float = 1.0
    truth: Literal["as-is", "clamp"] = "as-is"
    occurrences: Literal["best", "first"] = "best"
    missing: Literal["zero", "drop"] = "zero"
    duplicates: Literal["first", "last"] = "first"
    arithmetic: Literal["sum*100/n", "sum/n*100", "mean*100"] = "sum*100/n"
    average: bool = False


@dataclass(frozen=True, slots=True)
class Protocol:
    """A named, versioned way from samples to scores."""

    name: str
    summary: str
    source: str
    frames: FrameRule = FrameRule()
    prompt: PromptRule = PromptRule()
    generation: GenerationRule = GenerationRule()
    answer: AnswerRule = AnswerRule()
    score: ScoreRule = ScoreRule()
    notes: tuple[str, ...] = ()
    only_tasks: tuple[str, ...] = ()
    overrides: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    def for_task(self, task: str) -> Protocol:
        """Return this protocol with the task's overrides applied.

        Raises UserError where the protocol says nothing for that task (`only_tasks`).
        """
        if self.only_tasks and task not in self.only_tasks:
            raise UserError(
                f"The protocol {self.name} is not defined for {task}, "
                f"only for {', '.join(self.only_tasks)}."
            )
        tables = self.overrides.get(task, {})
        parts = {part: _rule(getattr(self, part), table, part) for part, table in tables.items()}
        return replace(self, overrides={}, **parts)


RULES: Mapping[str, Any] = {
    "frames": FrameRule(),
    "prompt": PromptRule(),
    "generation": GenerationRule(),
    "answer": AnswerRule(),
    "score": ScoreRule(),
}


def load_protocol(path: Path) -> Protocol:
    """Read a protocol file; raises UserError that names the file and the key."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        parts = {part: _rule(rule, table.pop(part, {}), part) for part, rule in RULES.items()}
        overrides = table.pop("tasks", {})
        notes, only = tuple(table.pop("notes", ())), tuple(table.pop("only_tasks", ()))
        protocol = Protocol(**table, **parts, notes=notes, only_tasks=only, overrides=overrides)
        for task in overrides:
            protocol.for_task(task)
        return protocol
    except (tomllib.TOMLDecodeError, TypeError, UserError) as exc:
        raise UserError(f"{path.name}: not a protocol: {exc}") from exc


def _rule(default: Any, table: Mapping[str, Any], part: str) -> Any:
    """Return `default` with the table's keys set, each checked against its declared type."""
    hints = get_type_hints(type(default))
    known = {f.name for f in fields(default)}
    values = {}
    for key, value in table.items():
        if key not in known:
            raise UserError(f'[{part}] has no key "{key}". {nearest(key, known)}')
        values[key] = _checked(value, hints[key], f"{part}.{key}")
    return replace(default, **values)


def _checked(value: Any, hint: Any, key: str) -> Any:
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise UserError(f"{key} is {value!r}; it must be one of {', '.join(get_args(hint))}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not value:
            raise UserError(f"{key} is {value!r}; it must be a list that is not empty")
        return tuple(_checked(item, get_args(hint)[0], key) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise UserError(f"{key} is {value!r}; it must be a {hint.__name__}")
    return value
