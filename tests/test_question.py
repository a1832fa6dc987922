from __future__ import annotations

import pytest

from vtg_eval.protocol import PromptRule
from vtg_eval.question import question, written
from vtg_eval.registry import Registry
from vtg_eval.types import OutputType, Sample, Target


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("as-is", " A man  opens\nthe Door. "),
        ("sentence", "A man opens the Door"),
        ("lower-sentence", "a man opens the door"),
    ],
)
def test_the_query_is_written_by_the_rule(rule: str, expected: str) -> None:
    prompt = PromptRule(text="{query}", query=rule)  # type: ignore[arg-type]
    assert written(" A man  opens\nthe Door. ", prompt) == expected


def test_braces_in_a_query_are_plain_text() -> None:
    rule = PromptRule(text="When: {query} {else}")
    sample = Sample("a", "v", "{0} {options}", Target())
    assert question(sample, rule) == "When: {0} {options} {else}"


def test_options_and_subtitles_fill_the_templates_fields() -> None:
    rule = PromptRule(
        choice="{subtitles}|{query}\n{options}|{frame_times}", option="{letter}. {text}"
    )
    options = ("a {letter}", "b")
    sample = Sample(
        "a", "v", "Q", Target(), options=options, asks=OutputType.CHOICE, subtitles="words"
    )
    asked = question(sample, rule, (0.0, 1.25), clean=str.upper)
    assert asked == "WORDS|Q\nA. A {LETTER}\nB. B|0.0, 1.2"


def test_llava_video_tells_the_times_as_its_authors_do() -> None:
    rule = Registry.discover().protocol("llava-video@1").without_task.prompt
    sample = Sample("a", "v", "he sits", Target())
    asked = question(sample, rule, (0.0, 1.049, 12.5), duration=13.333)
    assert asked.startswith(
        "The video lasts for 13.33 seconds, and 3 frames are uniformly sampled from it. These "
        "frames are located at 0.00s,1.05s,12.50s.Please answer the following questions related "
        "to this video.\nPlease find the visual event"
    )
