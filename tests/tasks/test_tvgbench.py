import json
from collections import Counter

import pytest
from vtg_eval.tasks.tvgbench import TASK

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import touch
from vtg_eval.errors import DataError
from vtg_eval.types import Span

RECORD = {
    "path": "./videos/tvgbench_data/a.b.mkv",
    "question": " where was eggs? ",
    "answer": "0.81-12.0",
    "start": 3.5,
    "end": 73.5,
    "duration": 70.0,
    "source": "./raw_data/nlq-r1.val.json",
    "qsemtype": "Object Attribute",
    "bins": {"dataset": "egonlq"},
}


def samples(folder, **changed):
    """Return the samples of a file of two records, the second with the changes."""
    (folder / "tvgbench.json").write_text(json.dumps([RECORD, {**RECORD, **changed}]))
    return TASK.samples(folder, "test")


def test_a_record_becomes_a_sample(tmp_path):
    first, second = samples(tmp_path, start=None, end=None, answer="9-4")
    assert (first.id, second.id) == ("nlq_r1_val_0", "nlq_r1_val_1")
    assert (first.video, first.query) == ("a.b.mkv", "where was eggs?")
    assert (first.duration, first.target.spans) == (70.0, (Span(0.81, 12.0),))
    assert first.clips == (Span(3.5, 73.5),), "the part of the file that is shown"
    assert (second.clips, second.target.spans) == ((), (Span(9.0, 4.0),))
    assert dict(first.groups) == {
        "dataset": "egonlq",
        "query type": "Object Attribute",
        "moment length": "5 to 20 s",
        "video length": "60 to 180 s",
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("answer", "5 to 6"),
        ("answer", "-5-6"),
        ("answer", None),
        ("start", None),
        ("start", 80),
        ("start", "x"),
        ("start", -1),
        ("duration", "long"),
        ("bins", []),
        ("bins", {}),
        ("qsemtype", None),
    ],
)
def test_a_malformed_record_is_named(key, value, tmp_path):
    with pytest.raises(DataError, match=rf"tvgbench\.json, item 1.*{key}"):
        samples(tmp_path, **{key: value})


def test_a_missing_key_is_named(tmp_path):
    table = [RECORD, {key: value for key, value in RECORD.items() if key != "path"}]
    (tmp_path / "tvgbench.json").write_text(json.dumps(table))
    with pytest.raises(DataError, match=r'item 1 has no "path"'):
        TASK.samples(tmp_path, "test")


def test_videos_are_looked_for_in_the_usual_folders(tmp_path):
    assert TASK.video_path(tmp_path, "a.avi") == tmp_path / "videos/a.avi"
    path = touch(tmp_path / "tvgbench_data/a.avi")
    assert TASK.video_path(tmp_path, "a.avi") == path


@needs_benchmarks
def test_the_gotchas_of_the_card_are_true():
    questions = TASK.samples(BENCHMARKS, "test")
    assert questions[0].id == "Charades_sta_test_0"
    spans = [(s.target.spans[0], s.duration) for s in questions]
    assert sum(span.start == span.end for span, _ in spans) == 11
    assert sum(span.start > span.end for span, _ in spans) == 0
    over = [span.end - duration for span, duration in spans if span.end > duration]
    assert (len(over), max(over)) == (27, pytest.approx(4.85))
    asked = Counter((s.video, s.query) for s in questions)
    assert [pair for pair, times in asked.items() if times > 1] == [
        ("s33-d50.avi", "The person gets out an egg cup.")
    ]
    sources = Counter(s.group("dataset") for s in questions)
    assert sources == {"charades": 138, "tacos": 168, "anet": 168, "hirest": 158, "egonlq": 168}
    parts = Counter(s.group("dataset") for s in questions if s.clips)
    assert parts == {"egonlq": 168, "hirest": 68, "anet": 16}
    for sample in questions:
        for clip in sample.clips:
            assert clip.end - clip.start == pytest.approx(sample.duration)
