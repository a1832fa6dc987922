"""The strict choice parser: the one option that the final answer names, nothing guessed.

What names an option: its letter as the whole answer or as the last line; its letter at the
start, with a mark after it or with the option's text; a letter or an option's text after
"answer is", "option:", "I choose" and the like; "B is correct"; the option's whole text. Where
none of these occurs, a capital in round brackets or in bold. In all of them, letters may be in
brackets, quotes or bold.

These name nothing: a letter in passing ("because A is not shown"), the "a" of "a dog", a letter
beyond the options. An answer that names two options is ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vtg_eval.failures import Failure
from vtg_eval.parsing.choice_rules import Choice, lettered
from vtg_eval.parsing.strict_answer_1 import REFUSAL, final_answer

OPEN = r"[ \t*_`\"'“‘(\[{$:]*+"
CLOSE = r"[*_`\"'”’)\]}$]*+"
NOUN = r"\b(?i:answer|option|choice|letter|result)\b"
# "A" and "I" are words: a word that follows them must show that the letter is meant
NO_WORD = r"(?![ \t]++(?!(?:because|since|as|or|and|is)\b)\w)"
CAPITAL = rf"(?:[B-HJ-Z]|[AI]{NO_WORD})(?![-'’]?\w)"
SMALL = r"[a-z](?=[ \t]*+(?:\n|\Z)|[.:;,)\]}*_`\"'”’$]++(?!\w))"
LETTER = re.compile(rf"(?:({CAPITAL})|({SMALL}))({CLOSE})(?!\?)")
MARK = re.compile(r"[ \t]*+(?:\n|\Z|[.:,;)–—-](?!\w))")
GAP = re.compile(rf"{CLOSE}[ \t]*+[.:,;)–—-]?[ \t]*+")
PHRASE = re.compile(
    rf"(?:{NOUN}{CLOSE}[ \t]*+(?:(?i:is)\b|[:=])"
    rf"|答案[ \t]*+(?:是|为|:)|\b(?i:i (?:choose|select|pick))\b|\\boxed\b){OPEN}"
)
NOUN_AGAIN = re.compile(rf"(?:(?i:the)[ \t]++)?+{NOUN}{OPEN}")
START = re.compile(rf"{OPEN}(?:{NOUN}{OPEN})?+")
BARE = re.compile(rf"{OPEN}(?:{NOUN}{OPEN})?+([A-Za-z])[\s*_`\"'”’)\]}}$.,:;!]*+")
ANOTHER = re.compile(
    rf"[.)]*+[ \t]*+(?:[,;/&|][ \t]*+)?+(?:(?:or|and)\b)?+[ \t]*+(?:{NOUN})?+{OPEN}"
    rf"([A-Z]){CLOSE}(?=[ \t]*+(?:\n|\Z|[.,;:/&|)?!])|[ \t]++(?:or|and)\b)"
)
VERDICT = re.compile(
    rf"(?<!\w)([A-Z]){CLOSE}[ \t]++is[ \t]++(?:the[ \t]++)?+(?:correct|right|best)\b"
)
SET_OFF = re.compile(r"(?<!\w)\(([A-Z])\)|\*\*\(?([A-Z])\)?[.:]?\*\*")
WRAPPING = "*_`\"'“”‘’ "
SLACK = 40  # additional marks and spaces in a text that repeats an option
CHAIN = 26  # letters that may follow a letter: "A, B or C"


def strict(text: str, options: tuple[str, ...]) -> Choice:
    """Return the option that the final answer names; see the module for the rule.

    text: the answer; options: their texts from A on. Where not exactly one option is named, the
    failure is AMBIGUOUS (several), REFUSED, TRUNCATED (within its thoughts) or UNPARSED.
    """
    answer, cut_off = final_answer(text)
    letters = _Options(options).named_in(answer.strip())
    if letters:
        return Choice(letters) if len(letters) == 1 else Choice(failure=Failure.AMBIGUOUS)
    if REFUSAL.search(answer):
        return Choice(failure=Failure.REFUSED)
    return Choice(failure=Failure.TRUNCATED if cut_off else Failure.UNPARSED)


class _Options:
    """The options of one question, and the rules by which a text names them."""

    def __init__(self, options: tuple[str, ...]) -> None:
        self._letters = {letter for letter, _ in lettered(options) if letter <= "Z"}
        self._longest = max(map(len, options), default=0) + SLACK
        self._by_text: dict[str, list[str]] = {}
        for letter, option in lettered(options):
            self._by_text.setdefault(_plain(option), []).append(letter)
        self._by_text.pop("", None)

    def named_in(self, answer: str) -> tuple[str, ...]:
        """Return the letters of all options that the answer names."""
        bare = self._existing(_bare(answer))
        if bare:
            return bare
        return (
            self._existing(self._whole(answer))
            or self._existing(self._stated(answer))
            or self._existing(match[1] or match[2] for match in SET_OFF.finditer(answer))
        )

    def _existing(self, letters: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(letter for letter in letters if letter in self._letters))

    def _whole(self, answer: str) -> list[str]:
        return self._by_text.get(_plain(answer), [])

    def _stated(self, answer: str) -> Iterator[str]:
        yield from self._at_start(answer)
        for phrase in PHRASE.finditer(answer):
            yield from self._line(answer, phrase.end()) or self._letters_at(
                answer, _skip(NOUN_AGAIN, answer, phrase.end())
            )
        yield from (verdict[1] for verdict in VERDICT.finditer(answer))
        yield from _bare(answer.rpartition("\n")[2].strip())

    def _at_start(self, answer: str) -> Iterator[str]:
        """Yield the letters with which the answer begins, if they are marked as such."""
        start = _skip(START, answer, 0)
        letter, gap = answer[start : start + 1], _skip(GAP, answer, start + 1)
        if gap > start + 1 and letter in self._line(answer, gap):
            yield letter  # followed by its text, a mark between them or not: "A the dog"
            return
        match = LETTER.match(answer, start)
        if match is None:
            return
        marked = match[2] or match[3] or MARK.match(answer, match.end())
        if marked or ANOTHER.match(answer, match.end()):
            yield from self._letters_at(answer, start)

    def _letters_at(self, answer: str, position: int) -> Iterator[str]:
        """Yield the letter at `position`, letters joined to it, and the option whose text follows.

        So the text of another option than the letter's makes the answer ambiguous.
        """
        match = LETTER.match(answer, position)
        if match is None:
            return
        letter = match.group(1, 2)[match[1] is None].upper()
        yield letter
        texts = self._line(answer, _skip(GAP, answer, match.end()))
        if texts:
            yield from () if letter in texts else texts
            return
        end = match.end()
        for _ in range(CHAIN):
            another = ANOTHER.match(answer, end)
            if another is None:
                return
            yield another[1]
            end = another.end()

    def _line(self, answer: str, position: int) -> list[str]:
        """Return the options whose text is all of the rest of the line."""
        line, end, _ = answer[position : position + self._longest + 1].partition("\n")
        if not end and len(line) > self._longest:
            return []
        return self._whole(line)


def _bare(text: str) -> tuple[str, ...]:
    match = BARE.fullmatch(text)
    return (match[1].upper(),) if match else ()


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _plain(text: str) -> str:
    """Return the text without what may differ: case, spaces, wrapping marks, final full stops."""
    return " ".join(text.split()).strip(WRAPPING).rstrip(WRAPPING + ".").casefold()
