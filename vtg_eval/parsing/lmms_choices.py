"""Which option an answer names, by the tasks of lmms-eval (EvolvingLMMs-Lab, at 75571cfe).

Checked against what that commit returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from vtg_eval.parsing.choice_rules import UNPARSED, Choice, ChoiceParser, first_letter, named

PHRASES = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option is",
    "The correct option is",
    "Best answer:",
    "Best option:",
)
# tasks/timescope/utils.py
lmms_timescope = first_letter("ABCDEF", PHRASES)
# tasks/longvideobench/utils.py; where the script samples an option at random, this is unparsed
longvideobench = first_letter("ABCDE", PHRASES)

EDGES = (",", ".", "!", "?", ";", ":", "'", '"')
# what stands before and after a letter, and the priority of that format
FORMATS = (("(", ")", 6), ("", ".", 5), ("", ":", 4), ("", ")", 3), ("", " ", 2))
START, END, PHRASE, ANYWHERE = 10, 9, 7, 0
# A phrase that contains another may first occur elsewhere, so all of them are tried.
ANSWER_PHRASES = (
    *("answer is", "the answer is", "correct answer is", "the correct answer is"),
    *("best answer is", "the best answer is", "my answer is"),
    *("correct option is", "the correct option is", "best option is", "the best option is"),
    *("choice is", "the choice is", "correct choice is", "the correct choice is"),
    *("my choice is", "i choose", "i select", "i pick"),
    *("옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは"),
)

OPTION_LINE = re.compile(r"([A-Ea-e])\.")
LOOSE_LETTER = re.compile(r"\b([A-Ea-e])\b")
DIGITS_AROUND_COMMA = re.compile(r"\d,\d")
LONE_STOP = re.compile(r"\.(?!\d)")
STOPS_REMOVED = 32  # the script passes a flag (re.UNICODE) where the count belongs
MARKS = ';/[]"{}()=+\\_-><@`,?!'


class _Candidate(NamedTuple):
    """A letter at a position of the text. The highest priority wins, then the last position."""

    priority: int
    position: int
    letter: str


def lmms_mcq(letters: str) -> ChoiceParser:
    """Return the parser of tasks/_task_utils/mcq_extract.py for these letters.

    The tasks give the letters, whatever the number of options: A to D for Video-MME, LVBench and
    both splits of MLVU (so E and F of its test are never read), A to H by default.
    """

    def parse(text: str, options: tuple[str, ...]) -> Choice:
        text = text.strip()
        for mark in EDGES:
            text = text.strip(mark)
        text = f" {text} "
        candidates = [
            *_formatted(text, letters),
            *_after_phrase(text, letters),
            *_edge(text, letters),
        ] or [
            _Candidate(ANYWHERE, text.rfind(letter), letter) for letter in letters if letter in text
        ]
        if not candidates:
            return UNPARSED
        return named(max(candidates, key=lambda candidate: candidate[:2]).letter)

    return parse


def _formatted(text: str, letters: str) -> Iterator[_Candidate]:
    """Yield the last position of each letter in each format."""
    for before, after, priority in FORMATS:
        for letter in letters:
            position = text.rfind(f"{before}{letter}{after}")
            if position >= 0:
                yield _Candidate(priority, position, letter)


def _after_phrase(text: str, letters: str) -> Iterator[_Candidate]:
    """Yield each letter's first position, even inside a word, after each phrase's first."""
    lower = text.lower()
    for phrase in ANSWER_PHRASES:
        start = lower.find(phrase)
        if start < 0:
            continue
        for letter in letters:
            position = text.find(letter, start + len(phrase))
            if position >= 0:
                yield _Candidate(PHRASE, position, letter)


def _edge(text: str, letters: str) -> Iterator[_Candidate]:
    """Yield the letter with which the text begins or ends, where no word does."""
    core = text.strip()
    if core[:1] in letters and not core[1:2].isalpha():
        yield from (_Candidate(START, 0, letter) for letter in core[:1])
    if core[-1:] in letters and not core[-2:-1].isalpha():
        yield from (_Candidate(END, len(text) - 1, letter) for letter in core[-1:])


def lmms_mvbench(text: str, options: tuple[str, ...]) -> Choice:
    """Read "B. text" on one line; else the first free-standing A to E, in any case.

    tasks/mvbench/utils.py: mcq_acc. Marks are removed first, or replaced by spaces, so "(B)" and
    "answer_B" count. If another single letter remains, it is returned as it is.
    """
    text = text.strip()
    line = OPTION_LINE.match(text)
    if line and text[line.end() :] and "\n" not in text[line.end() :].lstrip():
        return Choice((line[1].upper(),))
    text = _without_marks(text.replace("\n", " ").replace("\t", " ").strip())
    for mark in ("'", '"', ")", "("):
        text = text.strip(mark)
    text = text.strip().lower()
    loose = LOOSE_LETTER.search(text)
    return named(loose[1].upper() if loose else text.upper() if len(text) == 1 else "")


def _without_marks(text: str) -> str:
    plain = text
    grouped = DIGITS_AROUND_COMMA.search(text) is not None
    for mark in MARKS:
        at_word = grouped or f"{mark} " in text or f" {mark}" in text
        plain = plain.replace(mark, "" if at_word else " ")
    return LONE_STOP.sub("", plain, count=STOPS_REMOVED)
