"""The tokens that no text of a dataset may become, and their escaping in such text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from vtg_eval.errors import UserError
from vtg_eval.files.json_files import checkpoint_table

# Tried in this order. The first is used for all tokenizers whose tokens have no space.
SEPARATORS = " ~^·" + "".join(map(chr, range(0x2500, 0x2600)))
# White space that is a control character: some normalizers make a space of it, others drop it.
CONTROL_SPACES = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"
WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"  # a space, as SentencePiece writes it


class EscapedText(NamedTuple):
    """Text without tokens, and how many were escaped in it."""

    text: str
    escaped: int


class SpecialTokens:
    """A set of tokens to escape in text.

    **One pass.** `escape` puts `separator` behind the first character of every occurrence of a
    token, overlapping ones included. The separator is in no token, so an occurrence in the new text
    would have to lie between two separators. It would then be an occurrence in the old text too;
    but each of these has a separator within it. So none is left, and a second call changes nothing.

    **Normalizing tokenizers.** Text and tokens are compared in a folded form, made character by
    character: compatibility decomposition (NFKD), lower case, any white space as a space, and
    without marks and the characters of category C (control, format, surrogates, unassigned). White
    space that is a control character is folded in both ways. The argument holds for each folded
    text. A normalizer that leaves the folded form as it is (NFC, NFD, NFKC, NFKD, lower-casing,
    stripping of accents) therefore makes no token either. Flags of tokens (`lstrip`, `rstrip`,
    `single_word`, `normalized`) say where a token is matched, never that other text is.

    A token whose folded form has fewer than two characters is compared as it is, and replaced by
    the separator. `longest`: characters of the longest token. Raises UserError where every
    candidate for the separator is in a token.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._folds = _Folds(" "), _Folds("")
        tokens = {token for token in tokens if token}
        folded = [(token, folds.text(token)) for token in tokens for folds in self._folds]
        short = {token for token, form in folded if len(form) < 2}
        forms = {form for _, form in folded if len(form) >= 2}
        used = {*"".join(tokens), *"".join(form for _, form in folded)}
        free = (mark for mark in SEPARATORS if used.isdisjoint((mark, self._folds[0][mark])))
        self.separator = next(free, "")
        if not self.separator:
            raise UserError(
                "The tokenizer's tokens use every character that could separate them. "
                "Fetch the checkpoint again."
            )
        self.longest = max(map(len, tokens), default=0)
        self._short = _any_of(short)
        self._forms = _any_of(forms)

    def escape(self, text: str) -> EscapedText:
        """Return the text with all tokens broken up, so that it is read as plain text."""
        text, replaced = self._short.subn(self.separator, text)
        after: dict[int, str] = {}
        escaped = 0
        for first, second in self._occurrences(text):
            if first == second:  # one character, such as a ligature of the token's letters
                after[first] = ""
            after.setdefault(first, text[first])
            escaped += 1
        if after:
            text = "".join(
                after[i] + self.separator if i in after else character
                for i, character in enumerate(text)
            )
        return EscapedText(text, replaced + escaped)

    def count(self, text: str) -> int:
        """Return the number of occurrences of tokens, overlapping ones included."""
        short = sum(1 for _ in self._short.finditer(text))
        return short + sum(1 for _ in self._occurrences(text))

    def _occurrences(self, text: str) -> Iterable[tuple[int, int]]:
        """Return the first and last character of the shortest token at each place where one is."""
        as_space, dropped = self._folds
        occurrences = self._occurrences_under(as_space, text)
        if not any(character in text for character in CONTROL_SPACES):
            return occurrences  # the other folded text is the same
        return sorted({*occurrences, *self._occurrences_under(dropped, text)})

    def _occurrences_under(self, folds: _Folds, text: str) -> Iterator[tuple[int, int]]:
        parts = [folds[character] for character in text]
        folded = "".join(parts)
        match = self._forms.search(folded)
        if match is None:
            return
        origin = [index for index, part in enumerate(parts) for _ in part]
        while match is not None:
            yield origin[match.start()], origin[match.end() - 1]
            match = self._forms.search(folded, match.start() + 1)


def load_special_tokens(folder: Path, tokens: Iterable[str]) -> SpecialTokens:
    """Return a checkpoint's tokens that text may not become, and `tokens`.

    These are its special tokens and those added tokens that contain more than letters, digits and
    white space: others are words of the vocabulary, such as " door". Raises UserError for a file
    that cannot be read.
    """
    special, added = set(tokens), set[str]()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        path = folder / name
        try:
            for token, is_special in _listed(checkpoint_table(path)):
                (special if is_special else added).add(token)
        except (TypeError, KeyError, AttributeError) as exc:
            raise UserError(
                f"{path} lists its tokens in an unknown form. Fetch the checkpoint again."
            ) from exc
    added |= checkpoint_table(folder / "added_tokens.json").keys()
    return SpecialTokens(special | {token for token in added if not _is_word(token)})


def _listed(table: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield each token of a tokenizer's file, and whether it is special."""
    listed, mapped = table.get("added_tokens", []), table.get("added_tokens_decoder", {})
    for token in (*listed, *mapped.values()):
        yield _content(token), bool(token.get("special"))
    for key, value in table.items():
        if not key.endswith(("_token", "_special_tokens")):
            continue
        if isinstance(value, dict) and "content" not in value:  # by name
            value = list(value.values())
        for token in value if isinstance(value, list) else [value]:
            if isinstance(token, dict):
                yield _content(token), True
            elif isinstance(token, str):  # other values are switches, such as "add_bos_token"
                yield token, True


def _content(token: dict[str, Any]) -> str:
    content = token["content"]
    if not isinstance(content, str):
        raise TypeError(f"{content!r} is no text")
    return content


def _is_word(token: str) -> bool:
    return len(token) < 2 or all(
        character.isalnum() or character.isspace() or character == WORD_START for character in token
    )


class _Folds(dict[str, str]):
    """The folded form of each character, made on first use. control_space: of CONTROL_SPACES."""

    def __init__(self, control_space: str) -> None:
        super().__init__(dict.fromkeys(CONTROL_SPACES, control_space))

    def text(self, text: str) -> str:
        """Return the folded form of a text."""
        return "".join(self[character] for character in text)

    def __missing__(self, character: str) -> str:
        lower = unicodedata.normalize("NFKD", character).casefold()
        self[character] = folded = "".join(map(_folded, unicodedata.normalize("NFKD", lower)))
        return folded


def _folded(character: str) -> str:
    if character.isspace() or character == WORD_START:
        return " "
    return "" if unicodedata.category(character)[0] in "MC" else character


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of any of the texts, the shortest first; of nothing where there is none."""
    shortest_first = sorted(texts, key=lambda text: (len(text), text))
    return re.compile("|".join(map(re.escape, shortest_first)) or r"(?!)")
