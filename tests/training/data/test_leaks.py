"""Leaks: training samples about what is scored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.converters import convert
from vtg_eval.training.data.leaks import (
    Evaluation,
    EvaluationSplit,
    Unchecked,
    VideoPart,
    apply_leaks,
    find_leaks,
    installed_splits,
    normalised,
    video_part,
)
from vtg_eval.training.data.report import leak_table
from vtg_eval.training.data.sample import TrainingSample

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.errors import DataError, UserError
from vtg_eval.registry import Registry
from vtg_eval.types import Span


def sample(name, video, query="a dog runs"):
    return TrainingSample(name, video, query, (Span(0, 1),), "here")


def evaluation(*asked):
    return Evaluation((EvaluationSplit("bench", "test", asked),), (Unchecked("far", "val", "no"),))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("train/AO8RW.mp4", "star/Charades_v1_480/AO8RW.mp4"),
        ("v_uqiMw7tQ1Cc.mp4", "uqiMw7tQ1Cc"),
        ("a/v_uqiMw7tQ1Cc.mkv", "v_uqiMw7tQ1Cc"),
        ("bP5KfdFJzC4.mp4", "bP5KfdFJzC4_660.0_810.0"),
        ("bP5KfdFJzC4_700_850.mp4", "bP5KfdFJzC4_660.0_810.0"),
        ("4jujhM5qhEc_00:00:39:000_00:01:24:700.mp4", "4jujhM5qhEc_60.0_210.0"),
        ("s30-d52-cam-002.mp4", "s30-d52.avi"),
        ("1@N00_2_3.mp4", "1@N00_2_3.mov"),
        ("1@N00_2_3.mov.mp4", "1@N00_2_3.MOV"),
        ("1@N00_2_3..mp4", "1@N00_2_3."),
    ],
)
def test_one_video_is_known_under_its_names(first, second):
    assert video_part(first).overlaps(video_part(second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("AO8RW.mp4", "ao8rw.mp4"),
        ("uqiMw7tQ1Cc.mp4", "uqiMw7tQ1CC.mp4"),
        ("bP5KfdFJzC4_60.0_210.0", "bP5KfdFJzC4_660.0_810.0"),
        ("v_short", "short"),
        ("a.b.mp4", "a.mp4"),
        (".mp4", "mp4"),
    ],
)
def test_other_videos_and_other_parts_are_told_apart(first, second):
    assert not video_part(first).overlaps(video_part(second))


@given(st.text())
def test_any_name_has_a_part_that_overlaps_itself(name):
    part = video_part(name)
    assert isinstance(part, VideoPart)
    assert part.overlaps(part) or part.start >= part.end


def test_case_white_space_and_the_last_full_stop_do_not_count():
    assert normalised(" A  dog\truns. ") == normalised("a dog runs")
    assert normalised("a dog. runs") != normalised("a dog runs")


def test_videos_words_and_both_are_counted_apart():
    trained = [sample("1", "a.mp4", "A dog runs."), sample("2", "b.mp4", "it rains")]
    report = find_leaks(
        trained,
        evaluation(
            ("a", "a dog runs"),  # both
            ("a", "a cat"),  # the video
            ("c", "it rains"),  # the words, to the letter
            ("c", "nothing of it"),
        ),
    )
    (split,) = report.splits
    assert (split.videos, split.shared_videos, split.queries) == (2, ("a",), 4)
    assert (split.of_shared_videos, split.same_words, split.word_for_word) == (2, 2, 1)
    assert (split.both, split.unseen) == (1, 1)
    assert report.leaking == {"1"}
    table = leak_table(report)
    assert "bench" in table and "1 of 2 samples" in table and "Not checked: far val" in table


def test_a_shared_video_is_refused_dropped_or_kept():
    trained = [sample("1", "a.mp4"), sample("2", "b.mp4")]
    report = find_leaks(trained, evaluation(("a", "other")))
    with pytest.raises(UserError, match=r'1 of 2 .* bench test \(1 of 1 videos\).*"drop"'):
        apply_leaks(trained, report, "refuse")
    assert apply_leaks(trained, report, "drop") == (trained[1],)
    assert apply_leaks(trained, report, "keep") == tuple(trained)


def test_shared_words_alone_are_no_leak():
    trained = [sample("1", "a.mp4")]
    report = find_leaks(trained, evaluation(("z", "a dog runs")))
    assert report.splits[0].same_words == 1
    assert apply_leaks(trained, report, "refuse") == tuple(trained)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=8),
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=8),
)
def test_nothing_is_shared_once_the_leaks_are_dropped(trained, asked):
    samples = [sample(str(k), f"{v}.mp4", q) for k, (v, q) in enumerate(trained)]
    report = find_leaks(samples, evaluation(*asked))
    split = report.splits[0]
    assert split.queries - split.unseen <= split.of_shared_videos + split.same_words - split.both
    assert split.both <= min(split.of_shared_videos, split.same_words)
    kept = apply_leaks(samples, report, "drop")
    assert not find_leaks(kept, evaluation(*asked)).leaking
    assert {s.video for s in samples} - {s.video for s in kept} <= {f"{v}.mp4" for v, _ in asked}


def test_every_installed_split_is_read_or_listed_but_no_train_split(tmp_path):
    evaluation_splits = installed_splits(Registry.discover(), tmp_path)
    names = {(s.task, s.name) for s in evaluation_splits.splits} | {
        (u.task, u.name) for u in evaluation_splits.unchecked
    }
    assert ("synth_vtg", "test") in {(s.task, s.name) for s in evaluation_splits.splits}
    assert ("charades_sta", "test") in {(u.task, u.name) for u in evaluation_splits.unchecked}
    assert not [name for name in names if name[1] == "train"]


def test_a_malformed_split_is_not_taken_for_a_missing_one(tmp_path):
    (tmp_path / "charades_sta_test.txt").write_text("nonsense\n")
    with pytest.raises(DataError, match=r"charades_sta_test\.txt, line 1"):
        installed_splits(Registry.discover(), tmp_path)


@needs_benchmarks
def test_of_charades_stas_test_queries_1571_stand_word_for_word_in_its_train_split():
    root = BENCHMARKS
    trained = list(convert("charades-sta", root / "charades_sta" / "charades_sta_train.txt"))
    report = find_leaks(trained, installed_splits(Registry.discover(), root))
    split = next(s for s in report.splits if (s.task, s.split) == ("charades_sta", "test"))
    assert (split.queries, split.word_for_word, split.same_words) == (3720, 1571, 1572)
    assert (split.shared_videos, split.both, split.unseen) == ((), 0, 2148)
    shared = {s.task for s in report.splits if s.shared_videos}
    assert shared == {"charades_cd", "charades_cg", "mvbench"}
    with pytest.raises(UserError, match="8221 of 12408 training samples"):
        apply_leaks(trained, report, "refuse")
