"""Curation: named filters that count, and labels made wrong on purpose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.curation import curate, reasoning_iou, with_label_noise
from vtg_eval.training.data.report import curation_table
from vtg_eval.training.data.sample import TrainingSample
from vtg_eval.training.recipe import CurationRule

from vtg_eval.types import Span

TIMED = "<think>the cat comes at 5.2</think> <time>[5, 10]</time>"
ANSWERED = "<think>from 1 to 2?</think> <answer>5.00 to 10.00</answer>"


def sample(name="a", *spans, **more):
    values = {"video": "v.mp4", "query": f"query {name}", "source": "s", "duration": 20.0} | more
    return TrainingSample(id=name, spans=tuple(Span(*s) for s in spans or [(5, 10)]), **values)


def dropped(samples, **rule):
    report = curate(samples, CurationRule(**rule)).report
    return {drop.filter: (drop.dropped, drop.first) for drop in report if drop.dropped}


def test_the_default_rule_drops_invalid_moments_and_duplicates():
    samples = [
        sample("ok"),
        sample("reversed", (10, 5)),
        sample("empty", (5, 5)),
        sample("after", (20, 25)),
        sample("nan", (float("nan"), 5)),
        sample("over the end", (15, 25)),
        sample("unknown length", (15, 25), duration=None),
        sample("again", query=" QUERY ok."),
        sample("elsewhere", query="query ok", video="w.mp4"),
        sample("clipped", query="query ok", clip=Span(0, 30)),
    ]
    curated = curate(samples, CurationRule())
    assert [drop.filter for drop in curated.report] == ["moment", "duplicates"]
    assert dropped(samples) == {
        "moment": (4, ("reversed", "empty", "after", "nan")),
        "duplicates": (1, ("again",)),
    }
    assert [s.id for s in curated.kept] == [
        "ok",
        "over the end",
        "unknown length",
        "elsewhere",
        "clipped",
    ]


def test_duplicates_may_stay():
    assert dropped([sample("a"), sample("b", query="query a")], duplicates=False) == {}


@pytest.mark.parametrize(
    ("form", "text", "kept"),
    [
        ("think-time", TIMED, True),
        ("think-time", ANSWERED, False),
        ("think-time", None, False),
        ("think-answer", ANSWERED, True),
        ("think-answer", f"\n{ANSWERED}\n", True),
        ("think-answer", TIMED, False),
        ("any", None, True),
    ],
)
def test_the_reasoning_text_must_have_the_form(form, text, kept):
    assert (dropped([sample(reasoning=text)], format=form) == {}) is kept


@pytest.mark.parametrize(
    ("text", "spans", "iou"),
    [
        (TIMED, [(5, 10)], 1.0),
        (ANSWERED, [(5, 10)], 1.0),
        (TIMED, [(7.5, 10)], 0.5),
        (TIMED, [(11, 12)], 0.0),
        ("<think>[5, 10]</think> it is a cat", [(5, 10)], 0.0),
        ("<think>[5, 10]", [(5, 10)], 0.0),
        (None, [(5, 10)], 0.0),
        ("<time>[[0, 5], [10, 15]]</time>", [(0, 5), (10, 15)], 1.0),
    ],
)
def test_the_final_span_of_the_reasoning_is_compared_with_the_label(text, spans, iou):
    reasoned = sample("a", *spans, reasoning=text)
    assert reasoning_iou(reasoned) == pytest.approx(iou)
    name = "reasoning agrees, IoU 0.5"
    assert (name in dropped([reasoned], reasoning_iou=0.5)) is (iou < 0.5)


def test_lengths_and_shares_must_lie_between_their_bounds():
    short, long = sample("short", (5, 6)), sample("long", (1, 19))
    two = sample("two", (0, 4), (6, 10))
    none = sample("none", (5, 10), duration=None)
    everything = [short, long, two, none]
    assert dropped(everything, moment_seconds=(2, 10)) == {
        "moment length, 2 to 10": (2, ("short", "long"))
    }
    assert dropped(everything, video_seconds=(20, 500)) == {
        "video length, 20 to 500": (1, ("none",))
    }
    assert dropped(everything, moment_share=(0.1, 0.8)) == {
        "moment share, 0.1 to 0.8": (3, ("short", "long", "none"))
    }


lengths = st.floats(0, 30)
many = st.lists(
    st.builds(
        lambda start, end, query, text: (start, end, query, text),
        lengths,
        lengths,
        st.sampled_from("xyz"),
        st.sampled_from([None, TIMED, ANSWERED, "nothing"]),
    ),
    max_size=12,
)


@given(
    many,
    st.builds(
        CurationRule,
        reasoning_iou=st.sampled_from([0.0, 0.5, 1.0]),
        format=st.sampled_from(["any", "think-time", "think-answer"]),
        moment_seconds=st.sampled_from([(0.0, 1e9), (2.0, 10.0)]),
        moment_share=st.sampled_from([(0.0, 1.0), (0.1, 0.5)]),
        duplicates=st.booleans(),
    ),
)
def test_each_sample_is_kept_or_counted_once_and_kept_ones_pass_again(rows, rule):
    samples = [
        sample(str(k), (start, end), query=query, reasoning=text)
        for k, (start, end, query, text) in enumerate(rows)
    ]
    curated = curate(samples, rule)
    assert len(curated.kept) + sum(drop.dropped for drop in curated.report) == len(samples)
    assert [s for s in samples if s in curated.kept] == list(curated.kept)
    assert curate(curated.kept, rule).kept == curated.kept
    assert curation_table(curated.report).count("\n") == len(curated.report) + 1


DURATION = 30.0
LABELLED = tuple(
    TrainingSample(f"s{n}", "a.mp4", "it", (Span(n / 10, n / 10 + 2),), "test", duration=DURATION)
    for n in range(50)
)


@given(st.floats(0, 1))
def test_label_noise_moves_the_share_within_the_video(share):
    noisy = with_label_noise(LABELLED, share)
    moved = [(a, b) for a, b in zip(LABELLED, noisy, strict=True) if a != b]
    assert len(moved) == round(share * len(LABELLED))
    for before, after in moved:
        (start, end) = after.spans[0]
        assert abs((end - start) - 2) < 1e-9
        assert start >= 0 and end <= DURATION + 1e-9
        assert (after.id, after.query, after.video) == (before.id, before.query, before.video)


def test_label_noise_does_not_depend_on_the_order_of_samples():
    forwards, backwards = with_label_noise(LABELLED, 0.4), with_label_noise(LABELLED[::-1], 0.4)
    assert forwards == backwards[::-1]


def test_more_label_noise_keeps_the_wrong_labels_of_less():
    few, many = with_label_noise(LABELLED, 0.2), with_label_noise(LABELLED, 0.6)
    assert all(b == c for a, b, c in zip(LABELLED, few, many, strict=True) if a != b)


def test_label_noise_skips_samples_without_moment_or_duration():
    unmovable = (
        TrainingSample("q", "a.mp4", "what?", (), "test", options=("x", "y"), choice="B"),
        TrainingSample("n", "a.mp4", "it", (Span(0, 1),), "test"),
    )
    assert with_label_noise(unmovable, 1.0) == unmovable
