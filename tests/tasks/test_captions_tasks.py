"""Benchmarks with the layout {video: {duration, moments, sentences}}."""

import json

import pytest

from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.task_case import touch
from vtg_eval.errors import DataError, UserError
from vtg_eval.protocol import PromptRule
from vtg_eval.question import written
from vtg_eval.registry import Registry
from vtg_eval.types import Span

REGISTRY = Registry.discover()
# the keys of a video's record: its duration, its moments, its sentences
KEYS = {
    "activitynet_captions": ("duration", "timestamps", "sentences"),
    "charades_timelens": ("duration", "spans", "queries"),
    "activitynet_timelens": ("duration", "spans", "queries"),
    "qvhighlights_timelens": ("duration", "spans", "queries"),
    "charades_cd": ("video_duration", "timestamps", "sentences"),
    "activitynet_cd": ("duration", "timestamps", "sentences"),
    "charades_cg": ("duration", "timestamps", "sentences"),
    "tacos": ("num_frames", "timestamps", "sentences"),
}
SPLITS = [(name, split.name) for name in KEYS for split in REGISTRY.task(name).card.splits]
TIMELENS = [name for name in KEYS if name.endswith("_timelens")]


def write(folder, name, split, **changed):
    """Write two videos; the second has a reversed moment that ends after the video."""
    duration, moments, sentences = KEYS[name]
    rate = 2 if name == "tacos" else 1
    rows: dict[str, tuple[list[list[float]], list[str], int]] = {
        "v1": ([[1, 4.5], [0, 10]], [" It begins. ", "It ends"], 10),
        "v2": ([[30, 5]], ["A .  dog "], 20),
    }
    table = {
        video: {
            duration: length * rate,
            moments: [[start * rate, end * rate] for start, end in spans],
            sentences: queries,
            **({"fps": rate} if name == "tacos" else {}),
        }
        for video, (spans, queries, length) in rows.items()
    }
    table["v2"] |= changed
    path = folder / REGISTRY.task(name).annotation[split]
    path.write_text(json.dumps(table))
    return path


@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_records_become_samples(name, split, tmp_path):
    write(tmp_path, name, split)
    first, second, third = REGISTRY.task(name).samples(tmp_path, split)
    assert [s.id for s in (first, second, third)] == ["v1/0", "v1/1", "v2/0"]
    assert (first.video, first.query, first.duration) == ("v1", "It begins.", 10.0)
    assert first.target.spans == (Span(1.0, 4.5),)
    assert third.target.spans == (Span(30.0, 5.0),), "neither sorted nor clamped"
    assert {group.grouping for group in first.groups} == {"moment length", "video length"}


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("key", [0, 1, 2])
def test_a_malformed_record_is_named(name, key, tmp_path):
    task = REGISTRY.task(name)
    split = task.card.default_split
    path = write(tmp_path, name, split, **{KEYS[name][key]: "x"})
    with pytest.raises(DataError, match=rf"{path.name}, key v2.*{KEYS[name][key]}"):
        task.samples(tmp_path, split)


@pytest.mark.parametrize("name", KEYS)
def test_moments_without_their_sentences_are_named(name, tmp_path):
    task = REGISTRY.task(name)
    split = task.card.default_split
    write(tmp_path, name, split, **{KEYS[name][2]: []})
    with pytest.raises(DataError, match=rf"key v2: 1 {KEYS[name][1]}, but 0 {KEYS[name][2]}"):
        task.samples(tmp_path, split)


@pytest.mark.parametrize("rate", [0, -1, "x"])
def test_tacos_names_a_wrong_frame_rate(rate, tmp_path):
    write(tmp_path, "tacos", "test", fps=rate)
    with pytest.raises(DataError, match=r'key v2: "fps"'):
        REGISTRY.task("tacos").samples(tmp_path, "test")


@pytest.mark.parametrize("name", TIMELENS)
def test_timelens_queries_are_cut_for_the_prompt_once(name, tmp_path):
    write(tmp_path, name, "test")
    sample = REGISTRY.task(name).samples(tmp_path, "test")[2]
    assert written(sample.query, PromptRule(query="sentence")) == "A . dog"
    rule = REGISTRY.protocol("timelens@1").for_task(name, "grounding").prompt
    assert rule.query == "sentence"


@pytest.mark.parametrize(("name", "split"), SPLITS)
def test_the_error_for_a_missing_file_names_its_source(name, split, tmp_path):
    task = REGISTRY.task(name)
    source = next(f for f in task.card.files if split in f.needed_for)
    with pytest.raises(UserError) as raised:
        task.samples(tmp_path, split)
    assert source.home in str(raised.value)


@pytest.mark.parametrize(
    ("name", "video", "paths"),
    [
        ("charades_timelens", "3MSZA", ["videos/charades/3MSZA.mp4", "videos/3MSZA.mp4"]),
        ("activitynet_timelens", "v_a", ["videos/activitynet/v_a.mp4"]),
        ("qvhighlights_timelens", "b_0.0_150.0", ["videos/qvhighlights/b_0.0_150.0.mp4"]),
        ("charades_cd", "N14BK", ["videos/N14BK.mp4", "Charades_v1_480/N14BK.mp4"]),
        ("charades_cg", "N14BK", ["videos/N14BK.mp4", "Charades_v1/N14BK.mp4"]),
        ("activitynet_cd", "v_a", ["videos/v_a.mp4", "videos/v_a.mkv"]),
        ("activitynet_captions", "v_a", ["videos/v_a.mp4", "videos/v_a.webm"]),
        ("tacos", "s30-d52.avi", ["videos/s30-d52.avi", "videos/s30-d52.avi.mp4"]),
    ],
)
def test_videos_are_looked_for_in_the_usual_folders(name, video, paths, tmp_path):
    task = REGISTRY.task(name)
    assert task.video_path(tmp_path, video) == tmp_path / paths[0]
    for path in reversed(paths):
        video_path = touch(tmp_path / path)
        assert task.video_path(tmp_path, video) == video_path


@needs_benchmarks
@pytest.mark.parametrize(
    ("name", "split", "empty", "beyond", "furthest"),
    [
        ("activitynet_captions", "val_2", 0, 1, 0.01),
        ("activitynet_captions", "val_1", 0, 5, 0.01),
        ("activitynet_cd", "test_ood", 4, 4, 0.01),
        ("charades_cd", "test_ood", 0, 348, 25.69),
        ("charades_cd", "test_iid", 0, 151, 1.31),
        ("charades_cd", "val", 0, 135, 1.38),
        ("charades_cg", "novel_composition", 0, 452, 1.54),
        ("charades_cg", "novel_word", 0, 109, 1.46),
        ("charades_cg", "test_trivial", 0, 412, 1.54),
        ("tacos", "test", 0, 5, 0.24),
        ("tacos", "val", 0, 0, 0),
    ],
)
def test_the_gotchas_of_the_cards_are_true(name, split, empty, beyond, furthest):
    samples = REGISTRY.task(name).samples(BENCHMARKS, split)
    truth = [(s.target.spans[0], s.duration) for s in samples]
    assert sum(span.start >= span.end for span, _ in truth) == empty
    # some ends exceed the duration by a rounding error
    over = [span.end - duration for span, duration in truth if span.end - duration > 1e-6]
    assert (len(over), max(over, default=0)) == (beyond, pytest.approx(furthest, abs=0.005))
