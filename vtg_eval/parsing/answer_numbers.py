"""The numbers of an answer for the strict parser: each with its unit and what stands around it.

docs/strict.md is the grammar. Time is linear in the text's length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vtg_eval.parsing.vocabulary import ABBREVIATIONS, SIGNS, WORDS, Kind

WINDOW = 80  # characters in which a label or a connector is looked for
AGREE = 1.0  # seconds by which a time in brackets may differ from the one before it

CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
CJK_WORDS = "|".join(sorted((w for w in WORDS if w[0] >= "\u3040"), key=len, reverse=True))
NUMBER = r"[0-9](?:[0-9]|[.,:'’′](?=[0-9]))*+(?:[eE][+-]?[0-9]++(?![0-9.,]))?+"
TOKEN = re.compile(
    rf"""(?P<arrow>(?:--?-?|==?|~)>|\u2192
          |(?:<=?|[≤⩽]|\\leq?)\s*+t\s*+(?:<=?|[≤⩽]|\\leq?)
          |(?<!\w)(?:and\s++)?+(?:continu(?:es|ed|ing)|last(?:s|ed|ing)|goes\s++on)
           \s++(?:until|till)(?!\w))
      | (?P<word>[^\W\d_{CJK}]++)
      | (?P<number>(?:(?<![\w.])\.)?+{NUMBER})
      | (?P<cjk>{CJK_WORDS}|[{CJK}])
      | (?P<tag></?[A-Za-z][\w:-]*+\s*+/?>|<\|\w{{1,40}}\|>)
      | (?P<dash>-{{1,3}}|–{{1,2}}|~)
      | (?P<tex>\\(?:[A-Za-z]++|.))
      | (?P<sign>[\n%‰°℃€£¥&\#№≈:=,;、|/.!?。\[(【\])】])""",
    re.VERBOSE,
)
CAMEL = re.compile(r"[A-Z]?[a-zß-ÿ]+|[A-Z]+(?![a-z])")
THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})++(?:\.[0-9]+)?")
CLOCK = re.compile(r"[0-9]{1,3}(?::[0-5][0-9]){1,2}(?:[.,][0-9]+)?")
DECIMAL_COMMA = re.compile(r"[0-9]++,[0-9]++")
ASIDE = re.compile(r"[(\[]([^()\[\]\n]{0,60})[)\]]")
LINE_TAGS = {"br", "li", "p", "tr", "div"}
FULL_UNIT = re.compile(  # minutes or hours with seconds: 1 min 5 s, 1h2m3s, 1分5秒
    r"""(?:([0-9]{1,2})\s*+(?:hours?|hrs?|h|小时|小時)\s*+(?:,|and\s)?+\s*+)?+
        (?:([0-9]{1,3})\s*+(?:minutes?|mins?|m|分钟|分鐘|分)\s*+(?:,|and\s)?+\s*+)?+
        ([0-5]?[0-9](?:\.[0-9]++)?+)\s*+(?:seconds?\b|secs?\b|s\b|秒)""",
    re.VERBOSE | re.IGNORECASE,
)
CONNECTORS = (Kind.TO, Kind.DASH, Kind.AND, Kind.COMMA)
BLOCKING = (
    Kind.WORD,
    Kind.LETTER,
    Kind.FUNCTION,
    Kind.STOP,
    Kind.LENGTH,
    Kind.LASTING,
    Kind.NUMBERED,
)
NAMES_NEXT = re.compile(r"\s*+[:=#(\d]")
PROSE_FRAME = re.compile(r"(?:the|in|into|of|this|a|same|whole|entire|camera)\s++frame$", re.I)
ABBREVIATION = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(ABBREVIATIONS)})$", re.I)
FRAME_NUMBER = re.compile(r"\s*+(?:[#:=(\d_]|no\b|num|ind|idx|id\b|range|is\b)", re.I)


@dataclass(slots=True)
class Number:
    """A number of the answer.

    unit: "s" seconds, "x" another, "" none. key: what the words before it make of it: "k" no
    time, "e" an ordinal, "m" perhaps one. link: how it is joined to the number before. labels: S
    and E for each start and end that is named since then.
    """

    start: int
    end: int
    value: float | None
    clock: bool
    unit: str
    key: str
    link: str
    labels: str
    opened: bool
    joined: bool  # nothing but list marks and labels since the number before
    aside: bool  # a round bracket was opened since then
    plain: bool  # no words but labels since then
    line_start: bool
    whole: bool
    comma: bool  # a comma is in it
    semicolon: bool  # one stands between it and the number before
    closed: bool = False
    ends: bool = False  # the word for an end stands after it
    follower: str = ""  # the class of the word right after it
    ordinal: bool = False
    single: bool = False  # its unit is "second", as in "a 2-3 second clip"

    @property
    def bare(self) -> bool:
        """Whether it is a whole number without a unit: it may count or number something."""
        return self.whole and not self.unit and not self.clock


class _Gap:
    """What stands between the last number and the current position."""

    __slots__ = (
        *("links", "blocked", "labels", "label_at", "key", "fresh", "opened", "touched", "lines"),
        *("line_start", "sign", "introduced", "aside", "worded", "tagged", "semicolon", "named"),
    )

    def __init__(self, line_start: bool = False) -> None:
        self.links: list[str] = []
        self.blocked = self.fresh = self.opened = self.touched = self.lines = False
        self.sign = self.introduced = self.aside = self.worded = self.tagged = self.semicolon = (
            self.named
        ) = False
        self.labels = self.key = ""
        self.label_at = -WINDOW
        self.line_start = line_start

    def note(self, kind: str, word: str, position: int) -> None:
        """Take note of a word or sign that is no unit."""
        if kind in CONNECTORS:
            self.links.append(kind)
            self.semicolon |= word == ";"
        if kind in (Kind.START, Kind.END):
            self.labels += "S" if kind is Kind.START else "E"
            self.label_at = position
            self.fresh |= kind is Kind.START
        elif kind is Kind.LINE:
            self.lines = self.line_start = True
        elif kind is Kind.OPEN:
            self.aside |= word == "(" and not self.links
        elif kind is Kind.FILLER or kind is Kind.LABEL:
            self.introduced |= word.lower() in ("in", "unit", "units", "type") and not self.blocked
        elif kind is Kind.FUNCTION and word.lower() == "as":
            self.introduced |= not self.blocked
        if kind in BLOCKING:
            self.blocked = True
            self.worded |= kind in (Kind.WORD, Kind.FUNCTION)
            self.introduced &= kind is Kind.FUNCTION
        self._name(kind)

    def _name(self, kind: str) -> None:
        """Keep, change or drop what the words so far make of the next number."""
        if kind in (Kind.WORD, Kind.LETTER, Kind.FUNCTION, Kind.STOP):
            if not (kind is Kind.STOP and self.key == "e"):
                self.key = ""
        elif kind in (Kind.LENGTH, Kind.LASTING):
            self.key = self.key if self.key == "x" else "k"
        elif kind is Kind.NUMBERED:
            self.key = self.key if self.key == "x" else "e"
        elif kind is Kind.INDEX:
            self.key = self.key if self.key in ("x", "k") else "e"
        elif kind is Kind.LABEL:
            self.key = self.key or "m"
        elif self.key in ("e", "m"):
            self.key = self.key if kind in (Kind.FILLER, Kind.OPEN, Kind.CLOSE) else ""
        elif self.key == "k":
            ends = kind in (Kind.COMMA, Kind.LINE, Kind.START, Kind.END)
            self.key = "" if ends else "k"


class Reader:
    """Reads the numbers of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.numbers: list[Number] = []
        self.gap = _Gap(line_start=True)
        self.resume = 0  # what stands before is read already
        self.word_end = -1  # the end of the last connecting word, for "12to20"

    def read(self) -> list[Number]:
        """Return the numbers in the text's order."""
        for token in TOKEN.finditer(self.text):
            if token.start() < self.resume:
                continue
            group = token.lastgroup
            if group == "number":
                self._number(token)
            elif group == "word":
                self._words(token)
            else:
                self._sign(token, group)
        return self.numbers

    def _words(self, token: re.Match[str]) -> None:
        word = token[0]
        if len(word) == 1 and word.isupper() and word not in "STA":
            self._word(Kind.LETTER, word, token)
            return
        kind = WORDS.get(word.lower())
        if kind is None and not word.islower() and len(parts := CAMEL.findall(word)) > 1:
            for part in parts:
                self._word(WORDS.get(part.lower(), Kind.WORD), part, token)
            return
        self._word(kind or Kind.WORD, word, token)

    def _sign(self, token: re.Match[str], group: str | None) -> None:
        mark = token[0]
        if group == "sign":
            self._word(SIGNS[mark], mark, token)
        elif group == "arrow":
            self._word(Kind.TO, mark, token)
        elif group == "dash":
            self._dash(token)
        elif group == "cjk":
            self._word(WORDS.get(mark, Kind.WORD), mark, token)
        elif group == "tex":
            if mark == "\\boxed":
                self.gap.touched = True
            self._word(WORDS.get(mark) or SIGNS.get(mark[1], Kind.MARK), mark, token)
            if mark in ("\\,", "\\;", "\\:", "\\!"):  # spaces
                self.gap.links = [kind for kind in self.gap.links if kind is not Kind.COMMA]
        else:
            self._tag(token)

    def _tag(self, token: re.Match[str]) -> None:
        name = token[0].strip("</>| ").lower()
        if name in LINE_TAGS:
            self._word(Kind.LINE, "\n", token)
        elif token[0][1] not in "/|":
            self.gap.tagged = True
            for part in re.split(r"[\W_]+", name):
                kind = WORDS.get(part)
                if kind in (Kind.START, Kind.END, Kind.OTHER, Kind.MINUTES, Kind.LENGTH):
                    self._word(kind, part, token)

    def _dash(self, token: re.Match[str]) -> None:
        gap, text, end = self.gap, self.text, token.end()
        before = text[token.start() - 1] if token.start() else " "
        if token[0] == "~" and (gap.touched or not self.numbers):
            return
        following = text[end : end + 1]
        alone = gap.touched or gap.tagged or not self.numbers
        if alone and token[0] == "-" and (following.isdigit() or following == "."):
            gap.sign = not before.isalnum()
            gap.named = before.isalpha() and token.start() != self.word_end  # a name: "GPT-4"
            return
        if not alone and not following.isspace() and self._unit_follows(end):
            return
        if gap.lines and following != "\n":
            self._word(Kind.COMMA, ",", token)  # a bullet
        elif self.numbers:
            self._word(Kind.DASH, token[0], token)

    def _unit_follows(self, position: int) -> bool:
        """Tell whether "12-second" or "12-to-20" is meant: the dash joins no numbers."""
        word = re.compile(r"[A-Za-z]++").match(self.text, position)
        kinds = (Kind.SECONDS, Kind.MINUTES, Kind.OTHER, Kind.TO)
        return word is not None and WORDS.get(word[0].lower()) in kinds

    def _word(self, kind: str, word: str, token: re.Match[str]) -> None:
        """Take note of one word or sign."""
        gap = self.gap
        if kind is Kind.MARK:
            return
        if kind in (Kind.SECONDS, Kind.MINUTES, Kind.OTHER):
            self._unit(kind, word, token)
            return
        last = self.numbers[-1] if self.numbers else None
        if kind is Kind.ORDINAL:
            if last is not None and last.end == token.start():
                last.ordinal = True
                return
            kind = Kind.WORD
        gap.opened = kind is Kind.OPEN
        if last is not None and not gap.touched:
            if kind is Kind.OPEN and self._aside(last, token.start()):
                return
            if kind is Kind.CLOSE:  # a unit may still follow: "[12, 40] frames"
                last.closed = gap.tagged = True
                return
            last.follower = kind
            if word >= "\u3040" and kind in (Kind.START, Kind.END):  # it names the number before it
                last.labels += "S" if kind is Kind.START else ""
                last.ends |= kind is Kind.END
                gap.touched = True
                return
        if word == "." and ABBREVIATION.search(
            self.text[max(0, token.start() - 8) : token.start()]
        ):
            return
        gap.touched = True
        if kind in (Kind.TO, Kind.AND, Kind.START, Kind.END):
            self.word_end = token.end()
        gap.note(kind, word, token.start())
        if kind not in (Kind.OPEN, Kind.LINE, Kind.NUMBERED, Kind.LABEL):
            gap.line_start = False

    def _unit(self, kind: str, word: str, token: re.Match[str]) -> None:
        """Take a word for a unit: of the number before it, else of the one after it."""
        gap, text = self.gap, self.text
        last = self.numbers[-1] if self.numbers else None
        attached = last is not None and (not gap.touched or gap.introduced)
        if attached and last is not None and last.closed and NAMES_NEXT.match(text, token.end()):
            attached = False  # "(1) frames 12-40"
        counts_frames = attached and last is not None and last.whole  # "12 - 40, in frame"
        if word.lower() == "frame" and not counts_frames and self._is_prose(token):
            self._word(Kind.WORD, word, token)
            return
        if last is not None and attached and last.unit != "s" and not (last.unit and gap.touched):
            if kind is Kind.MINUTES and not gap.touched:
                full = FULL_UNIT.match(text, last.start)
                if full and (full[1] or full[2]):
                    hours, minutes, seconds = (float(part or 0) for part in full.groups())
                    last.value = hours * 3600 + minutes * 60 + seconds
                    last.unit, last.end, self.resume = "s", full.end(), full.end()
                    last.clock = True
                    return
            last.unit = "s" if kind is Kind.SECONDS else "x"
            last.single = word.lower() == "second"
            if not gap.touched:
                last.end = token.end()
            return
        gap.touched = True
        gap.key = "s" if kind is Kind.SECONDS else "x"
        gap.opened = gap.line_start = False

    def _is_prose(self, token: re.Match[str]) -> bool:
        """Tell whether "frame" is the picture, as in "walks into the frame"."""
        before = self.text[max(0, token.start() - 12) : token.end()]
        numbered = FRAME_NUMBER.match(self.text, token.end())
        return numbered is None and PROSE_FRAME.search(before) is not None

    def _aside(self, last: Number, position: int) -> bool:
        """Read "(20%)" or "(frames)" after a number; False where it is something else."""
        aside = ASIDE.match(self.text, position)
        if aside is None:
            return False
        inner = Reader(aside[1])
        numbers = inner.read()
        if not numbers:
            if inner.gap.key:
                last.unit = last.unit or inner.gap.key
            self.resume = aside.end()
            return True
        number = numbers[0]
        if len(numbers) > 1 or not (number.unit or number.clock):
            return False
        if number.unit != "x" and last.unit == "x":
            last.value, last.unit = number.value, "s"
        elif number.unit != "x" and not _agree(last.value, number.value):
            last.unit = "x"
        self.resume = aside.end()
        return True

    def _number(self, token: re.Match[str]) -> None:
        gap, text, start = self.gap, self.text, token.start()
        value, clock = _value(token[0])
        if gap.sign and value is not None:
            value, start = -value, start - 1
        before = text[start - 1] if start else " "
        glued = start != self.word_end and (
            (before.isalpha() and before < "\u3040")
            or (
                before == "_"
                and start > 1
                and text[start - 2].isalnum()
                and text[start - 2] < "\u3040"
            )
        )
        after = text[token.end() : token.end() + 1]
        follows = token.end() + (after == "-")
        after = text[follows : follows + 1]
        if after.isalpha() and after < "\u3040" and not self._known_after(follows):
            glued = True
        if glued or gap.named:
            value = None
        link = self._link(start)
        last = self.numbers[-1] if self.numbers else None
        if before == "/" and last and last.end == start - 1 and last.labels[-2:] != "SE":
            value = last.value = None  # a fraction or a date: "5/10"
        if link == "adjacent":
            value = self.numbers[-1].value = None
        labels = gap.labels if gap.label_at >= start - WINDOW else ""
        if gap.key == "k" and self.numbers and self.numbers[-1].follower is Kind.LENGTH:
            self.numbers[-1].follower = ""  # "5-10, score 0.9": the word names this number
        joined = not gap.blocked and (not self.numbers or start - self.numbers[-1].end <= WINDOW)
        self.numbers.append(
            Number(
                *(start, token.end(), value, clock),
                unit=gap.key if gap.key in ("s", "x") else "",
                key=gap.key if gap.key in ("k", "e", "m") else "",
                link=link,
                labels=labels,
                opened=gap.opened,
                joined=joined,
                aside=gap.aside,
                plain=not gap.worded,
                line_start=gap.line_start,
                whole=token[0].isdigit(),
                comma="," in token[0],
                semicolon=gap.semicolon,
            )
        )
        self.gap = _Gap()

    def _known_after(self, position: int) -> bool:
        """Tell whether the letters right after a number are a unit or a connector."""
        word = re.compile(rf"[^\W\d_{CJK}]++").match(self.text, position)
        kinds = (
            *(Kind.SECONDS, Kind.MINUTES, Kind.OTHER, Kind.TO, Kind.AND, Kind.ORDINAL),
            Kind.FILLER,
        )
        return word is not None and WORDS.get(word[0].lower()) in kinds

    def _link(self, start: int) -> str:
        """Return how the number that starts here is joined to the one before it."""
        gap = self.gap
        if not self.numbers or gap.blocked or gap.fresh:
            return ""
        if start - self.numbers[-1].end > WINDOW:
            return ""
        if not gap.touched:
            return "" if gap.tagged else "adjacent"
        to, dash, both, commas = map(gap.links.count, CONNECTORS)
        if to + dash == 1 and not both and (not commas or to):
            return "to" if to else "dash"
        if both == 1 and not to + dash + commas:
            return "and"
        return "comma" if commas == 1 and not to + dash + both else ""


def _agree(first: float | None, second: float | None) -> bool:
    return first is not None and second is not None and abs(first - second) <= AGREE


def _value(digits: str) -> tuple[float | None, bool]:
    """Return the value of digits with marks in them, None if none is sure; whether it is a clock.

    A comma stands before decimals ("5,25") or thousands ("1,234.5"); "1,234" could be either.
    """
    if digits.isdigit() or ("," not in digits and ":" not in digits):
        try:
            return float(digits), False
        except ValueError:
            return None, False
    if CLOCK.fullmatch(digits):
        seconds = 0.0
        for part in digits.replace(",", ".").split(":"):
            seconds = seconds * 60 + float(part)
        return round(seconds, len(re.split("[.,]", digits)[-1])), True  # without binary noise
    if DECIMAL_COMMA.fullmatch(digits):
        unsure = THOUSANDS.fullmatch(digits) and not digits.startswith("0")
        return (None if unsure else float(digits.replace(",", "."))), False
    if THOUSANDS.fullmatch(digits):
        return float(digits.replace(",", "")), False
    return None, False
