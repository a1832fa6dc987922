import json
from itertools import pairwise

import pytest
from vtg_eval.tasks.cgbench import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.errors import DataError, UserError
from vtg_eval.question import question
from vtg_eval.registry import Registry
from vtg_eval.types import Cue, OutputType, Span

RECORD = {
    "qid": 14,
    "video_uid": "abc",
    "question": "Which colour?",
    "answer": "White",
    "choices": ["Grey", "Blue", "White"],
    "right_answer": "C",
    "clue_intervals": [[20, 31], [8, 11], [30, 35]],
    "domain": "Art & Culture",
    "sub_category": "Entity Perception",
    "duration": 600,
}


def write(root, *records):
    (root / "cgbench_mini.json").write_text(json.dumps(records))
    return TASK.samples(root, "mini")


def test_a_record_becomes_three_samples(tmp_path):
    whole, clues, spans = write(tmp_path, RECORD)
    assert [s.id for s in (whole, clues, spans)] == ["14/long_acc", "14/clue_acc", "14/miou"]
    assert [s.group("kind") for s in (whole, clues, spans)] == ["long_acc", "clue_acc", "miou"]
    assert [s.asks for s in (whole, clues, spans)] == [
        OutputType.CHOICE,
        OutputType.CHOICE,
        OutputType.SPANS,
    ]
    assert (whole.target.choice, clues.target.choice) == ("C", "C")
    assert spans.target.spans == (Span(20, 31), Span(8, 11), Span(30, 35)), "not sorted, not joined"
    assert {s.options for s in (whole, clues, spans)} == {("Grey", "Blue", "White")}


def test_clue_acc_shows_the_clues_only_and_has_their_duration(tmp_path):
    whole, clues, spans = write(tmp_path, RECORD)
    assert clues.clips == spans.target.spans
    assert (clues.duration, whole.duration, spans.duration) == (19.0, 600.0, 600.0)
    assert whole.clips == spans.clips == ()


@pytest.mark.parametrize(
    ("seconds", "group"),
    [
        (599, "0 ~ 10"),
        (600, "0 ~ 10"),
        (601, "10 ~ 20"),
        (1200, "10 ~ 20"),
        (3600, "50 ~ 60"),
        (3601, "60+"),
    ],
)
def test_groups_by_duration_include_their_upper_bound(tmp_path, seconds, group):
    samples = write(tmp_path, {**RECORD, "duration": seconds})
    assert {s.group("duration") for s in samples} == {group}
    assert samples[0].group("domain") == "Art & Culture"
    assert samples[0].group("sub_category") == "Entity Perception"


@pytest.mark.parametrize(
    "change",
    [
        {"right_answer": "D"},
        {"right_answer": ""},
        {"choices": "A"},
        {"clue_intervals": [[1]]},
        {"duration": None},
        {"domain": None},
    ],
)
def test_a_broken_record_is_named(tmp_path, change):
    key = next(iter(change))
    with pytest.raises(DataError, match=rf'cgbench_mini\.json, item 1: "{key}"'):
        write(tmp_path, RECORD, {**RECORD, **change})


def test_the_error_for_a_missing_file_names_its_source(tmp_path):
    with pytest.raises(UserError, match="CG-Bench"):
        TASK.samples(tmp_path, "full")


def test_subtitles_of_clips_are_in_the_shown_video_s_time(tmp_path):
    whole, clues, _ = write(tmp_path, RECORD)
    assert TASK.subtitles(tmp_path, whole) == ()
    (tmp_path / "cg_subtitles").mkdir()
    (tmp_path / "cg_subtitles/abc.srt").write_text(
        "1\n00:00:09,000 --> 00:00:10,000\nhello\n\n"
        "2\n00:00:30,500 --> 00:00:40,000\nbye\n\n"
        "3\n00:01:00,000 --> 00:01:10,000\nnever shown\n"
    )
    assert len(TASK.subtitles(tmp_path, whole)) == 3
    assert TASK.subtitles(tmp_path, clues) == (
        Cue(10.5, 11.0, "bye"),
        Cue(12.0, 13.0, "hello"),
        Cue(14.5, 19.0, "bye"),
    )


def test_the_prompts_have_the_options_also_where_intervals_are_asked_for(tmp_path):
    _, _, spans = write(tmp_path, RECORD)
    rule = Registry.discover().protocol("cg-bench@1").without_task.prompt
    text = question(spans, rule, [0.5, 1.5])
    assert text.endswith(
        "timestamps are:\n\n0.5, 1.5\n\nQuestion: Which colour?\n\nA:Grey\nB:Blue\nC:White\n\n"
    )


def test_a_videos_path_is_its_name_in_the_videos_folder(tmp_path):
    assert TASK.video_path(tmp_path, "abc") == tmp_path / "videos/abc.mp4"


@needs_benchmarks
def test_the_gotchas_of_the_card_are_true():
    samples = TASK.samples(BENCHMARKS, "mini")
    clues = [sorted(s.target.spans) for s in samples if s.asks is OutputType.SPANS]
    assert len(clues) == 3000
    assert {len(s.options) for s in samples} == {5, 6, 7, 8}
    assert (sum(len(spans) > 1 for spans in clues), max(map(len, clues))) == (421, 19)
    assert sum(len(spans) > 5 for spans in clues) == 17
    touching = [any(b.start <= a.end for a, b in pairwise(s)) for s in clues]
    assert sum(touching) == 35
