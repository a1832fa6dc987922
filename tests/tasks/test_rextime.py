import json
from typing import Any

import pytest
from vtg_eval.tasks.rextime import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import touch
from vtg_eval.errors import DataError, UserError
from vtg_eval.types import OutputType, Span

TRUTH = [
    {
        "qid": "anet_val1",
        "query": "Why? ",
        "duration": 100.5,
        "vid": "v_a",
        "relevant_windows": [[5, 120]],
        "ans": "A",
    },
    {
        "qid": "qvh_val2",
        "query": "When?",
        "duration": 150,
        "vid": "b_0.0_150.0",
        "relevant_windows": [[1, 1]],
        "ans": "D",
    },
]
RELEASED: dict[str, Any] = {
    "qid": "anet_val1",
    "question": "Why?",
    "options": ["he runs", "he sits", "he eats", "he jumps"],
    "answer": "From <s0> to <e0>, he runs",
    "span": [5, 120],
    "ans": "A",
    "duration": 100.5,
    "vid": "v_a",
    "source": "ActivityNet_val_2",
    "category": "means_end",
}


def write(root, rows=TRUTH):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "rextime_val.jsonl").write_text(lines)


def test_the_truth_alone_makes_samples_without_options(tmp_path):
    write(tmp_path)
    first, second = TASK.samples(tmp_path, "val")
    assert (first.id, first.video, first.query) == ("anet_val1", "v_a", "Why?")
    assert (first.options, first.target.choice) == ((), "A")
    assert first.target.spans == (Span(5, 120),), "not clamped"
    assert second.target.spans == (Span(1, 1),)
    assert {s.asks for s in (first, second)} == {OutputType.BOTH}
    assert dict(second.groups) == {
        "source": "qvh",
        "moment length": "under 10 s",
        "video length": "60 to 180 s",
    }


def test_the_released_file_brings_the_options_and_the_same_truth(tmp_path):
    write(tmp_path)
    plain = TASK.samples(tmp_path, "val")[0]
    (tmp_path / "rextime_val.json").write_text(json.dumps([RELEASED]))
    (sample,) = TASK.samples(tmp_path, "val")
    assert sample.options == tuple(RELEASED["options"])
    assert dict(sample.groups)["category"] == "means_end"
    for name in ("id", "video", "query", "target", "duration", "asks"):
        assert getattr(sample, name) == getattr(plain, name)


@pytest.mark.parametrize(
    "change",
    [
        {"ans": "AB"},
        {"ans": ""},
        {"ans": "a"},
        {"ans": None},
        {"duration": "long"},
        {"relevant_windows": [[1, 2, 3]]},
        {"vid": ["x"]},
    ],
)
def test_a_broken_record_is_named(tmp_path, change):
    write(tmp_path, [TRUTH[0], {**TRUTH[1], **change}])
    with pytest.raises(DataError, match=rf'rextime_val\.jsonl, line 2: "{next(iter(change))}"'):
        TASK.samples(tmp_path, "val")


@pytest.mark.parametrize("change", [{"ans": "E"}, {"options": "A"}, {"span": [1]}])
def test_a_broken_released_record_is_named(tmp_path, change):
    (tmp_path / "rextime_val.json").write_text(json.dumps([{**RELEASED, **change}]))
    with pytest.raises(DataError, match=rf'rextime_val\.json, item 0: "{next(iter(change))}"'):
        TASK.samples(tmp_path, "val")


def test_a_missing_key_is_named(tmp_path):
    write(tmp_path, [{key: value for key, value in TRUTH[0].items() if key != "qid"}])
    with pytest.raises(DataError, match='line 1 has no "qid"'):
        TASK.samples(tmp_path, "val")


def test_the_error_for_a_missing_file_names_its_source(tmp_path):
    with pytest.raises(UserError, match="ReXTime/ReXTime"):
        TASK.samples(tmp_path, "val")


def test_videos_of_both_sources_have_a_path(tmp_path):
    assert TASK.video_path(tmp_path, "v_a") == tmp_path / "videos/v_a.mp4"
    path = touch(tmp_path / "Anet_videos_15fps_short256/v_a.mp4")
    assert TASK.video_path(tmp_path, "v_a") == path


@needs_benchmarks
def test_the_gotchas_of_the_card_are_true():
    samples = TASK.samples(BENCHMARKS, "val")
    spans = [(s.id, s.target.spans[0], s.duration) for s in samples]
    assert {name for name, span, _ in spans if span.start >= span.end} == {
        "anet_val867",
        "anet_val889",
    }
    assert sum(span.end > duration for _, span, duration in spans) == 4
    assert sum(s.group("source") == "qvh" for s in samples) == 180
