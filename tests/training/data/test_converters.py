"""Converters: each layout, small; the real train splits where they are available."""

import json
import re
from typing import Any

import pytest
from vtg_eval.training.data.converters import CONVERTERS, convert
from vtg_eval.training.data.sample import load_samples, write_samples

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.errors import DataError, UserError
from vtg_eval.registry import Registry
from vtg_eval.types import Span

CAPTIONS = {"v_1": {"duration": 60, "timestamps": [[0, 5], [3, 9]], "sentences": [" a. ", "b"]}}
FRAMES = {
    "s1-d1.avi": {"fps": 25.0, "num_frames": 500, "timestamps": [[50, 100]], "sentences": ["a"]}
}
DIDEMO = {"annotation_id": 7, "video": "x.mov", "description": "a", "num_segments": 6}
STEP = {"index": 0, "heading": "stir", "absolute_bounds": [20, 30]}
HOWTO = {"relevant": True, "clip": True, "v_duration": 90.5, "bounds": [20, 50], "steps": [STEP]}
WHOLE = HOWTO | {"clip": False, "bounds": [0, 0], "steps": []}
TIMELENS = {
    "source": "didemo",
    "video_path": "didemo/a.mp4",
    "duration": 30,
    "events": [{"query": "a", "span": [[1, 2]]}, {"query": "b", "span": [3, 4]}],
}
FILTERED = {
    "source": "didemo",
    "video_path": "data/a.mp4",
    "duration": 30,
    "query": "a",
    "span": [[1, 2]],
    "iou": 0.25,
    "pred": [[1, 5]],
}
TIME_R1 = {
    "video": "./videos/aaaaaaaaaaa.mp4",
    "duration": 10.8,
    "timestamp": [0, 3.5],
    "sentence": "a",
    "qid": "q",
    "video_start": 120.6,
    "video_end": 131.4,
    "difficulty": 35.0,
    "pred": [0, 10],
}
TIMELENS2 = {
    "video_id": "abc",
    "annotations": [{"text": " a ", "timestamps": [[1, 2], [5, 6]]}],
}
TIMELENS2_ROWS = [
    {"video_path": "abc.mp4", "duration": 30, "events": [{"query": "a", "span": [[1, 2], [5, 6]]}]},
    {"video_path": "abc.mp4", "duration": 30, "query": "b", "span": [3, 4], "rollouts": ["3 - 4"]},
]
TVG_RL = {
    "dataset": "didemo",
    "video": "/data/a.mp4",
    "video_length": 30,
    "gt_frame": [1, 2],
    "problem": "when?",
    "choices": "",
    "ground_truth": "",
}
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "think"},
        {"role": "user", "content": "<video>Rules. Now I give you the query: 'it's a cat'."},
        {"role": "assistant", "content": "<think>at 3</think> <time>[5.2, 10.4]</time>"},
    ],
    "videos": ["didemo/a.mp4"],
}
SHAREGPT = {
    "conversations": [
        {"from": "human", "value": "<video>\nfind the cat"},
        {"from": "gpt", "value": "<think>at 3</think><answer>5.2 to 10.4</answer>"},
    ],
    "video": "a.mp4",
}


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def converted(tmp_path):
    def run(name, text, file="data.json"):
        path = tmp_path / file
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return list(convert(name, path))

    return run


def brief(samples):
    return [(s.video, s.query, [tuple(span) for span in s.spans], s.duration) for s in samples]


LAYOUTS = {
    "charades-sta": ("AB1 0.5 6##a dog.\n\nAB1 2 3##b##c\n", "AB1.mp4", [(0.5, 6), (2, 3)]),
    "activitynet-captions": (CAPTIONS, "v_1.mp4", [(0, 5), (3, 9)]),
    "queryd": (CAPTIONS, "v_1.mp4", [(0, 5), (3, 9)]),
    "tacos": (FRAMES, "s1-d1.avi", [(2, 4)]),
    "qvhighlights": (
        lines({"qid": 1, "query": "a", "vid": "x", "duration": 150, "relevant_windows": [[0, 2]]}),
        "x.mp4",
        [(0, 2)],
    ),
    "didemo": ([DIDEMO | {"times": [[0, 0], [1, 2], [1, 2]]}], "x.mov.mp4", [(5, 15)]),
    "hirest": ({"Cook": {"a.mp4": HOWTO, "b.mp4": WHOLE}}, "a.mp4", [(20, 50)]),
    "hirest-steps": ({"Cook": {"a.mp4": HOWTO, "b.mp4": WHOLE}}, "a.mp4", [(20, 30)]),
    "internvid-vtime": (
        lines({"vid": "x", "duration": 9, "query": "a", "span": [1, 2]}),
        "x.mp4",
        [(1, 2)],
    ),
    "timelens-100k": (lines(TIMELENS), "didemo/a.mp4", [(1, 2), (3, 4)]),
    "timelens-filtered": (lines(FILTERED), "data/a.mp4", [(1, 2)]),
    "timelens2-93k": (lines(TIMELENS2), "abc.mp4", [(1, 2), (5, 6)]),
    "time-r1": ([TIME_R1], "videos/aaaaaaaaaaa.mp4", [(0, 3.5)]),
    "tvg-r1-rl": ([TVG_RL], "data/a.mp4", [(1, 2)]),
    "tvg-r1-cold-start": ([CHAT], "didemo/a.mp4", [(5.2, 10.4)]),
    "conversations": ([SHAREGPT], "a.mp4", [(5.2, 10.4)]),
}


def test_every_converter_has_an_example():
    assert set(LAYOUTS) == set(CONVERTERS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_becomes_samples_that_can_be_written(converted, tmp_path, name):
    text, video, spans = LAYOUTS[name]
    samples = converted(name, text)
    assert {sample.video for sample in samples} == {video}
    assert [tuple(span) for sample in samples for span in sample.spans] == spans
    write_samples(tmp_path / "out.jsonl", samples)
    assert list(load_samples([tmp_path / "out.jsonl"])) == samples


def test_sentences_lose_the_white_space_around_them_and_nothing_else(converted):
    assert [s.query for s in converted("activitynet-captions", CAPTIONS)] == ["a.", "b"]
    assert [s.query for s in converted("charades-sta", LAYOUTS["charades-sta"][0])] == [
        "a dog.",
        "b##c",
    ]


def test_frames_become_seconds(converted):
    assert brief(converted("tacos", FRAMES)) == [("s1-d1.avi", "a", [(2.0, 4.0)], 20.0)]


def test_charades_takes_durations_from_the_file_beside_it(converted, tmp_path):
    (tmp_path / "Charades_v1_train.csv").write_text("id,length\nAB1,31.5\n")
    assert [s.duration for s in converted("charades-sta", "AB1 1 2##a\nCD2 1 2##b\n")] == [
        31.5,
        None,
    ]


def test_didemo_shows_half_a_minute_and_takes_the_segment_most_chose(converted):
    (level,) = converted("didemo", [DIDEMO | {"times": [[3, 3], [1, 2], [1, 2], [3, 3]]}])
    assert (level.spans, level.clip, level.duration) == ((Span(15, 20),), Span(0, 30), 30)


def test_time_r1_has_the_base_models_iou_and_a_clip_where_the_file_is_longer(converted):
    cut = TIME_R1 | {"video": "videos/aaaaaaaaaaa_00:02:00:600_00:02:11:400.mp4"}
    whole = TIME_R1 | {"video_start": None, "video_end": None}
    longer, itself, no_part = converted("time-r1", [TIME_R1, cut, whole])
    assert (longer.clip, itself.clip, no_part.clip) == (Span(120.6, 131.4), None, None)
    assert longer.difficulty is not None and longer.difficulty.mean_iou == 0.35


def test_a_question_of_tvg_r1_has_its_options_without_their_letters(converted):
    asked = TVG_RL | {"choices": ["A. red", "B. blue"], "ground_truth": "B"}
    worded = TVG_RL | {"choices": ["red", "blue"], "ground_truth": "red"}
    first, second = converted("tvg-r1-rl", [asked, worded])
    assert (first.options, first.choice) == (("red", "blue"), "B")
    assert (second.options, second.choice) == (("red", "blue"), "A")


def test_the_rows_that_timelens2_trains_on_are_read_too(converted):
    assert brief(converted("timelens2-93k", lines(TIMELENS2, *TIMELENS2_ROWS))) == [
        ("abc.mp4", "a", [(1, 2), (5, 6)], None),
        ("abc.mp4", "a", [(1, 2), (5, 6)], 30),
        ("abc.mp4", "b", [(3, 4)], 30),
    ]


@pytest.mark.parametrize("name", ["queryd", "qvhighlights", "hirest", "internvid-vtime"])
def test_a_file_may_lack_the_length_of_a_video(converted, name):
    text = LAYOUTS[name][0]
    table = text if isinstance(text, str) else json.dumps(text)
    lacking = re.sub(r'"(v_)?duration": [0-9.]+, ', "", table)
    assert lacking != table
    assert {sample.duration for sample in converted(name, lacking)} == {None}


def test_a_conversation_keeps_its_answer_and_gives_the_quoted_query(converted):
    (sample,) = converted("tvg-r1-cold-start", [CHAT])
    assert sample.query == "it's a cat"
    assert sample.reasoning == "<think>at 3</think> <time>[5.2, 10.4]</time>"
    assert converted("conversations", [SHAREGPT])[0].query == "find the cat"
    assert converted("conversations", lines(SHAREGPT), "data.jsonl")[0].query == "find the cat"


BROKEN = [
    ("charades-sta", "AB1 0 1##a\nAB1 x 1##a\n", "line 2"),
    ("activitynet-captions", {"v": CAPTIONS["v_1"] | {"sentences": ["a"]}}, "key v"),
    ("tacos", {"v": FRAMES["s1-d1.avi"] | {"fps": 0}}, '"fps" must be above 0'),
    ("didemo", [DIDEMO | {"times": []}], 'item 0: "times"'),
    ("hirest", {"Cook": {"a.mp4": HOWTO | {"clip": "yes"}}}, 'key Cook, a.mp4: "clip"'),
    ("hirest", {"Cook": {"a.mp4": 3}}, '"a.mp4" must be an object'),
    ("internvid-vtime", lines({"vid": "x"}), 'line 1 has no "query"'),
    ("timelens-100k", lines(TIMELENS | {"events": [{"query": "a"}]}), 'events[0] has no "span"'),
    ("timelens-filtered", lines(FILTERED | {"iou": 7}), '"iou" must lie'),
    ("timelens2-93k", lines({"video_id": "a", "annotations": [{"text": "b"}]}), '"timestamps"'),
    ("timelens2-93k", lines({"video_path": "a.mp4"}), 'has no "query"'),
    ("time-r1", [TIME_R1 | {"video_end": None}], '"video_start" and "video_end"'),
    ("time-r1", [TIME_R1 | {"difficulty": 101}], '"difficulty" must lie'),
    ("time-r1", [TIME_R1 | {"video": "../../a.mp4"}], "below the folder of videos"),
    ("tvg-r1-rl", [TVG_RL | {"choices": "red or blue"}], '"choices" must be a list'),
    ("tvg-r1-rl", [TVG_RL | {"choices": ["a", "b"], "ground_truth": "c"}], '"ground_truth"'),
    ("conversations", [{"video": "a.mp4"}], 'no "messages"'),
    ("conversations", [CHAT | {"videos": []}], '"videos" must have one path'),
    ("conversations", [CHAT | {"messages": CHAT["messages"][:2]}], "a question and an answer"),
]


@pytest.mark.parametrize(("name", "text", "message"), BROKEN)
def test_a_malformed_record_is_named(converted, name, text, message):
    with pytest.raises(DataError, match=r"data\.json") as caught:
        converted(name, text)
    assert message in str(caught.value)


def test_a_pickle_is_not_opened(converted):
    with pytest.raises(UserError, match="Write QuerYD's train split as JSON"):
        converted("queryd", "", "raw_captions_combined_filtered-v2.pkl")


def test_an_unknown_layout_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(UserError, match='Did you mean "time-r1"'):
        convert("timer1", tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        list(convert("didemo", tmp_path / "none.json"))


@needs_benchmarks
@pytest.mark.parametrize(
    ("name", "task", "split", "file"),
    [
        ("charades-sta", "charades_sta", "train", "charades_sta_train.txt"),
        ("qvhighlights", "qvhighlights", "train", "highlight_train_release.jsonl"),
        ("tacos", "tacos", "val", "val.json"),
        ("activitynet-captions", "activitynet_captions", "val_1", "val.json"),
        ("didemo", "didemo", "val", "val_data.json"),
    ],
)
def test_real_files_are_asked_as_the_tasks_ask_them(name, task, split, file):
    converted = list(convert(name, BENCHMARKS / task / file))
    assert {sample.source for sample in converted} == {task}
    samples = [sample.to_sample() for sample in converted]
    expected = Registry.discover().task(task).samples(BENCHMARKS, split)
    assert len({sample.id for sample in samples}) == len(expected)
    assert list(map(asked, samples)) == list(map(asked, expected))
    if name != "didemo":  # whose evaluation keeps every annotator's segment
        assert [s.target.spans for s in samples] == [s.target.spans for s in expected]


def asked(sample):
    """Return what an adapter makes a request of, besides the frames."""
    return sample.query, sample.duration, sample.clips, sample.options, sample.asks
