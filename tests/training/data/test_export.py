"""Exports: what other projects document that they load, loaded as they load it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.answers import target_text
from vtg_eval.training.data.export import LAYOUTS, Exporter, export, frame_arguments
from vtg_eval.training.data.sample import TrainingSample
from vtg_eval.training.recipe import load_recipe
from vtg_eval.training.shipped import find_recipe

from vtg_eval.errors import UserError
from vtg_eval.parsing.answers import parse_answer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.types import Prediction, Span

REGISTRY = Registry.discover()
RECIPE = load_recipe(find_recipe("timelens-8b"))
TIMELENS = REGISTRY.protocol("timelens@1").without_task
STRICT = REGISTRY.protocol("strict@2").without_task
TIME_R1 = REGISTRY.protocol("time-r1@1").without_task
HOSTILE = "a <video> and an <image>, <audio> and {query}"


def sample(name: str = "a", **more: Any) -> TrainingSample:
    values: dict[str, Any] = {
        "video": f"didemo/{name}.mp4",
        "query": "the cat sits",
        "source": "didemo",
    }
    values |= {"duration": 30.0, "spans": (Span(5, 10),)} | more
    return TrainingSample(id=name, **values)


SAMPLES = [sample("a"), sample("b", query=HOSTILE), sample("c", spans=(Span(1.25, 2), Span(5, 9)))]


def exporter(protocol: ResolvedProtocol = TIMELENS, videos: Path = Path("videos"), **model: object):
    return Exporter(RECIPE, lambda sample: protocol, 28, videos)


def write(to: str, out: Path, samples=SAMPLES, protocol: ResolvedProtocol = TIMELENS) -> list[Path]:
    return list(export(exporter(protocol), to, samples, samples, out))


def test_ms_swift_gets_what_its_page_on_custom_datasets_asks_for(tmp_path: Path) -> None:
    for path in write("ms-swift", tmp_path / "out"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == len(SAMPLES)
        for row in rows:
            # swift/dataset/preprocessor/core.py: roles, contents that are text, standard keys
            assert set(row) <= {"messages", "videos", "solution"}
            roles = [message["role"] for message in row["messages"]]
            assert roles == ["user", "assistant"] if path.name == "sft.jsonl" else ["user"]
            assert all(isinstance(m["content"], str) and m["content"] for m in row["messages"])
            assert all(set(message) == {"role", "content"} for message in row["messages"])
            # as many tags as files, and no tag of another kind
            text = "".join(message["content"] for message in row["messages"])
            assert text.count("<video>") == len(row["videos"]) == 1
            assert "<image>" not in text and "<audio>" not in text
            assert Path(row["videos"][0]).is_absolute()
            assert isinstance(row.get("solution", ""), str)


def test_ms_swifts_files_load_as_a_json_data_set(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra train")
    paths = write("ms-swift", tmp_path / "out")
    loaded = datasets.load_dataset(
        "json", data_files=str(paths[1]), split="train", cache_dir=str(tmp_path / "cache")
    )
    label = json.loads(loaded[2]["solution"])
    assert label == {
        "id": "c",
        "spans": [[1.25, 2.0], [5.0, 9.0]],
        "choice": None,
        "duration": 30.0,
    }


def test_verl_gets_the_five_fields_and_its_loader_finds_one_video(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra train")
    clip = [*SAMPLES, sample("d", clip=Span(0, 30))]
    (path,) = write("verl", tmp_path / "out", clip, STRICT)
    loaded = datasets.load_dataset(
        "parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert {"data_source", "prompt", "ability", "reward_model", "extra_info"} < set(
        loaded.column_names
    )
    for index, row in enumerate(loaded):
        # rl_dataset.py splits contents at the tags; vision_utils.py wants a dict with "video"
        assert sum(message["content"].count("<video>") for message in row["prompt"]) == 1
        assert not any("<image>" in message["content"] for message in row["prompt"])
        (video,) = row["videos"]
        assert video["video"].startswith("file:///")
        assert (video["fps"], video["total_pixels"]) == (2.0, 14336 * 28 * 28)
        assert row["reward_model"]["style"] == "rule"
        assert json.loads(row["reward_model"]["ground_truth"])["id"] == clip[index].id
        assert row["extra_info"]["index"] == index
    assert loaded[0]["videos"][0]["video_start"] is None
    assert loaded[3]["videos"][0]["video_end"] == 30.0


def test_easyr1_gets_texts_and_paths(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra train")
    (path,) = write("easyr1", tmp_path / "out")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    for row in loaded:
        # dataset.py: text parts between "<video>" tags, as many as paths
        assert len(row["prompt"].split("<video>")) == 1 + len(row["videos"]) == 2
        assert Path(row["videos"][0]).is_absolute()
        assert json.loads(row["answer"])["spans"]


def test_the_prompt_is_the_protocols_with_the_video_where_it_says() -> None:
    text = exporter().prompt(sample())
    assert text.startswith("<video>Please find the visual event described by the sentence 'the cat")
    last = replace(TIMELENS, prompt=replace(TIMELENS.prompt, layout="text-first"))
    assert exporter(last).prompt(sample()).endswith("<video>")
    assert [m["role"] for m in exporter(TIME_R1).messages(sample())] == ["system", "user"]


@pytest.mark.parametrize(
    ("to", "samples", "protocol", "message"),
    [
        ("ms-swif", SAMPLES, TIMELENS, 'Did you mean "ms-swift"'),
        ("ms-swift", [], TIMELENS, "no sample"),
        ("ms-swift", [sample(clip=Span(0, 30))], TIMELENS, "1 samples show a part of a file"),
        ("easyr1", SAMPLES, TIME_R1, "system message"),
        (
            "verl",
            SAMPLES,
            replace(TIMELENS, frames=replace(TIMELENS.frames, policy="uniform")),
            "uniform",
        ),
        (
            "verl",
            SAMPLES,
            REGISTRY.protocol("timechat@1").without_task,
            "frame times|uniform|no prompt",
        ),
        ("verl", [sample(options=("a", "b"), choice="A")], TIMELENS, "no prompt that asks for"),
        (
            "verl",
            [sample(spans=(), options=("a", "b"), choice="A")],
            REGISTRY.protocol("strict-subtitles@2").without_task,
            "shows frame times or subtitles",
        ),
    ],
)
def test_what_cannot_be_exported_is_refused(tmp_path, to, samples, protocol, message) -> None:
    with pytest.raises(UserError, match=message):
        write(to, tmp_path / "out", samples, protocol)
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


@pytest.mark.parametrize("to", sorted(LAYOUTS))
def test_nothing_is_overwritten(tmp_path: Path, to: str) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra train")
    paths = write(to, tmp_path)
    before = [path.read_bytes() for path in paths]
    with pytest.raises(UserError, match="exists already"):
        write(to, tmp_path)
    assert [path.read_bytes() for path in paths] == before


def test_frame_sizes_are_in_px() -> None:
    arguments = frame_arguments(TIMELENS.frames, 32)
    assert arguments["min_pixels"] == 64 * 32 * 32
    assert arguments["max_frames"] == TIMELENS.frames.max_frames


@pytest.mark.parametrize("protocol", [STRICT, TIMELENS, TIME_R1], ids=lambda p: p.name)
@given(times=st.tuples(st.integers(0, 5000), st.integers(2, 3000)))
def test_the_answer_to_learn_is_read_as_the_label(protocol, times) -> None:
    start, end = times[0] / 10, sum(times) / 10
    asked = sample(spans=(Span(start, end),))
    text = target_text(asked, protocol, reasoning=False)
    parsed = parse_answer(asked.to_sample(), Prediction("a", text=text), protocol)
    assert parsed.span == pytest.approx((start, end), abs=0.051)


def test_several_moments_and_options_are_learnt() -> None:
    assert target_text(SAMPLES[2], STRICT, False) == "1.2 - 2.0, 5.0 - 9.0"
    options: dict[str, Any] = {"options": ("red", "blue"), "choice": "B"}
    assert target_text(sample(spans=(), **options), STRICT, False) == "B"
    assert target_text(sample(**options), STRICT, False) == "B, 5.0 - 10.0"


def test_reasoning_is_learnt_as_it_stands_or_asked_for() -> None:
    thought = "<think>so</think> <time>[5, 10]</time>"
    assert target_text(sample(reasoning=thought), STRICT, True) == thought
    assert target_text(sample(reasoning=thought), STRICT, False) == "5.0 - 10.0"
    with pytest.raises(UserError, match="no reasoning text"):
        target_text(sample(), STRICT, True)


def test_a_label_that_the_protocol_cannot_read_is_named() -> None:
    with pytest.raises(UserError, match="vtimellm@1 does not read"):
        target_text(sample(), REGISTRY.protocol("vtimellm@1").without_task, False)
