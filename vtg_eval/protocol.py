"""Protocols: everything between a sample and a score that is not the model, as data.

A protocol is one TOML file: top-level keys and the tables [frames], [prompt], [generation],
[answer], [score]; a table [tasks.NAME.answer] (and so on) overrides single keys for one task,
[tasks.NAME.splits.SPLIT.answer] for one of its splits.
The dataclasses below are the schema; an unknown key or value is refused with its name.
A file's `Protocol` is resolved first: all code that asks and scores takes a `ResolvedProtocol`,
with the values for one task and split.
Prompts in these files are exactly those of their source.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from vtg_eval.errors import NotApplicableError, UserError, suggestion
from vtg_eval.files.toml_tables import converted, load_toml

DEFAULT_PROTOCOL = "strict@2"
SPLITS = "splits"  # the key of a task's table with those of its splits
PLACEHOLDERS = ("query", "options", "subtitles", "frame_times")
OPTION_PLACEHOLDERS = ("letter", "text")
Duplicates = Literal["first", "last", "pool"]


@dataclass(frozen=True, slots=True)
class FrameRule:
    """Which frames the model sees, and how large.

    policy: "fps": the frame on display at k / fps; "fps-index": indices evenly spread over the
    file as qwen-vl-utils spreads them; "uniform": `max_frames` frames, one in the middle of
    each of as many equal parts. Frame counts are even (models take frames in pairs).
    min_tokens, max_tokens: bounds on one frame's size, in the model's own visual tokens for one
    frame (28 x 28 px for Qwen2.5-VL, 32 x 32 px for Qwen3-VL). total_tokens: bound on the whole
    video, frames / 2 x size, because a pair of frames shares its tokens (as qwen-vl-utils counts).
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
    """What the model is asked, in one text for each kind of sample.

    text: asks for spans; choice: for one of the options; grounded_choice: for both. In them
    `{query}` stands for the query or question, `{options}` for the options, one a line, each
    formatted with `option` (`{letter}`, `{text}`), `{subtitles}` for the spoken text,
    `{frame_times}` for the times of the shown frames in seconds, joined by ", ".
    query: "as-is"; "sentence": white space collapsed and the final full stop cut.
    layout: "video-first" lets queries on the same video share its prefix.
    subtitles: which lines of a subtitled video the prompt contains: those on screen at a shown
    frame, or all of them.
    """

    text: str = ""
    choice: str = ""
    grounded_choice: str = ""
    option: str = "({letter}) {text}"
    system: str = ""
    query: Literal["as-is", "sentence", "lower-sentence"] = "as-is"
    layout: Literal["video-first", "text-first"] = "video-first"
    subtitles: Literal["none", "shown-frames", "all"] = "none"


@dataclass(frozen=True, slots=True)
class GenerationRule:
    """How the model answers.

    decoding: "greedy"; "checkpoint": its generation_config; "sample": sampled at `temperature`
    from all tokens, with one seed for each sample.
    """

    max_new_tokens: int = 256
    decoding: Literal["greedy", "checkpoint", "sample"] = "greedy"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise UserError(
                f"generation.temperature is {self.temperature}; it must be above 0, and finite"
            )


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """From text to the span or the option that counts.

    parser: a name in `vtg_eval.parsing.spans.SPAN_PARSERS`. choice_parser: a name in
    `vtg_eval.parsing.choices.CHOICE_PARSERS`. unit: what a number in the text means, seconds or
    hundredths of the duration (then IoU is taken on fractions of the duration).
    select: "first": all spans are parsed, and the first counts for metrics of one span; "last":
    only the last listed span is parsed, whatever its score. reversed: what an end before the start
    means. quantum: round times to a multiple of this many seconds (0: not at all).
    """

    parser: str = "strict"
    choice_parser: str = "strict"
    unit: Literal["seconds", "percent"] = "seconds"
    select: Literal["first", "last"] = "first"
    reversed: Literal["zero", "swap"] = "zero"
    quantum: float = 0.0


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """From spans to figures.

    comparator: how IoU is compared with a threshold. iou_decimals: round each IoU first
    (-1: not at all). ranks: a recall is reported for the best of the first so many spans.
    nms: leave out spans that overlap a better one by more than this IoU (-1: keep all).
    nms_below: instead, for each recall, by more than its threshold minus this (-1: off).
    order: whether the parsed spans are ranked as listed or by their scores, if they have some.
    truth: "clamp" cuts targets at the video's ends and leaves out those that then are empty.
    occurrences: which of a target's occurrences counts. missing: whether samples without an
    answer score 0 or leave the denominator; unparsed: the same for answers without a parsed span or
    option. duplicates: which line counts when an id occurs twice; "pool": the first ten spans of
    each, after those of the last. arithmetic: the order of operations in the mean. addition: the
    order in which the values are added up, as the annotation lists the samples or as ext4 lists
    files named after CG-Bench's questions. Both affect the last digits only. decimals: round the
    percentages (-1: not at all). average: also report the mean of mIoU and the recalls, as "avg".
    discounted: also report the recalls discounted by the errors of start and end, as dR1@0.5.
    non_finite: how NaN and infinity are scored. "zero": they never hit. "truth-first": as
    Python's max and min with the truth first, which return it when compared with NaN. "spread": as
    numpy's, where NaN spreads into the mean; zero lengths on both sides give NaN as well. "signed":
    as "truth-first", with negative IoU for spans apart. All but "zero" reproduce a source.
    instants: whether a span whose start and end are the same may score ("as-is": NExT-GQA gives it
    IoP 1 where it lies in the moment), or is worth nothing on every task ("zero").
    undefined: whether a sample whose IoU is not a number is scored, or leaves the denominator.
    repeats: whether samples with the same video, question (as it is asked) and target count
    separately, or once, with the answer to the last of them.
    """

    thresholds: tuple[float, ...] = (0.3, 0.5, 0.7)
    comparator: Literal[">=", ">"] = ">="
    iou_decimals: int = -1
    ranks: tuple[int, ...] = (1,)
    nms: float = -1.0
    nms_below: float = -1.0
    order: Literal["listed", "score"] = "listed"
    truth: Literal["as-is", "clamp"] = "as-is"
    occurrences: Literal["best", "first"] = "best"
    missing: Literal["zero", "drop"] = "zero"
    unparsed: Literal["zero", "drop"] = "zero"
    duplicates: Duplicates = "first"
    arithmetic: Literal["sum*100/n", "sum/n*100", "mean*100"] = "sum*100/n"
    addition: Literal["listed", "ext4"] = "listed"
    decimals: int = -1
    average: bool = False
    discounted: bool = False
    non_finite: Literal["zero", "truth-first", "signed", "spread"] = "zero"
    instants: Literal["as-is", "zero"] = "as-is"
    undefined: Literal["scored", "drop"] = "scored"
    repeats: Literal["each", "once"] = "each"

    def __post_init__(self) -> None:
        for name in ("thresholds", "ranks"):
            if not getattr(self, name):
                raise UserError(f"score.{name} is empty; it must hold at least one number")


class Limit(NamedTuple):
    """The range of a number, ends included; `off` is a value outside that disables the rule."""

    low: float
    high: float = math.inf
    off: float | None = None

    def __str__(self) -> str:
        """Return the text of what a value must be."""
        ends = (
            f"from {self.low:g} on" if self.high == math.inf else f"{self.low:g} to {self.high:g}"
        )
        return ends if self.off is None else f"{ends}, or {self.off:g} for none"


LIMITS = {
    "frames.fps": Limit(0.001),
    **{f"frames.{end}_frames": Limit(1) for end in ("min", "max")},
    **{f"frames.{name}_tokens": Limit(1) for name in ("min", "max", "total")},
    "generation.max_new_tokens": Limit(1),
    "answer.quantum": Limit(0),
    "score.thresholds": Limit(0, 1),
    "score.ranks": Limit(1),
    **{f"score.{name}": Limit(0, 1, off=-1) for name in ("nms", "nms_below")},
    **{f"score.{name}": Limit(0, 15, off=-1) for name in ("decimals", "iou_decimals")},
}


@dataclass(frozen=True, slots=True)
class ResolvedProtocol:
    """A protocol's values for one task and split, or for samples without a task.

    `only_tasks` and `families` (of metrics): what the protocol is defined for; empty: everything.
    """

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
    families: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values: what runs' digests are made of, so that these must not change.

        "overrides", a file's key, is kept; the newest key of [score] is left out at its default.
        """
        table = {**asdict(self), "overrides": {}}
        if self.score.instants == "as-is":
            del table["score"]["instants"]
        return table


@dataclass(frozen=True, slots=True)
class Protocol:
    """A named, versioned way from samples to scores, as in its file.

    `without_task`: the values for samples without a task, and for tasks without a table.
    """

    without_task: ResolvedProtocol
    overrides: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name with its version, "strict@2"."""
        return self.without_task.name

    def covers(self, task: str, family: str) -> bool:
        """Tell whether the protocol is defined for a task of that metric family."""
        only, families = self.without_task.only_tasks, self.without_task.families
        return (not families or family in families) and (not only or task in only)

    def for_task(self, task: str, family: str, split: str = "") -> ResolvedProtocol:
        """Return the values for a task, and for one of its splits.

        Raises NotApplicableError where the protocol is not defined for that task.
        """
        if not self.covers(task, family):
            rules = self.without_task
            scope = (*rules.only_tasks, *(f"tasks with {name} metrics" for name in rules.families))
            raise NotApplicableError(
                f"The protocol {self.name} is not defined for {task}, only for {', '.join(scope)}."
            )
        return self.with_overrides(task, split)

    def check_splits(self, task: str, splits: Collection[str]) -> None:
        """Raise UserError for values for a split that is none of the task's."""
        for split in self.overrides.get(task, {}).get(SPLITS, {}):
            if split not in splits:
                raise UserError(
                    f"The protocol {self.name} has values for tasks.{task}.{SPLITS}.{split}, which "
                    f"is no split. {suggestion(split, splits)}"
                )

    def with_overrides(self, task: str, split: str = "") -> ResolvedProtocol:
        """Return the values for a task and split, covered or not."""
        tables = dict(self.overrides.get(task, {}))
        splits = tables.pop(SPLITS, {})
        resolved = self.without_task
        for layer in (tables, splits.get(split, {})):
            resolved = overridden(resolved, layer)
        return resolved


@dataclass(frozen=True, slots=True)
class Rules:
    """The parts of a protocol; what a protocol file may set for one split of a task."""

    frames: FrameRule = FrameRule()
    prompt: PromptRule = PromptRule()
    generation: GenerationRule = GenerationRule()
    answer: AnswerRule = AnswerRule()
    score: ScoreRule = ScoreRule()


@dataclass(frozen=True, slots=True)
class TaskRules(Rules):
    """What a protocol file may set for one task."""

    splits: Mapping[str, Rules] = field(default_factory=dict)


Names = Mapping[str, Collection[str]]
"""The names that exist, by the kind of name: "task", "parser", "choice_parser"."""


def overridden(
    rules: ResolvedProtocol, tables: Mapping[str, Mapping[str, Any]]
) -> ResolvedProtocol:
    """Return the values with those keys replaced that the tables of single parts set."""
    parts = {part: _rule(getattr(rules, part), table, part) for part, table in tables.items()}
    return replace(rules, **parts)


def load_protocol(path: Path, names: Names | None = None) -> Protocol:
    """Read a protocol file; raises UserError that names the file and the key.

    names: to refuse others; of a kind that is left out any name is accepted.
    """
    return load_toml(path, "a protocol", lambda table: _protocol(table, names or {}))


def _protocol(table: dict[str, Any], names: Names) -> Protocol:
    if "overrides" in table:
        raise UserError('there is no key "overrides"; what differs stands in [tasks.NAME.PART]')
    overrides = table.pop("tasks", {})
    converted(overrides, dict[str, TaskRules], "tasks")
    protocol = Protocol(converted(table, ResolvedProtocol), overrides)
    check_version(protocol.name)
    for name in protocol.without_task.only_tasks:
        _check_name("only_tasks", name, "task", names)
    check_rules(protocol.without_task, "", names)
    for task, rules in overrides.items():
        _check_name(f"tasks.{task}", task, "task", names)
        check_rules(protocol.with_overrides(task), f"tasks.{task}.", names)
        for split in rules.get(SPLITS, {}):
            prefix = f"tasks.{task}.{SPLITS}.{split}."
            check_rules(protocol.with_overrides(task, split), prefix, names)
    return protocol


def check_version(name: str) -> None:
    """Raise UserError for a name without a version."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", name):
        raise UserError(f'name is "{name}"; it must end in a version, as in "strict@1"')


def _check_name(key: str, name: str, kind: str, names: Names) -> None:
    if kind in names and name not in names[kind]:
        raise UserError(f'{key}: there is no {kind} "{name}". {suggestion(name, names[kind])}')


def check_rules(rules: ResolvedProtocol, prefix: str, names: Names) -> None:
    """Raise UserError for unknown names, numbers out of range, rules that exclude each other.

    prefix: of the keys in the file.
    """
    for kind in ("parser", "choice_parser"):
        _check_name(f"{prefix}answer.{kind}", getattr(rules.answer, kind), kind, names)
    for key, limit in LIMITS.items():
        part, name = key.split(".")
        value = getattr(getattr(rules, part), name)
        for number in value if isinstance(value, tuple) else (value,):
            if not (limit.low <= number <= limit.high or number == limit.off):
                raise UserError(f"{prefix}{key} is {number:g}; it must be {limit}")
    for part, low, high in (
        ("frames", "min_frames", "max_frames"),
        ("frames", "min_tokens", "max_tokens"),
    ):
        rule = getattr(rules, part)
        if getattr(rule, low) > getattr(rule, high):
            raise UserError(f"{prefix}{part}.{low} is above {part}.{high}")
    if rules.answer.select == "last" and rules.score.order == "score":
        raise UserError(
            f'{prefix}answer.select "last" keeps one span, so {prefix}score.order "score" ranks '
            "nothing: leave one of them out"
        )
    for name in ("text", "choice", "grounded_choice"):
        text = getattr(rules.prompt, name)
        _check_text(text, PLACEHOLDERS, "query", f"{prefix}prompt.{name}")
    _check_text(rules.prompt.option, OPTION_PLACEHOLDERS, "text", f"{prefix}prompt.option")


def _check_text(text: str, placeholders: Collection[str], needed: str, key: str) -> None:
    """Raise UserError for an unknown placeholder, and for a missing one; an empty text has none."""
    names = re.findall(r"\{(\w+)\}", text)
    for name in names:
        if name not in placeholders:
            raise UserError(f"{key} has {{{name}}}. {suggestion(name, placeholders)}")
    if text and needed not in names:
        raise UserError(f"{key} has no {{{needed}}}: the model would not be told it")


def _rule(default: Any, table: Mapping[str, Any], part: str) -> Any:
    """Return a rule with the table's values."""
    overrides = converted(table, type(default), part)
    return replace(default, **{name: getattr(overrides, name) for name in table})
