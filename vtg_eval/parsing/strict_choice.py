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
from dataclasses import dataclass

from vtg_eval.failures import Failure
from vtg_eval.parsing.choice_rules import Choice, lettered
from vtg_eval.parsing.final_answer import final_answers
from vtg_eval.parsing.strict_answer_1 import REFUSAL, final_answer

OPEN = r"[ \t*_`\"'“‘(\[{$:]*+"
CLOSE = r"[*_`\"'”’)\]}$]*+"
# "A" and "I" are words: a word that follows them must show that the letter is meant
NO_WORD = r"(?![ \t]++(?!(?:because|since|as|or|and|is)\b)\w)"
CAPITAL = rf"(?:[B-HJ-Z]|[AI]{NO_WORD})(?![-'’]?\w)"
SMALL = r"[a-z](?=[ \t]*+(?:\n|\Z)|[.:;,)\]}*_`\"'”’$]++(?!\w))"
LETTER = re.compile(rf"(?:({CAPITAL})|({SMALL}))({CLOSE})(?!\?)")
MARK = re.compile(r"[ \t]*+(?:\n|\Z|[.:,;)–—-](?!\w))")
GAP = re.compile(rf"{CLOSE}[ \t]*+[.:,;)–—-]?[ \t]*+")
LISTED = re.compile(rf"{OPEN}([A-Z])[.:)\]*]++[ \t]++(?=\S)")
SET_OFF = re.compile(r"(?<!\w)\(([A-Z])\)|\*\*\(?([A-Z])\)?[.:]?\*\*")
WRAPPING = "*_`\"'“”‘’ "
# before a letter in the same sentence: it is not the answer
NEGATION = re.compile(
    r"\b(?:not|neither|nor|never|cannot|isn|wasn|don|doesn|wouldn|can)\b|n['’]t\b|不|没", re.I
)
CLAUSE = re.compile(r"[.!?;,\n]")
JOINED_BEFORE = re.compile(r"(?<!\w)([A-Z])[)*]*+[ \t]*+(?:[,/&]|or\b|and\b|或|和)[ \t]*+[(*]*+\Z")
RETRACTION = re.compile(rf"\b(?i:no|wait|actually|sorry)\b,?+{OPEN}([A-Z])\b")
ENDS_CLAUSE = re.compile(r"[ \t]*+(?:\n|\Z|[.,;:!)–—-](?!\w)|(?:because|since|as)\b)")
MARK_UP = (
    (re.compile(r"<\|\w{1,40}\|>|</?(?:[a-z_]{2,20}|[bips])\s*+/?>"), " "),
    (re.compile(r"<([A-Z])>"), r"(\1)"),
    (re.compile(r"(?<!\w)([A-Z])(?:です|입니다|이다)"), r"\1"),
    (re.compile(r"\\(?:[A-Za-z]++\*?+|(?=[()\[\]_%$]))"), ""),
    (re.compile(r"^[ \t]*+(?:[#>•=→-]++[ \t]++)++", re.MULTILINE), ""),
    (re.compile(r"(?<=[^\W_])_(?=[^\W_])"), " "),
    (re.compile("[\u2600-\u27bf\ufe0f\U0001f300-\U0001faff]"), ""),
    (re.compile("[【「『〖]"), "("),
    (re.compile("[】」』〗]"), ")"),
    (re.compile("[。、]"), ". "),
)
SLACK = 40  # additional marks and spaces in a text that repeats an option
CHAIN = 26  # letters that may follow a letter: "A, B or C"


@dataclass(frozen=True, slots=True)
class _Grammar:
    """What one version of the protocol takes for naming an option.

    phrase: what a letter or an option's text follows. noun_again: a word such as "option" between
    them. verdict: a letter and what is said of it. start, bare: what may stand around a letter at
    the start, or alone. another: what joins a further letter. hint: what a letter follows that ends
    its clause; without hints (strict@1), a "not" before a letter is not looked for either.
    """

    phrase: re.Pattern[str]
    verdict: re.Pattern[str]
    noun_again: re.Pattern[str]
    start: re.Pattern[str]
    bare: re.Pattern[str]
    another: re.Pattern[str]
    hint: re.Pattern[str] | None = None


def _grammar(
    nouns: str, after_noun: str, phrases: str, verdict: str, hints: str = "", also: str = "(?!)"
) -> _Grammar:
    noun = rf"\b(?i:{nouns})\b"
    return _Grammar(
        phrase=re.compile(rf"(?:{noun}{CLOSE}[ \t]*+{after_noun}|{phrases}){OPEN}"),
        verdict=re.compile(rf"(?<!\w)([A-Z]){CLOSE}{verdict}"),
        noun_again=re.compile(rf"(?:(?i:the)[ \t]++)?+{noun}{OPEN}"),
        start=re.compile(rf"{OPEN}(?:{noun}{OPEN})?+"),
        bare=re.compile(rf"{OPEN}(?:{noun}{OPEN})?+([A-Za-z])[\s*_`\"'”’)\]}}$.,:;!]*+"),
        another=re.compile(
            rf"[.)]*+[ \t]*+(?:[,;/&|][ \t]*+)?+(?:(?:or|and)\b|{also})?+[ \t]*+(?:{noun})?+{OPEN}"
            rf"([A-Z]){CLOSE}(?=[ \t]*+(?:\n|\Z|[.,;:/&|)?!])|[ \t]++(?:or|and)\b)"
        ),
        hint=re.compile(hints) if hints else None,
    )


FIRST = _grammar(
    nouns="answer|option|choice|letter|result",
    after_noun=r"(?:(?i:is)\b|[:=])",
    phrases=r"答案[ \t]*+(?:是|为|:)|\b(?i:i (?:choose|select|pick))\b|\\boxed\b",
    verdict=r"[ \t]++is[ \t]++(?:the[ \t]++)?+(?:correct|right|best)\b",
)
SURELY = r"(?:[ \t]++(?:(?i:clearly|definitely|most|likely|probably|obviously|therefore|thus))\b)*+"
TO_BE = r"(?:is|was|would be|should be|must be|has to be|seems to be|appears to be|ist|est|es|è)"
SECOND = _grammar(
    nouns=(
        "answer|ans|option|choice|letter|result|response|selection|selected|prediction|conclusion|"
        "verdict|pick|guess|solution|output|antwort|réponse|respuesta|risposta|resposta|ответ"
    ),
    after_noun=rf"(?:(?i:{TO_BE})\b{SURELY}|\.?+[ \t]*+(?:[-=]>|[:=→])|[-–→][ \t])",
    phrases=(
        r"(?:答案|选项|選項)[ \t]*+(?:应该)?+(?:是|为|應為|:)?+|(?<!不)(?:选择|選擇|选|選)(?!项|項)"
        r"|\b(?i:ans)\.|(?:정답|답)[은:]?+|答えは|答[ \t]*+:"
        r"|\b(?i:(?:choose|select|pick|(?:go|going) with|opt for|settle on|ich wähle))\b"
    ),
    verdict=(
        rf"(?:[ \t]++(?i:{TO_BE}|seems|appears|looks)\b{SURELY}[ \t]++(?i:(?:the|my)[ \t]++)?+"
        r"(?i:final[ \t]++)?+(?i:correct|right|best|answer|choice|richtig"
        r"|(?:most[ \t]++)?+(?:accurate|appropriate|suitable|plausible))\b(?![^.!\n]{0,24}\?)"
        r"|[ \t]*+(?:选项|項|项)?+[ \t]*+(?:是正确|是对的|正确|是答案))"
    ),
    also="或|和",
    hints=(
        r"\b(?i:so|thus|hence|therefore|it is|it['’]s|must be|has to be|that is|that['’]s"
        r"|i(?: would|['’]d|['’]ll) say|definitely|probably|most likely"
        r"|i (?:think|believe|guess)|corresponds to|matches|namely|both|making it|making)"
        rf"\b,?+:?+{OPEN}"
        rf"(?:(?i:the)[ \t]++)?+(?:(?i:option|answer|choice)\b)?+{OPEN}"
    ),
)


def strict(text: str, options: tuple[str, ...]) -> Choice:
    """Return the option that the final answer names, by the rule of docs/strict.md.

    Its arguments and failures are those of `strict_1`.
    """
    answers, cut_off = final_answers(text)
    choice = Choice()
    for answer in answers:
        choice = _choice(_cleaned(answer), _Options(options, SECOND), cut_off)
        if choice.failure is not Failure.UNPARSED:
            break
    return choice


def strict_1(text: str, options: tuple[str, ...]) -> Choice:
    """Return the option that the final answer names; see the module for the rule.

    text: the answer; options: their texts from A on. Where not exactly one option is named, the
    failure is AMBIGUOUS (several), REFUSED, TRUNCATED (within its thoughts) or UNPARSED.
    """
    answer, cut_off = final_answer(text)
    return _choice(answer, _Options(options, FIRST), cut_off)


def _choice(answer: str, options: _Options, cut_off: bool) -> Choice:
    letters = options.named_in(answer.strip())
    if letters:
        return Choice(letters) if len(letters) == 1 else Choice(failure=Failure.AMBIGUOUS)
    if REFUSAL.search(answer):
        return Choice(failure=Failure.REFUSED)
    return Choice(failure=Failure.TRUNCATED if cut_off else Failure.UNPARSED)


class _Options:
    """The options of one question, and the rules by which a text names them."""

    def __init__(self, options: tuple[str, ...], grammar: _Grammar) -> None:
        self._grammar = grammar
        self._letters = {letter for letter, _ in lettered(options) if letter <= "Z"}
        self._longest = max(map(len, options), default=0) + SLACK
        self._by_text: dict[str, list[str]] = {}
        for letter, option in lettered(options):
            self._by_text.setdefault(_plain(option), []).append(letter)
        self._by_text.pop("", None)

    def named_in(self, answer: str) -> tuple[str, ...]:
        """Return the letters of all options that the answer names."""
        rest = self._without_list(answer) if self._grammar.hint else answer
        return self._named_in(rest) or (tuple(self._letters) if rest != answer else ())

    def _named_in(self, answer: str) -> tuple[str, ...]:
        bare = self._existing(self._bare(answer))
        if bare:
            return bare
        return (
            self._existing(self._whole(answer))
            or self._existing(self._stated(answer))
            or self._existing(self._weakly_named(answer))
        )

    def _without_list(self, answer: str) -> str:
        """Return the answer without lines in a row that begin with each letter in its order."""
        letters = "".join(sorted(self._letters))
        lines = [line for line in answer.split("\n") if line.strip()]
        starts = "".join(match[1] if (match := LISTED.match(line)) else " " for line in lines)
        if len(letters) < 2 or letters not in starts:
            return answer
        kept = starts.replace(letters, "-" * len(letters))
        return "\n".join(line for line, start in zip(lines, kept, strict=True) if start != "-")

    def _existing(self, letters: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(letter for letter in letters if letter in self._letters))

    def _whole(self, answer: str) -> list[str]:
        return self._by_text.get(_plain(answer), [])

    def _stated(self, answer: str) -> Iterator[str]:
        yield from self._at_start(answer)
        for phrase in self._grammar.phrase.finditer(answer):
            if not self._negated(answer, phrase.start()):
                yield from self._line(answer, phrase.end()) or self._letters_at(
                    answer, _skip(self._grammar.noun_again, answer, phrase.end())
                )
        for verdict in self._grammar.verdict.finditer(answer):
            if not self._negated(answer, verdict.start()):
                yield verdict[1]
                if joined := self._grammar.hint and JOINED_BEFORE.search(
                    answer[max(0, verdict.start() - 12) : verdict.start()]
                ):
                    yield joined[1]
        yield from self._bare(answer.rpartition("\n")[2].strip())

    def _weakly_named(self, answer: str) -> Iterator[str]:
        """Yield the letters that nothing but their place sets off, with those that replace them."""
        letters = [*self._hinted(answer)]
        letters += [match[1] or match[2] for match in SET_OFF.finditer(answer)]
        yield from letters
        if letters and self._grammar.hint:
            yield from (match[1] for match in RETRACTION.finditer(answer))

    def _hinted(self, answer: str) -> Iterator[str]:
        """Yield the letters with which a clause ends after "so", "it is" and the like."""
        for hint in self._grammar.hint.finditer(answer) if self._grammar.hint else ():
            match = LETTER.match(answer, hint.end())
            ends = match and match[1] and ENDS_CLAUSE.match(answer, match.end())
            if ends and not self._negated(answer, hint.start()):
                yield from self._letters_at(answer, hint.end())

    def _negated(self, answer: str, position: int) -> bool:
        """Tell whether a "not" stands before the position, in its sentence."""
        if self._grammar.hint is None:
            return False
        clause = CLAUSE.split(answer[max(0, position - SLACK) : position])[-1]
        return NEGATION.search(clause) is not None

    def _bare(self, text: str) -> tuple[str, ...]:
        match = self._grammar.bare.fullmatch(text)
        return (match[1].upper(),) if match else ()

    def _at_start(self, answer: str) -> Iterator[str]:
        """Yield the letters with which the answer begins, if they are marked as such."""
        start = _skip(self._grammar.start, answer, 0)
        letter, gap = answer[start : start + 1], _skip(GAP, answer, start + 1)
        if gap > start + 1 and letter in self._line(answer, gap):
            yield letter  # followed by its text, a mark between them or not: "A the dog"
            return
        match = LETTER.match(answer, start)
        if match is None:
            return
        marked = match[2] or match[3] or MARK.match(answer, match.end())
        if marked or self._grammar.another.match(answer, match.end()):
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
            another = self._grammar.another.match(answer, end)
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


def _cleaned(answer: str) -> str:
    """Return the answer without tags, commands of LaTeX, bullets and pictures."""
    for pattern, replacement in MARK_UP:
        answer = pattern.sub(replacement, answer)
    return answer


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _plain(text: str) -> str:
    """Return the text without what may differ: case, spaces, wrapping marks, final full stops."""
    return " ".join(text.split()).strip(WRAPPING).rstrip(WRAPPING + ".").casefold()
