"""Which option an answer names, exactly as the benchmarks' own scripts and VLMEvalKit's read it.

Quirks are kept: a first word "(" is right in MVBench, "Because" is B in Video-MME. What a script
cannot read is unparsed; the protocol decides whether that counts as wrong or not at all.
"""

from __future__ import annotations

import json
import re

from vtg_eval.parsing.choice_rules import UNPARSED, Choice, first_letter, lettered, named
from vtg_eval.parsing.clue_intervals import fenced_json

NO_LETTER = "?"  # an answer that cannot be any option's letter
BARE_WORD = re.compile(r"(?<=:\s)([A-Za-z_]\w*+)")
A_TO_H = re.compile(r"\b[A-H]\b")
BRACKETED = re.compile(r"\(([A-Z])\)")

# In both lists two phrases are joined because a comma is missing, as in the scripts.
VLMEVALKIT_PHRASES = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option isThe correct option is",
    "Best answer:Best option:",
    "Answer:",
    "Option:",
)
# thanku-all/parse_answer at afd52cfe, eval_your_results.py: extract_characters_regex
video_mme = first_letter("ABCD", (*VLMEVALKIT_PHRASES, "The correct answer", "The correct option"))
# open-compass/VLMEvalKit at e8e78f05, vlmeval/dataset/utils/videomme.py; no judge after it
vlmevalkit_video_mme = first_letter("ABCD", VLMEVALKIT_PHRASES)


def lvbench(text: str, options: tuple[str, ...]) -> Choice:
    """Take the first character of the first word, within the first brackets if there are any.

    THUDM/LVBench at f998d955, lvbench/utils/answer_util.py: "The answer is B" is T.
    """
    text = text.strip().split(")", 1)[0].strip()
    if "(" in text:
        text = text.split("(", 2)[1].strip()
    return named(text.split(" ", 1)[0][:1])


def mlvu(text: str, options: tuple[str, ...]) -> Choice:
    """Take the character before the first ")"; without one, all of the text must be the letter.

    JUNJIE99/MLVU at fd060c10, multiple_choice_evaluation/choice_bench.py: "B." names nothing.
    """
    bracket = text.find(")")
    if bracket >= 0:
        text = text[max(0, bracket - 1) : bracket]
    return named(text if len(text) == 1 else "")


def mvbench(text: str, options: tuple[str, ...]) -> Choice:
    """Compare the reply's first word, dots left out, with "(a)", "(b)", …: one within the other.

    OpenGVLab/Ask-Anything at 4dd8210b, video_chat2/mvbench.ipynb: check_ans. So the replies "",
    "(" and "." are right whatever the answer is. The notebook puts "(" before the model's words,
    as the prompt ended with it, and cuts them at the first line break; this rule does not.
    """
    word = text.lower().split(" ", 1)[0]
    bare = word.replace(".", "")
    labels = ((letter, f"({letter.lower()})") for letter, _ in lettered(options))
    return named([letter for letter, label in labels if bare in label or label in word])


def time_r1(text: str, options: tuple[str, ...]) -> Choice:
    """Take the last capital letter in round brackets.

    xiaomi-research/time-r1 at 7f2b5944, evaluate.py: extract_answer for "mcq".
    """
    return named(BRACKETED.findall(text)[-1:])


def video_r1(text: str, options: tuple[str, ...]) -> Choice:
    """Take the first <answer>, without one the whole text, if it is one character.

    tulerfeng/Video-R1, src/eval_bench.py: extract_answer, reward_fn.
    """
    _, _, rest = text.partition("<answer>")
    tagged, closed, _ = rest.partition("</answer>")
    answer = (tagged if closed else "").strip() or text.strip()
    return named(answer if len(answer) == 1 else "")


def cg_bench(text: str, options: tuple[str, ...]) -> Choice:
    """Read the fenced {"result": "B"} (B may lack its quotes); else all free-standing A to H.

    A result that is not a string, or not a letter, is a wrong answer; free-standing letters
    count only where there is no result. "A or B" names both, and is right for both.
    CG-Bench/CG-Bench at f8266087, run/utils.py, and VLMEvalKit at e8e78f05,
    vlmeval/dataset/utils/cgbench.py: post_process for long_acc and clue_acc, the same in both.
    """
    content = BARE_WORD.sub(r'"\1"', fenced_json(text))
    try:
        result = json.loads(content)["result"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return named(A_TO_H.findall(text))
    return Choice((result if isinstance(result, str) else NO_LETTER,))


# llyx97/TempCompass at e1b46316: the rules of each script as with --disable_llm
def tempcompass_choice(text: str, options: tuple[str, ...]) -> Choice:
    """Read a capital A to D that is the whole answer or stands at its start before "." or ")".

    eval_multi-choice.py. (An answer that is the right option's line begins with its letter.)
    """
    text = text.replace("</s>", "")
    if text[:1] in ("A", "B", "C", "D") and (len(text) == 1 or text[1] in ".)"):
        return Choice((text[0],))
    return UNPARSED


def tempcompass_yes_no(text: str, options: tuple[str, ...]) -> Choice:
    """Read an answer that begins with yes or no, in any case, as the option of that text.

    eval_yes_no.py: "Nothing moves" is no.
    """
    text = text.replace("</s>", "").lower()
    answer = next((option for option in ("yes", "no") if text.startswith(option)), None)
    return named([letter for letter, option in lettered(options) if option.lower() == answer])


def tempcompass_caption(text: str, options: tuple[str, ...]) -> Choice:
    """Match the answer with the options' lines, their labels ("Caption A") and their sentences.

    The options are the whole lines of the question: "Caption A: The man runs." All must match
    exactly, but a label may have full stops, and a sentence may follow "A) ". An answer that fits
    in several ways is taken as a label first, then as a sentence. eval_caption_matching.py.
    """
    text = text.replace("</s>", "")
    caption = _caption_part(text, options)
    if caption is None:
        return UNPARSED
    return Choice(
        tuple(
            letter
            for letter, line in lettered(options)
            if caption in (line, line.split(":")[0], _sentence(line))
        )
    )


def _caption_part(text: str, options: tuple[str, ...]) -> str | None:
    after_bracket = text.split(") ", 2)[1] if ") " in text else text
    for label in (line.split(": ")[0] for line in reversed(options)):
        if label in (text, text.replace(".", "")):
            return label
    for sentence in map(_sentence, reversed(options)):
        if sentence is not None and sentence in (text, after_bracket):
            return sentence
    return text if text in options else None


def _sentence(line: str) -> str | None:
    parts = line.split(": ", 2)
    return parts[1] if len(parts) > 1 else None
