"""Escaping of tokens in text, against real tokenizers with tokens of every form."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tokenizers", reason="needs the extra hf")

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from vtg_eval.errors import UserError
from vtg_eval.model_input.special_tokens import SpecialTokens, load_special_tokens

# Nested, overlapping, with spaces at either end and within, of white space alone.
TOKENS = (
    *("<|im_start|>", "<|im_end|>", "<|im_", "end|>", "|>", "||", "<<|", "aba", "abab"),
    *(" seconds>", "<t> ", "  ", "\n\n", " and so ", "[MASK]"),
)
# Compared as they are: a normalizer may make them of other text.
SHORT = ("☃", "e\u0301", "\u200b\u200b")
NORMALIZERS = {
    "none": normalizers.Sequence([]),
    "NFC": normalizers.NFC(),
    "NFD": normalizers.NFD(),
    "NFKC": normalizers.NFKC(),
    "NFKD": normalizers.NFKD(),
    "lower": normalizers.Lowercase(),
    "BERT": normalizers.BertNormalizer(handle_chinese_chars=False),
    "no accents": normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
}
FLAGS = ("lstrip", "rstrip", "single_word", "normalized")
# Full-width and upper-case forms, ligatures, joiners, combining marks.
DISGUISES = (
    *("＜|im_end|＞", "<|IM_END|>", "<|ｉｍ＿end|>", "<|im\u200d_end|>", "<|i\u0307m_end|>"),
    *(
        "⑴",
        "ﬁ",
        "\u3000seconds>",
        "\u00a0seconds>",
        "‖",
        "\u0301",
        "▁seconds>",
        "\ud800",
        "<|ım_end|>",
    ),
    *("|\x1f|", "<|im_\x85end|>", "\x0c\x0c", "\x0band\x0bso\x0b"),
)
hostile = st.lists(
    st.sampled_from(TOKENS + SHORT + DISGUISES)
    | st.sampled_from(TOKENS).flatmap(
        lambda token: st.integers(0, len(token)).flatmap(
            lambda cut: st.sampled_from((token[:cut], token[cut:]))
        )
    )
    | st.text(max_size=3),
    max_size=10,
).map("".join)


def tokenizer(normalizer: str, flag: str) -> Tokenizer:
    """Return a tokenizer of bytes with the tokens added."""
    alphabet = {symbol: i for i, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.normalizer = NORMALIZERS[normalizer]
    flags = {"normalized": False, **({flag: True} if flag else {})}
    # the last are compared as they are, so normalizing makes them of other text
    tokens = [
        t for t in TOKENS if flag != "normalized" or t not in ("☃", "e\u0301", "\u200b\u200b")
    ]
    made.add_tokens([AddedToken(token, **flags) for token in tokens])
    return made


def encodable(text: str) -> str:
    """Return the text without lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "ignore").decode("utf-8")


@pytest.mark.parametrize("flag", ["", *FLAGS])
@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_no_tokenizer_finds_a_token_in_escaped_text(normalizer: str, flag: str) -> None:
    made, special = tokenizer(normalizer, flag), SpecialTokens(TOKENS + SHORT)
    added = set(made.get_added_tokens_decoder())

    @settings(max_examples=25)
    @given(hostile)
    def check(text: str) -> None:
        escaped = special.escape(text)
        assert not added & set(made.encode(encodable(escaped.text)).ids)
        assert special.count(escaped.text) == 0
        assert special.escape(escaped.text) == (escaped.text, 0)
        assert (escaped.text == text) == (escaped.escaped == 0)

    check()


@given(
    st.text(st.characters(blacklist_characters="<>|[]☃aebn\ud800", blacklist_categories=["Z", "C"]))
)
def test_text_without_tokens_is_unchanged(text: str) -> None:
    folded = unicodedata.normalize("NFKD", text).lower()
    if not set(folded) & set("<>|[]aeb\u0301 "):
        assert SpecialTokens(TOKENS).escape(text) == (text, 0)


@given(hostile)
def test_every_token_in_the_text_is_counted(text: str) -> None:
    plain = SpecialTokens(["<|im_end|>", "<|im_start|>"])
    least = text.count("<|im_end|>") + text.count("<|im_start|>")
    assert plain.escape(text).escaped >= least


@pytest.mark.parametrize(
    ("tokens", "text", "escaped"),
    [
        (["<|im_end|>"], "a<|im_end|>b", "a< |im_end|>b"),
        ([" seconds>"], "<3.0 seconds> long", "<3.0 ~seconds> long"),
        (["aa"], "aaaa", "a a a a"),
        (["ab", "abab"], "ababab", "a ba ba b"),
        (["☃"], "1☃2", "1 2"),
        (["fi>"], "ﬁ>", "ﬁ >"),
        (["fi"], "ﬁ", " "),
        ([" ", "~", "x>"], "a x>", "a^x^>"),
        ([], "anything <at> all", "anything <at> all"),
    ],
)
def test_a_separator_stands_in_every_token(tokens: list[str], text: str, escaped: str) -> None:
    assert SpecialTokens(tokens).escape(text).text == escaped


def test_a_million_characters_take_a_second() -> None:
    text = "<|im_end|>" * 100_000
    assert SpecialTokens(TOKENS).escape(text).escaped >= 100_000


def test_a_tokenizer_that_leaves_no_separator_is_refused() -> None:
    with pytest.raises(UserError, match="could separate them"):
        SpecialTokens(map(chr, range(0x2700)))


def write(folder: Path, name: str, table: object) -> None:
    (folder / name).write_text(json.dumps(table))


def test_tokens_are_read_from_every_file(tmp_path: Path) -> None:
    write(tmp_path, "tokenizer.json", {"added_tokens": [{"content": "<a>"}, {"content": " door"}]})
    config = {
        "added_tokens_decoder": {"7": {"content": "two words", "special": True}},
        "bos_token": {"content": "<b>"},
        "pad_token": None,
        "extra_special_tokens": {"image_token": "<c>"},
        "additional_special_tokens": None,
    }
    write(tmp_path, "tokenizer_config.json", config)
    write(tmp_path, "special_tokens_map.json", {"additional_special_tokens": ["<d>"]})
    write(tmp_path, "added_tokens.json", {"<e>": 9, "skateboard": 10, "\n\n": 11, "x": 12})
    special = load_special_tokens(tmp_path, ["<f>"])
    for token in ("<a>", "<b>", "<c>", "<d>", "<e>", "<f>", "two words"):
        assert special.escape(token).escaped == 1, token
    for word in (" door", "skateboard", "\n\n", "x"):
        assert special.escape(f"a{word} b") == (f"a{word} b", 0)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("tokenizer.json", {"added_tokens": None}),
        ("tokenizer.json", {"added_tokens": [{"id": 5}]}),
        ("tokenizer_config.json", {"added_tokens_decoder": ["<a>"]}),
        ("special_tokens_map.json", {"eos_token": {"text": "<a>", "content": None, "x": [1]}}),
    ],
)
def test_a_list_of_tokens_in_an_unknown_form_is_refused(
    name: str, table: object, tmp_path: Path
) -> None:
    write(tmp_path, name, table)
    with pytest.raises(UserError, match=f"{name} lists its tokens in an unknown form"):
        load_special_tokens(tmp_path, ())
