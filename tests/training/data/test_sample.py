"""Training samples: their file, and what it refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.sample import (
    Difficulty,
    TrainingSample,
    load_samples,
    read_samples,
    write_samples,
)

from vtg_eval.errors import DataError, UserError
from vtg_eval.types import OutputType, Span

TABLE = {"id": "a", "video": "v/a.mp4", "query": "it", "spans": [[1, 2]], "source": "s"}
DIFFICULTY = {"mean_iou": 0.3, "deviation": 0.1, "parse_failures": 0, "rewards": [0.2, 0.4]}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
times = st.floats(0, 1e4)
spans = st.builds(Span, times, times)
shares = st.floats(0, 1)
difficulties = st.builds(
    Difficulty,
    shares,
    shares,
    shares,
    st.lists(st.floats(-1, 2)).map(tuple),
    st.lists(shares).map(tuple),
)
samples = st.builds(
    TrainingSample,
    id=texts,
    video=st.sampled_from(["a.mp4", "folder/a b.mp4", "дом/ü.mkv"]),
    query=texts,
    spans=st.lists(spans, min_size=1, max_size=3).map(tuple),
    source=texts,
    clip=st.none() | st.just(Span(1.0, 31.0)),
    duration=st.none() | st.floats(0.1, 1e4),
    reasoning=st.none() | texts,
    difficulty=st.none() | difficulties,
)


def written(path, *tables):
    path.write_text("".join(json.dumps(table) + "\n" for table in tables), encoding="utf-8")
    return path


@given(sample=samples)
def test_what_is_written_is_read_back(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "samples.jsonl"
    assert write_samples(path, [sample]) == 1
    assert load_samples([path]) == (sample,)


def test_a_question_is_asked_as_in_evaluation(tmp_path):
    table = TABLE | {"options": ["red", "blue"], "choice": "B", "clip": [5, 35], "duration": 30}
    (sample,) = read_samples(written(tmp_path / "a.jsonl", table))
    asked = sample.to_sample()
    assert (asked.asks, asked.clips, asked.letters) == (OutputType.BOTH, (Span(5, 35),), ("A", "B"))
    assert (asked.target.spans, asked.target.choice) == ((Span(1, 2),), "B")
    (no_moment,) = read_samples(written(tmp_path / "b.jsonl", table | {"spans": []}))
    assert no_moment.to_sample().asks is OutputType.CHOICE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spam": 1}, 'no key "spam"'),
        ({"quary": "x"}, 'Did you mean "query"'),
        ({"query": " "}, '"query" is empty'),
        ({"query": ["x"]}, '"query" must be text'),
        ({"video": "/etc/a.mp4"}, "below the folder of videos"),
        ({"video": "../a.mp4"}, "below the folder of videos"),
        ({"spans": []}, '"spans" is empty'),
        ({"spans": [[1, float("nan")]]}, '"spans" must be'),
        ({"spans": [[1]]}, '"spans" must be'),
        ({"clip": [5, 5]}, '"clip" must be a part'),
        ({"duration": 0}, '"duration" must be above 0'),
        ({"choice": "A"}, 'no "options"'),
        ({"options": ["a", "b"]}, '"choice" is None'),
        ({"options": ["a", "b"], "choice": "C"}, "one of A, B"),
        ({"difficulty": 0.3}, '"difficulty" must be an object'),
        ({"difficulty": DIFFICULTY | {"ious": [1.5]}}, '"ious" must lie between 0 and 1'),
        ({"difficulty": DIFFICULTY | {"ious": None}}, '"ious" must be a list of numbers'),
        ({"difficulty": DIFFICULTY | {"mean_iou": 1.5}}, '"mean_iou" must lie'),
        ({"difficulty": DIFFICULTY | {"rewards": ["x"]}}, '"rewards" must be'),
        ({"difficulty": DIFFICULTY | {"mean": 1}}, 'no key "mean"'),
    ],
)
def test_a_malformed_sample_names_file_line_and_key(tmp_path, change, message):
    path = written(tmp_path / "a.jsonl", TABLE | {"id": "first"}, TABLE | change)
    with pytest.raises(DataError, match=r"a\.jsonl, line 2") as caught:
        load_samples([path])
    assert message in str(caught.value)


def test_an_id_stands_there_once(tmp_path):
    paths = [written(tmp_path / name, TABLE) for name in ("a.jsonl", "b.jsonl")]
    with pytest.raises(DataError, match=r'b\.jsonl: the id "a" occurs twice'):
        load_samples(paths)
    (sample,) = load_samples(paths[:1])
    with pytest.raises(UserError, match='two samples have the id "a"'):
        write_samples(tmp_path / "c.jsonl", [sample, sample])
    assert not (tmp_path / "c.jsonl").exists()


def test_no_file_is_overwritten(tmp_path):
    path = written(tmp_path / "a.jsonl", TABLE)
    with pytest.raises(UserError, match="exists already"):
        write_samples(path, [])
    assert len(load_samples([path])) == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.jsonl cannot be read"):
        load_samples([tmp_path / "none.jsonl"])
