"""Leaks: training samples about what is scored."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.converters import convert
from vtg_eval.training.data.held_out import check_readable, held_out_tasks
from vtg_eval.training.data.leaks import (
    Evaluation,
    EvaluationSplit,
    Unchecked,
    apply_leaks,
    find_leaks,
    installed_splits,
    write_leaks,
)
from vtg_eval.training.data.report import leak_table
from vtg_eval.training.data.sample import TrainingSample
from vtg_eval.training.data.video_names import VideoPart, video_part
from vtg_eval.training.recipe import make_recipe

from tests.reference_data import BENCHMARKS, needs_benchmarks
from vtg_eval.annotations.query_overlap import normalised
from vtg_eval.errors import DataError, UserError
from vtg_eval.registry import Registry
from vtg_eval.types import Span


def sample(name, video, query="a dog runs"):
    return TrainingSample(name, video, query, (Span(0, 1),), "here")


LISTED = Path("leaks.jsonl")


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
        {"bench"},
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
    report = find_leaks(trained, evaluation(("a", "other")), {"bench"})
    message = r'1 of 2 .* bench test \(1 of 1 videos\).* listed in leaks\.jsonl.*"drop"'
    with pytest.raises(UserError, match=message):
        apply_leaks(trained, report, "refuse", LISTED)
    assert apply_leaks(trained, report, "drop", LISTED) == (trained[1],)
    assert apply_leaks(trained, report, "keep", LISTED) == tuple(trained)


def test_a_video_of_a_task_that_is_not_held_out_is_counted_only():
    trained = [sample("1", "a.mp4")]
    report = find_leaks(trained, evaluation(("a", "other")), {"another"})
    assert report.splits[0].shared_videos == ("a",)
    assert report.leaking == frozenset()
    assert apply_leaks(trained, report, "refuse", LISTED) == tuple(trained)
    assert "Must not be touched: none" in leak_table(report)


def test_every_leak_is_listed_with_its_split_and_video(tmp_path):
    trained = [sample("1", "a.mp4"), sample("2", "v/a.mp4", "it rains"), sample("3", "b.mp4")]
    report = find_leaks(trained, evaluation(("a", "x"), ("a", "y"), ("b", "z")), {"bench"})
    write_leaks(tmp_path / "leaks.jsonl", report.leaks)
    rows = [json.loads(line) for line in (tmp_path / "leaks.jsonl").read_text().splitlines()]
    assert rows == [
        {"sample": name, "task": "bench", "split": "test", "video": video}
        for name, video in (("1", "a"), ("2", "a"), ("3", "b"))
    ]
    write_leaks(tmp_path / "leaks.jsonl", ())
    assert not (tmp_path / "leaks.jsonl").exists()


def test_shared_words_alone_are_no_leak():
    trained = [sample("1", "a.mp4")]
    report = find_leaks(trained, evaluation(("z", "a dog runs")), {"bench"})
    assert report.splits[0].same_words == 1
    assert apply_leaks(trained, report, "refuse", LISTED) == tuple(trained)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=8),
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=8),
)
def test_nothing_is_shared_once_the_leaks_are_dropped(trained, asked):
    samples = [sample(str(k), f"{v}.mp4", q) for k, (v, q) in enumerate(trained)]
    report = find_leaks(samples, evaluation(*asked), {"bench"})
    split = report.splits[0]
    assert split.queries - split.unseen <= split.of_shared_videos + split.same_words - split.both
    assert split.both <= min(split.of_shared_videos, split.same_words)
    kept = apply_leaks(samples, report, "drop", LISTED)
    assert not find_leaks(kept, evaluation(*asked), {"bench"}).leaking
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
    trained = charades_sta_train()
    registry = Registry.discover()
    evaluation_splits = installed_splits(registry, BENCHMARKS)
    report = find_leaks(trained, evaluation_splits, registry.tasks)
    split = next(s for s in report.splits if (s.task, s.split) == ("charades_sta", "test"))
    assert (split.queries, split.word_for_word, split.same_words) == (3720, 1571, 1572)
    assert (split.shared_videos, split.both, split.unseen) == ((), 0, 2148)
    shared = {s.task for s in report.splits if s.shared_videos}
    assert shared == {"charades_cd", "charades_cg", "mvbench"}
    with pytest.raises(UserError, match="8221 of 12408 training samples"):
        apply_leaks(trained, report, "refuse", LISTED)
    # by default a recipe that is scored on Charades-STA may train on its train split
    refusing = [s for s in evaluation_splits.splits if s.task in shared | {"charades_sta"}]
    default = find_leaks(
        trained, Evaluation(tuple(refusing)), held_out_tasks(scored_on(), registry)
    )
    assert apply_leaks(trained, default, "refuse", LISTED) == tuple(trained)


def charades_sta_train():
    return list(convert("charades-sta", BENCHMARKS / "charades_sta" / "charades_sta_train.txt"))


def scored_on(*tasks, against=()):
    """Return a recipe that is scored on these tasks."""
    return make_recipe(
        {
            "name": "x",
            "summary": "x",
            "source": "x",
            "model": {"checkpoint": "nano"},
            "data": {"train": ["a.jsonl"], "against": against},
            "evaluation": {"tasks": tasks or ["charades_sta"]},
        }
    )


OF_CHARADES_STA = {"charades_sta", "charades_timelens"}


@pytest.mark.parametrize(
    ("tasks", "held_out"),
    [
        (["charades_sta"], OF_CHARADES_STA),
        (["charades_timelens:test"], OF_CHARADES_STA),
        (["charades_cd"], {"charades_cd"}),
        (["charades_cd", "charades_sta"], {"charades_cd"} | OF_CHARADES_STA),
    ],
)
def test_what_is_scored_is_held_out_with_its_other_annotations(tasks, held_out):
    """Charades-CD divides Charades-STA's videos anew: it scores videos that the other trains on."""
    assert held_out_tasks(scored_on(*tasks), Registry.discover()) == held_out


def test_a_recipe_may_say_what_is_held_out():
    registry = Registry.discover()
    recipe = scored_on("charades_sta", against=["charades_cd", "qvhighlights"])
    assert held_out_tasks(recipe, registry) == {"charades_cd", "qvhighlights"}
    unscored = replace(scored_on(), evaluation=None)
    assert held_out_tasks(unscored, registry) == set(registry.tasks)
    with pytest.raises(UserError, match='Did you mean "charades_sta"'):
        held_out_tasks(scored_on(against=["charades_st"]), registry)


def test_a_task_that_is_named_must_be_readable():
    recipe = scored_on(against=["bench"])
    check_readable(recipe, evaluation(("a", "x")))
    with pytest.raises(UserError, match=r"data\.against names far, .* with it: no"):
        check_readable(scored_on(against=["far"]), evaluation(("a", "x")))
