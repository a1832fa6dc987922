"""Checking a split's files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.data_task import SmallTask, sample
from tests.reference_data import BENCHMARKS, needs_benchmarks
from tests.video_files import write_clock
from vtg_eval.data.audit import Audit, audit
from vtg_eval.registry import Registry
from vtg_eval.task import SplitMetadata
from vtg_eval.types import OutputType, Sample, Span, Target
from vtg_eval.video.pyav import PyavDecoder


def checked(task: SmallTask, root: Path) -> Audit:
    return audit(task, root, "test", PyavDecoder().probe)


def findings(result: Audit) -> dict[str, tuple[str, ...]]:
    return {finding.name: finding.where for finding in result.findings if finding.count}


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder


def test_a_sound_split_is_complete(tmp_path: Path, videos: Path) -> None:
    write_clock(videos / "a.mp4", 48)
    samples = [sample("a/0", (0.0, 1.0)), sample("a/1", (1.0, 2.0), query="it ends")]
    result = checked(SmallTask(samples), tmp_path)
    assert findings(result) == {}
    assert result.complete
    assert (result.queries, result.videos, result.videos_present) == (2, 1, 1)


def test_missing_and_unreadable_videos_are_named(tmp_path: Path, videos: Path) -> None:
    (videos / "b.mp4").write_text("no video")
    result = checked(SmallTask([sample("a/0", (0, 1)), sample("b/0", (0, 1))]), tmp_path)
    names = findings(result)
    assert names["videos missing"] == ("a",)
    assert names["videos unreadable"][0].startswith("b: b.mp4: invalid data")
    assert not result.complete


def test_files_of_another_length_than_annotated(tmp_path: Path, videos: Path) -> None:
    for name in "abc":
        write_clock(videos / f"{name}.mp4", 48)
    samples = [sample("a/0", (0, 1), 2.9), sample("b/0", (0, 1), 3.5), sample("c/0", (0, 1), 0.5)]
    names = findings(checked(SmallTask(samples), tmp_path))
    assert names["videos shorter than annotated by over 1 s"] == ("b: -1.50 s",)
    assert names["videos longer than annotated by over 1 s"] == ("c: +1.50 s",)


def test_truth_beyond_the_end_of_annotation_and_of_file(tmp_path: Path, videos: Path) -> None:
    write_clock(videos / "a.mp4", 48)
    samples = [
        sample("a/0", (0.0, 2.5)),
        sample("a/1", (0.0, 3.5), query="it ends"),
        sample("a/2", (0.0, 3.5), duration=None, query="it never ends"),
        sample("b/0", (0.0, 2.0)),
    ]
    names = findings(checked(SmallTask(samples), tmp_path))
    assert names["truth beyond the annotated end"] == ("a/0", "a/1")
    assert names["truth beyond the annotated end by over 1 s"] == ("a/1",)
    assert names["truth beyond the file's end"] == ("a/0", "a/1", "a/2")
    assert names["truth beyond the file's end by over 1 s"] == ("a/1", "a/2")


def test_odd_spans_and_duplicates(tmp_path: Path) -> None:
    samples = [
        sample("a/0", (1.0, 1.0)),
        sample("a/1", (2.0, 1.0)),
        sample("a/1", (-1.0, 1.0), query="it ends"),
        sample("a/2", (0.0, float("nan")), query="what"),
    ]
    names = findings(checked(SmallTask(samples), tmp_path))
    assert names["truth empty or reversed"] == ("a/0", "a/1", "a/2")
    assert names["truth before the start or not finite"] == ("a/1", "a/2")
    assert names["duplicate sample ids"] == ("a/1",)
    assert names["duplicate (video, query)"] == ("a: it happens",)


def test_queries_that_are_empty_and_samples_that_cannot_be_used(tmp_path: Path) -> None:
    samples = [
        sample("a/0", (0.0, 1.0), query=" "),
        sample("a/1", (0.0, 1.0), duration=-2.0),
        sample("../b", (0.0, 1.0)),
        sample(f"c/{'0' * 300}", (0.0, 1.0)),
    ]
    result = checked(SmallTask(samples), tmp_path)
    names = findings(result)
    assert names["empty query"] == ("a/0",)
    first, second, third = names["unusable samples"]
    assert first.startswith("a/1 has a duration of -2 s")
    assert second.startswith("../b names a video that cannot be a file of the data: '..'")
    assert "… has an id of 302 characters" in third
    assert names["videos missing"] == ("a",)
    assert not result.sound


def test_missing_videos_alone_leave_a_split_sound(tmp_path: Path) -> None:
    result = checked(SmallTask([sample("a/0", (0.0, 1.0))]), tmp_path)
    assert (result.sound, result.complete) == (True, False)


def test_other_counts_than_the_card_are_not_complete(tmp_path: Path, videos: Path) -> None:
    write_clock(videos / "a.mp4", 48)
    task = SmallTask([sample("a/0", (0, 1))], metadata=SplitMetadata("test", 1, 2))
    result = checked(task, tmp_path)
    assert findings(result) == {}
    assert not result.complete


def test_the_subset_digest_is_of_the_samples_with_a_video(tmp_path: Path, videos: Path) -> None:
    write_clock(videos / "a.mp4", 48)
    samples = [sample("a/1", (0, 1)), sample("b/0", (0, 1)), sample("a/0", (1, 2), query="x")]
    result = checked(SmallTask(samples), tmp_path)
    assert result.subset == hashlib.sha256(b"a/0\na/1\n").hexdigest()
    assert result.samples_present == 2


@needs_benchmarks
@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (
            "test",
            {
                "truth beyond the annotated end": 562,
                "truth beyond the annotated end by over 1 s": 228,
                "videos missing": 1334,
            },
        ),
        ("train", {"truth empty or reversed": 4, "videos missing": 5338}),
    ],
)
def test_charades_sta_has_its_documented_faults(split: str, expected: dict[str, int]) -> None:
    task = Registry.discover().task("charades_sta")
    result = audit(task, BENCHMARKS, split, PyavDecoder().probe)
    assert (result.queries, result.videos) == (result.expected_queries, result.expected_videos)
    assert {f.name: f.count for f in result.findings if f.count} == expected


def test_faulty_options_and_overlapping_spans_are_named(tmp_path: Path) -> None:
    def asked(name: str, choice: str | None, *options: str) -> Sample:
        target = Target(choice=choice)
        return Sample(name, "a", name, target, options=options, asks=OutputType.CHOICE)

    samples = [
        asked("a/0", "A", "x", "y"),
        asked("a/1", None, "x", "y"),
        asked("a/2", "B", "x", "y", "y"),
        asked("a/3", "A", "x", " "),
        asked("a/4", "A", "x"),
        Sample("a/5", "a", "q", Target((Span(3, 4), Span(0, 3)))),
        Sample("a/6", "a", "r", Target((Span(3, 4), Span(0, 2)))),
    ]
    names = findings(checked(SmallTask(samples), tmp_path))
    assert names["no right option"] == ("a/1",)
    assert names["the right option stands there twice"] == ("a/2",)
    assert names["empty options"] == ("a/3",)
    assert names["one option only"] == ("a/4",)
    assert names["truth spans that overlap or touch"] == ("a/5",)
