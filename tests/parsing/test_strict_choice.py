import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtg_eval.failures import Failure
from vtg_eval.parsing.strict_choice import strict, strict_1

OPTIONS = ("the blue car", "the red car", "A man runs", "Yes")
NAMES_B = [
    "B",
    "b",
    " (B) ",
    "**B**",
    "B.",
    "B)",
    "B ,",
    "Option B",
    "Option: B",
    "Answer: B",
    "**Answer:** B",
    "Best Option: (B)",
    "The answer is 'B'",
    "The answer is **B**.",
    "The correct option is (B) because it is red.",
    "The answer is option (B).",
    "As seen in the video, the correct option is B",
    "I choose option B because A does not appear",
    "B is the correct answer, not A",
    "Option A is wrong. Option B is right.",
    "答案是B",
    "Final answer: $\\boxed{B}$",
    '```json\n{"result": "B"}\n```',
    '{"answer": "B"}',
    "B) the red car",
    "B. The red car.",
    "B the red car",
    "B\n\nExplanation: A is not shown.",
    "(B) The red car\nBecause (A) is wrong",
    "The man is there.\n\n**B**",
    "Dog (B)",
    "I think that it is **B**.",
    "The red  car",
    "the red car.",
    '"The red car."',
    "The answer is the red car.",
    "<answer>B</answer>",
    "<think>A or C</think>\nB",
    "The answer is A. <answer>B</answer>",
    "Ｂ",
]
AMBIGUOUS = [
    "A or B",
    "A, B",
    "A/B",
    "(A) and (B)",
    "B. A. C.",
    "The answer is A or B.",
    "The answer is B, or the answer is C",
    "B. the blue car",
    "The answer is B: the blue car",
    "It is (A). No, (B).",
    "A\nB",
]
UNPARSED = [
    "",
    "   ",
    "2",
    "CAR",
    "a dog",
    "A dog",
    "The answer is a dog",
    "The answer is A dog",
    "Because of the red car",
    "B-roll is shown",
    "None of the above",
    "(F)",
    "Answer: E",
    "Therefore, the answer is C? No, B.",
    "The answer is not A",
    "Yes, he does",
]
HOSTILE = [
    "A" * 10**5,
    "A " * 50_000,
    "A, " * 33_000,
    "answer is B " * 8_000,
    "option: B, " * 9_000,
    "answer" + " " * 10**5,
    "(" * 10**5,
    "*" * 10**5,
    "answer:" + "*" * 10**5 + "?",
    "answer:*" * 12_000,
    "(A" * 50_000,
    "B is " * 20_000,
    "the " * 25_000,
    "the red car " * 8_000,
    "B\n" * 50_000,
    "\ufdfa" * 10**5,
]


both_versions = pytest.mark.parametrize("strict", [strict, strict_1], ids=["2", "1"])


@both_versions
@pytest.mark.parametrize("text", NAMES_B)
def test_one_named_option_is_the_choice(strict, text):
    answer = strict(text, OPTIONS)
    assert (answer.letters, answer.failure) == (("B",), None)


@both_versions
@pytest.mark.parametrize("text", AMBIGUOUS)
def test_two_named_options_are_ambiguous(strict, text):
    answer = strict(text, OPTIONS)
    assert (answer.letters, answer.failure) == ((), Failure.AMBIGUOUS)


@both_versions
@pytest.mark.parametrize("text", UNPARSED)
def test_a_text_that_names_no_option_is_unparsed(strict, text):
    answer = strict(text, OPTIONS)
    assert (answer.letters, answer.failure) == ((), Failure.UNPARSED)


@pytest.mark.parametrize("text", ["A man runs", "The answer is A man runs", "C. A man runs."])
def test_an_option_that_begins_with_an_article_is_not_the_letter(text):
    assert strict(text, OPTIONS).letters == ("C",)


def test_a_letter_with_its_option_counts_also_where_the_letter_is_an_article():
    assert strict("A the blue car", OPTIONS).letters == ("A",)


def test_refusals_and_truncated_thoughts_are_failures():
    assert strict("I cannot tell.", OPTIONS).failure is Failure.REFUSED
    assert strict("<think>B", OPTIONS).failure is Failure.TRUNCATED


def test_a_choice_after_an_apology_counts():
    assert strict("Sorry, the video is blurred. Answer: B", OPTIONS).letters == ("B",)


def test_text_that_two_options_share_is_ambiguous_and_empty_options_name_nothing():
    assert strict("a dog", ("a dog", "a cat", "A dog.")).failure is Failure.AMBIGUOUS
    assert strict("", ("", "", "")).failure is Failure.UNPARSED


def test_letters_beyond_the_options_are_ignored():
    assert strict("I, for one, say: the answer is B", OPTIONS).letters == ("B",)
    assert strict("E", (*OPTIONS, "a dog")).letters == ("E",)


@given(
    st.text(alphabet=st.sampled_from("ABCEabc ()*.,:\n'isoranweptu?/B答案是"), max_size=60)
    | st.text(max_size=100),
    st.lists(st.text(max_size=8), max_size=30),
    st.text(alphabet=" \n\t", max_size=3),
)
def test_any_text_gives_a_letter_of_the_options_or_a_failure(text, options, space):
    answer = strict(text, tuple(options))
    assert bool(answer.letters) != (answer.failure is not None)
    assert len(answer.letters) <= 1
    assert all(ord(letter) - ord("A") in range(len(options)) for letter in answer.letters)
    assert strict(space + text + space, tuple(options)) == answer


@given(st.integers(0, 3), st.sampled_from(["{}", "({})", "**{}**", "Answer: {}", "{}. {text}"]))
def test_a_choice_in_any_usual_form_is_parsed(index, form):
    letter = "ABCD"[index]
    assert strict(form.format(letter, text=OPTIONS[index]), OPTIONS).letters == (letter,)


@both_versions
def test_long_texts_are_parsed_in_linear_time(strict):
    for text in HOSTILE:
        start = time.process_time()
        strict(text, OPTIONS)
        assert time.process_time() - start < 5, text[:10]  # a quadratic rule takes far longer


def test_a_list_of_all_options_again_and_again_is_passed_over():
    options = ("a", "b", "c", "d")
    listed = "A. no\nB. yes\nC. no\nD. no\n" * 3000
    assert strict(listed + "B", options).letters == ("B",)
    assert strict(listed, options).failure is Failure.AMBIGUOUS
