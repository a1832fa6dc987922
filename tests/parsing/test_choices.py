import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.parsing.choices import CHOICE_PARSERS, choice_parser

OPTIONS = ("the blue car", "the red car", "a man", "a dog")
CAPTIONS = ("Caption A: He runs.", "Caption B: He runs. Then: he stops", "Caption C: He sits")
FENCE = "```json\n{}\n```"
# parser, text, the parsed letters ("" for none)
PARSED = [
    ("video-mme", "Because of the red car", "B"),
    ("video-mme", "b", ""),
    ("video-mme", "Answer: C", "C"),
    ("video-mme", "Best answer: D", "B"),
    ("vlmevalkit-video-mme", "The correct answer is D", "D"),
    ("lvbench", "The answer is B", "T"),
    ("lvbench", "It is ( B) not (A)", "B"),
    ("lvbench", "a", "a"),
    ("lvbench", " )", ""),
    ("mlvu", "B", "B"),
    ("mlvu", "B.", ""),
    ("mlvu", "Best Option: (B)", "B"),
    ("mlvu", ") B", ""),
    ("mvbench", "", "ABCD"),
    ("mvbench", "( C", "ABCD"),
    ("mvbench", ".", "ABCD"),
    ("mvbench", "B. the red car", "B"),
    ("mvbench", "(b),(c) both", "BC"),
    ("mvbench", "the red car", ""),
    ("time-r1", "(A) no, (F)", "F"),
    ("time-r1", "B", ""),
    ("video-r1", "<think>A or C</think><answer> B\n</answer><answer>C</answer>", "B"),
    ("video-r1", "<answer>B.</answer>", ""),
    ("video-r1", "<answer></answer>", ""),
    ("video-r1", " D ", "D"),
    ("video-r1", "<answer>D", ""),
    ("cg-bench", FENCE.format('{"result": "A"}'), "A"),
    ("cg-bench", FENCE.format('{"result": A}'), "A"),
    ("cg-bench", FENCE.format('{"answer": "A"}') + " or C", "AC"),
    ("cg-bench", FENCE.format('{"result": 5} A'), "A"),
    ("cg-bench", FENCE.format('{"result": [1]}') + " A", "?"),
    ("cg-bench", "A or B", "AB"),
    ("cg-bench", "AB", ""),
    ("tempcompass-choice", "C) a man</s>", "C"),
    ("tempcompass-choice", "C. a man", "C"),
    ("tempcompass-choice", "D", "D"),
    ("tempcompass-choice", "(C) a man", ""),
    ("tempcompass-choice", "C a man", ""),
    ("lmms-mcq", "A or B", "A"),
    ("lmms-mcq", "I choose option B because A does not appear", "A"),
    ("lmms-mcq", "Dog (B)", "B"),
    ("lmms-mcq", "(F)", ""),
    ("lmms-mcq-8", "(F)", "F"),
    ("lmms-mcq-8", "The answer is B. No, C.", "C"),
    ("lmms-mcq-8", "...", ""),
    ("lmms-mvbench", "a.  the dog", "A"),
    ("lmms-mvbench", "C.\nthe (D)", "C"),
    ("lmms-mvbench", "answer_B", "B"),
    ("lmms-mvbench", "x", "X"),
    ("lmms-mvbench", "the red car", ""),
    ("lmms-timescope", "Find it", "F"),
    ("longvideobench", "F or E", "E"),
    ("longvideobench", "", ""),
]
HOSTILE = [
    "A" * 10**5,
    "B. " + " " * 10**5 + "x\ny",
    "(" * 10**5,
    ")" * 10**5,
    ": a" * 33_000,
    "```json" * 14_000,
    "```json" + "[" * 10**5 + "```",
    "answer is " * 10_000,
    "," * 10**5,
    "A, " * 33_000,
    "\u0130" * 10**5,
]


@pytest.mark.parametrize(("parser", "text", "letters"), PARSED)
def test_letters_are_those_of_the_scripts(parser, text, letters):
    answer = CHOICE_PARSERS[parser](text, OPTIONS)
    assert "".join(answer.letters) == letters
    assert answer.failure is (None if letters else Failure.UNPARSED)


@pytest.mark.parametrize(
    ("text", "letter"),
    [("Yes.", "A"), ("no", "B"), ("Nothing moves", "B"), (" yes", ""), ("It does", "")],
)
def test_yes_or_no_at_the_start_of_a_text_is_the_choice(text, letter):
    assert CHOICE_PARSERS["tempcompass-yes-no"](text, ("yes", "no")).letters == tuple(letter)


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Caption A: He runs.", "A"),
        ("Caption B.", "B"),
        ("He runs.", "A"),
        ("C) He sits", "C"),
        ("He runs. Then", "B"),
        ("Caption B: He runs. Then: he stops", "B"),
        ("caption a", ""),
        ("The answer is Caption A", ""),
    ],
)
def test_a_caption_is_named_by_its_line_label_or_sentence(text, letters):
    assert CHOICE_PARSERS["tempcompass-caption"](text, CAPTIONS).letters == tuple(letters)


@pytest.mark.parametrize("parser", CHOICE_PARSERS.values(), ids=CHOICE_PARSERS)
@given(
    st.text(alphabet=st.sampled_from('ABFabf ().:{}"`json[]\n,</s>eyno'), max_size=40)
    | st.text(max_size=60),
    st.lists(st.text(alphabet="ab: .", max_size=6), max_size=6),
)
def test_every_parser_returns_letters_or_a_failure_for_any_text(parser, text, options):
    answer = parser(text, tuple(options))
    assert bool(answer.letters) != (answer.failure is not None)


@pytest.mark.parametrize("parser", CHOICE_PARSERS.values(), ids=CHOICE_PARSERS)
def test_long_texts_are_parsed_in_linear_time(parser):
    for text in HOSTILE:
        start = time.process_time()
        parser(text, OPTIONS)
        assert time.process_time() - start < 5, text[:10]  # a quadratic rule takes far longer


def test_an_unknown_parser_is_an_error_that_names_the_nearest():
    assert choice_parser("mlvu") is CHOICE_PARSERS["mlvu"]
    with pytest.raises(UserError, match="mvbench"):
        choice_parser("mv-bench")
