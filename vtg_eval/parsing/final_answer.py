"""The part of an answer that counts under strict@2: thoughts dropped, spelling made even."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

# a family's marks close one another; a closing mark alone: the opening one stood in the prompt
_THOUGHTS = {
    "think": "think",
    "thinking": "think",
    "thought": "think",
    "thoughts": "think",
    "seed:think": "think",
    "cot": "think",
    "reasoning": "reasoning",
    "reason": "reasoning",
    "rationale": "rationale",
    "reflection": "reflection",
    "reflect": "reflection",
    "analysis": "analysis",
    "scratchpad": "scratchpad",
    "scratch_pad": "scratchpad",
    "plan": "plan",
    "planning": "plan",
    "inner_monologue": "inner_monologue",
    "inner_thoughts": "inner_monologue",
    "observation": "observation",
    "observe": "observation",
}
_ANSWERS = ("answer", "final_answer", "final", "conclusion", "solution")
CHANNEL, FINAL = "<|channel|>", "<|channel|>final<|message|>"
_NAMES = "|".join(sorted((*_THOUGHTS, *_ANSWERS), key=len, reverse=True))
# <name>, <|name|>, ◁name▷, [NAME], and <|begin_of_name|>, each also closing
_TAG = re.compile(
    rf"<\|?(?P<a>/?|begin_of_|end_of_|begin_|end_)(?P<b>{_NAMES})\s*+\|?>"
    rf"|◁(?P<c>/?)(?P<d>{_NAMES})▷|\[(?P<e>/?)(?P<f>THINK|THINKING|REASONING|ANSWER)\]",
    re.IGNORECASE,
)
_BOX = re.compile(r"<\|begin_of_box\|>(.*?)(?:<\|end_of_box\|>|\Z)|\\boxed\s*+\{", re.DOTALL)
_LABEL = re.compile(
    r"^[ \t#*_>]*+(?:(?:final|my)[ \t]++)?+(?:answer|antwort|答案|最终答案)[ \t*_]*+:",
    re.IGNORECASE | re.MULTILINE,
)
_ENTITIES = {
    "ndash": "–", "mdash": "—", "minus": "-", "rarr": "→", "nbsp": " ", "gt": ">", "lt": "<",
    "amp": "&", "quot": '"', "#39": "'", "sim": "~", "hyphen": "-", "percnt": "%",
}  # fmt: skip
_ENTITY = re.compile(r"&(#?\w{2,8});")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")

_NEWLINE = re.compile(r"\\n(?!eq|ewline|u\b|ot\b|abla|e\b)")  # of JSON, not a command of LaTeX
_WIDE_CLOCK = re.compile("(?<=[０-９])：(?=[０-５][０-９])")

_DIGIT_ZEROS = (0x660, 0x6F0, 0x966, 0x9E6, 0xE50, *range(0x1D7CE, 0x1D800, 10))
_SPELLING: dict[int, str | None] = {
    **{0xFF01 + i: chr(0x21 + i) for i in range(94)},  # full width
    **{zero + i: str(i) for zero in _DIGIT_ZEROS for i in range(10)},
    0xFF1A: ": ",
    0xFF0C: ", ",
    **dict.fromkeys((0x2010, 0x2011, 0x2212, 0xFE63), "-"),
    **dict.fromkeys((0x2012, 0x2013, 0x2014, 0x2015, 0x2E3A, 0xFE58, 0x30FC), "–"),
    **dict.fromkeys((0x223C, 0x301C, 0x2053, 0x02DC), "~"),
    **dict.fromkeys((0x2245, 0x2243, 0x224A), "≈"),
    **dict.fromkeys((0xA0, 0x2007, 0x2009, 0x200A, 0x202F, 0x3000), " "),
    **dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF)),
    **dict.fromkeys(  # arrows to the right
        (0x2192, 0x219D, 0x21A0, 0x21A3, 0x21A6, 0x21C0, 0x21C9, 0x21D2, 0x21DB, 0x21DD, 0x21E2,
         0x21E8, 0x27F6, 0x27F9, 0x27FC, 0x27FF, 0x25B6, 0x25BA, 0x2799, 0x279B, 0x279C, 0x279D,
         0x279E, 0x279F, 0x27A0, 0x27A1, 0x27A4, 0x27A5, 0x27A8, 0x27B2, 0x27BC, 0x2794, 0x2907,
         0x2933, 0x2B62, 0x1F852, 0x1F81A, 0x1F846, 0x1F87A), "→"
    ),
    0x2044: "/", 0x2215: "/",
}  # fmt: skip


def final_answers(text: str) -> tuple[tuple[str, ...], bool]:
    """Return what may be the answer, the surest first, and whether it was cut off in thoughts.

    Thoughts are dropped, closed or not. Then the last answer between marks counts where there is
    one; in it, the last box is surer than the whole. Spelling is made even in all of them.
    """
    text = _even(text)
    cut_off = False
    if CHANNEL in text:  # thoughts and answer as messages of one conversation
        text, cut_off = text.rpartition(FINAL)[2], FINAL not in text
        text = "" if cut_off else text
    if "<" in text or "◁" in text or "[" in text:
        text, cut_off = _without_thoughts(text)
    if "box" in text:
        box = _last_box(text)
        if box is not None:
            return (box, text), cut_off
    return (text,), cut_off


def open_thought(prompt: str) -> str:
    """Return a prompt's end, from the mark of the thought that it leaves open; "" for none."""
    opened, position = "", len(prompt)
    for start, _, family, closing in _tags(prompt):
        if not opened and not closing and family != "answer":
            opened, position = family, start
        elif closing and family == opened:
            opened, position = "", len(prompt)
    return prompt[position:]


def labelled(answer: str) -> tuple[str, ...]:
    """Return what stands behind the last line that begins with "Answer:", and then the whole.

    The whole alone where no line does.
    """
    last = next(iter(deque(_LABEL.finditer(answer), maxlen=1)), None)
    return (answer,) if last is None else (answer[last.end() :], answer)


def _even(text: str) -> str:
    """Return the text with one character for each dash, arrow, digit and space."""
    if "\\u" in text:
        text = _ESCAPE.sub(lambda match: _character(int(match[1], 16)), text)
    if "\\n" in text:
        text = _NEWLINE.sub("\n", text)
    if "：" in text:
        text = _WIDE_CLOCK.sub(":", text)
    if "&" in text:
        text = _ENTITY.sub(lambda match: _ENTITIES.get(match[1], match[0]), text)
    return text if text.isascii() else text.translate(_SPELLING)


def _character(code: int) -> str:
    return " " if 0xD800 <= code < 0xE000 else chr(code)


def _tags(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Yield the start, end, family and closing of each mark of a thought or an answer."""
    for tag in _TAG.finditer(text):
        closing, name = tag["a"], tag["b"]
        if name is None:
            closing, name = (tag["c"], tag["d"]) if tag["d"] else (tag["e"], tag["f"])
        family = _THOUGHTS.get(name.lower(), "answer")
        yield tag.start(), tag.end(), family, closing.lower().startswith(("/", "end"))


def _without_thoughts(text: str) -> tuple[str, bool]:
    """Return the text after its thoughts, or the last answer between marks in it."""
    kept: list[str] = []
    thought, position = "", 0
    answering = False
    for start, end, family, closing in _tags(text):
        if thought:
            if closing and family == thought:
                thought, position = "", end
        elif family == "answer":
            if not closing:
                kept, answering, position = [], True, end
            elif answering:
                kept.append(text[position:start])
                answering = False
                position = len(text)  # what follows an answer does not count
        elif closing:
            kept, answering, position = [], False, end
        else:
            kept.append(text[position:start])
            thought = family
    if not thought:
        kept.append(text[position:])
    return "\n".join(kept), bool(thought)


def _last_box(text: str) -> str | None:
    """Return the content of the last box; None where there is none."""
    last = next(iter(deque(_BOX.finditer(text), maxlen=1)), None)
    if last is None:
        return None
    if last[1] is not None:
        return last[1]
    depth = 1
    for position in range(last.end(), len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            return text[last.end() : position]
    return text[last.end() :]
