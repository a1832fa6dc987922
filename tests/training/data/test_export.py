"""Exports: what other projects document that they load, loaded as they load it."""

from __future__ import annotations

import functools
import importlib.util
import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.answers import target_text
from vtg_eval.training.data.contexts import SampleContexts
from vtg_eval.training.data.export import LAYOUTS, export
from vtg_eval.training.data.export_files import frame_arguments
from vtg_eval.training.data.export_rows import Exporter
from vtg_eval.training.data.sample import TrainingSample, sample_from
from vtg_eval.training.recipe import Recipe, RewardRule, SftRule, load_recipe
from vtg_eval.training.shipped import find_recipe
from vtg_eval.training.trainers.exported_reward import ExportedReward
from vtg_eval.training.trainers.rewards import PARTS as REWARD_NAMES
from vtg_eval.training.trainers.rewards import Reward

from vtg_eval.annotations.records import AnnotationRecord
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.errors import DataError, UserError
from vtg_eval.model_input.chat_template import ChatTemplate
from vtg_eval.parsing.answers import parse_answer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.types import Prediction, Span

REGISTRY = Registry.discover()
RECIPE = load_recipe(find_recipe("timelens-8b"))
TIMELENS = REGISTRY.protocol("timelens@1").without_task
STRICT = REGISTRY.protocol("strict@2").without_task
TIME_R1 = REGISTRY.protocol("time-r1@1").without_task
TVG_R1 = replace(
    (prompted := REGISTRY.protocol("tvg-r1@1").without_task),
    prompt=replace(prompted.prompt, system=""),
)
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


def exporter(
    protocol: ResolvedProtocol = TIMELENS,
    videos: Path = Path("videos"),
    checkpoint: Path | None = None,
) -> Exporter:
    return Exporter(RECIPE, lambda sample: protocol, 28, videos, checkpoint)


def with_videos(folder: Path, samples: Iterable[TrainingSample]) -> Path:
    """Make each sample's video, empty; return the folder of videos."""
    for asked in samples:
        path = folder / "videos" / asked.video
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder / "videos"


def write(to: str, out: Path, samples=SAMPLES, protocol: ResolvedProtocol = TIMELENS) -> list[Path]:
    source = exporter(protocol, with_videos(out.parent, samples))
    return list(export(source, to, samples, samples, out))


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
    assert sample_from(AnnotationRecord("label", label)) == SAMPLES[2]


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
        ("easyr1", SAMPLES, TIME_R1, "Qwen3-VL-8B-Instruct is not on this machine: fetch it"),
        ("easyr1", SAMPLES, TVG_R1, "4 to 768 frames, and the protocol has 64 to 64"),
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
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", sorted(LAYOUTS))
def test_nothing_is_overwritten(tmp_path: Path, to: str) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra train")
    out = tmp_path / "out"
    samples = write(to, out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert len(before) > len(samples)
    with pytest.raises(UserError, match="exists already"):
        write(to, out)
    samples[0].unlink()  # one of the others is enough
    with pytest.raises(UserError, match="exists already"):
        write(to, out)
    assert {path: path.read_bytes() for path in out.iterdir()} == {
        path: content for path, content in before.items() if path.exists()
    }


def test_videos_that_do_not_exist_are_refused_with_the_first(tmp_path: Path) -> None:
    videos = with_videos(tmp_path, SAMPLES)
    (videos / "didemo/b.mp4").unlink()
    with pytest.raises(UserError, match=r"1 videos of the samples do not exist.*didemo/b\.mp4"):
        export(exporter(videos=videos), "verl", [], SAMPLES, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_setting_of_frames_is_not_enough_for_several_rules(tmp_path: Path) -> None:
    source = Exporter(
        RECIPE,
        lambda s: TIMELENS if s.id == "a" else STRICT,
        28,
        with_videos(tmp_path, SAMPLES),
    )
    with pytest.raises(UserError, match="several frame rules"):
        export(source, "ms-swift", SAMPLES, SAMPLES, tmp_path / "out")


def test_ms_swift_gets_the_frame_rule_as_variables(tmp_path: Path) -> None:
    write("ms-swift", tmp_path / "out")
    lines = (tmp_path / "out/frames.env").read_text().splitlines()
    variables = dict(line.removeprefix("export ").split("=") for line in lines)
    rule = TIMELENS.frames
    assert float(variables["FPS"]) == rule.fps
    assert int(variables["FPS_MAX_FRAMES"]) == rule.max_frames
    for kind, tokens in (("MIN", rule.min_tokens), ("MAX", rule.max_tokens)):
        assert int(variables[f"VIDEO_{kind}_TOKEN_NUM"]) == tokens
        assert int(variables[f"VIDEO_{kind}_PIXELS"]) == tokens * 28 * 28
    assert int(variables["VIDEO_TOTAL_PIXELS"]) == rule.total_tokens * 28 * 28
    # qwen-vl-utils 0.0.14 gives a video 0.9 of the sequence
    assert 0 <= int(variables["MODEL_SEQ_LEN"]) * 0.9 - rule.total_tokens < 1


def test_easyr1_gets_the_frame_rule_as_settings(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    write("easyr1", tmp_path / "out")
    settings = yaml.safe_load((tmp_path / "out/easyr1.yaml").read_text())
    data = settings["data"]
    assert (data["video_fps"], data["min_pixels"]) == (2.0, 64 * 28 * 28)
    assert "override_chat_template" not in data
    file, name = settings["worker"]["reward"]["reward_function"].split(":")
    assert (tmp_path / "out/vtg_eval_reward.py").samefile(file) and name == "compute_score"
    assert Path(file).is_absolute()  # a job of Ray has a working folder of its own
    assert f"VIDEO_MAX_PIXELS={14336 * 28 * 28}\n" in (tmp_path / "out/frames.env").read_text()


@pytest.mark.parametrize("system", [TIME_R1.prompt.system, 'a "b" \\n {{ c }} {% d %} é 🎬\nend'])
def test_easyr1_gets_a_system_message_by_the_chat_template(tmp_path: Path, system: str) -> None:
    pytest.importorskip("jinja2", reason="needs the extra hf")
    folder = resolve("nano", REGISTRY)[0].path
    assert folder is not None
    protocol = replace(TIME_R1, prompt=replace(TIME_R1.prompt, system=system))
    source = exporter(protocol, with_videos(tmp_path, SAMPLES), folder)
    export(source, "easyr1", [], SAMPLES, tmp_path / "out")
    assert load_recipe(tmp_path / "out/recipe.toml").model.checkpoint == str(folder.resolve())
    settings = json.loads((tmp_path / "out/easyr1.yaml").read_text())
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    (copy / "chat_template.jinja").write_text(settings["data"]["override_chat_template"])
    expected = ChatTemplate(folder).around(system, "video-first")
    assert system in expected.before
    assert ChatTemplate(copy).around("", "video-first") == expected


REWARDED = [
    sample("one"),
    sample("several", source="qvhighlights", spans=(Span(1.25, 2), Span(5, 9))),
    sample("option", options=("red", "blue"), choice="B"),
    sample("letter", spans=(), options=("red", "blue"), choice="A", source="mine"),
]
PARTS = (
    "5", "10.0", " - ", " to ", ", ", "s", "[", "]", "B", "(A)", "never", "<think>", "</think>",
    "<time>", "</time>", "nan", "1e999", "-3", "9" * 30, "٣", "\x00", "<video>", "\n", "[[5, 10]]",
)  # fmt: skip


def odd_answers(count: int) -> list[str]:
    """Return answers of random parts, a third of them after a moment."""
    draw = random.Random(7)
    odd = ["".join(draw.choices(PARTS, k=draw.randrange(12))) for _ in range(count)]
    for number in range(0, count, 3):
        start, length = draw.uniform(0, 20), draw.uniform(-1, 20)
        odd[number] = f"{start:.1f} - {start + length:.1f}{odd[number]}"
    return odd


@pytest.fixture(scope="module")
def every_reward() -> tuple[Recipe, SampleContexts]:
    """A recipe with a weight on each reward, and how it asks."""
    weights = {name: 0.5 + number for number, name in enumerate(REWARD_NAMES)}
    recipe = load_recipe(find_recipe("timelens2-8b"))
    recipe = replace(recipe, rewards=RewardRule(**weights, answer_format="think-time"))
    return recipe, SampleContexts(recipe.model, None, REGISTRY)


def verl_rewards(module: Any, rows: list[Any], answers: list[str]) -> list[float]:
    """As reward_manager/naive.py calls it."""
    return [
        module.compute_score(
            data_source=row["data_source"],
            solution_str=answer,
            ground_truth=row["reward_model"]["ground_truth"],
            extra_info=row["extra_info"],
        )
        for row, answer in zip(rows, answers, strict=True)
    ]


def easyr1_rewards(module: Any, rows: list[Any], answers: list[str]) -> list[float]:
    """As BatchFunctionRewardManager calls it."""
    inputs = [
        {"response": answer, "response_length": len(answer), "ground_truth": row["answer"]}
        for row, answer in zip(rows, answers, strict=True)
    ]
    scores = functools.partial(module.compute_score)(inputs)
    assert all(isinstance(value, float) for score in scores for value in score.values())
    return [score["overall"] for score in scores]


def swift_rewards(module: Any, rows: list[Any], answers: list[str]) -> list[float]:
    """As the GRPO trainer calls it, with the columns of the rows."""
    columns = {key: [row[key] for row in rows] for key in ("solution", "messages")}
    rewards: list[float] = module.orms["vtg_eval"](args=None)(answers, **columns)
    return rewards


def swift_stub() -> dict[str, ModuleType]:
    """Return what ms-swift has of rewards: a base class that keeps the arguments, and a table."""

    class ORM:
        def __init__(self, args: Any = None, **_: Any) -> None:
            self.args = args

    rewards = ModuleType("swift.rewards")
    rewards.__dict__.update(ORM=ORM, orms={})
    return {"swift": ModuleType("swift"), "swift.rewards": rewards}


@pytest.mark.parametrize(
    ("to", "called"),
    [("verl", verl_rewards), ("easyr1", easyr1_rewards), ("ms-swift", swift_rewards)],
)
def test_the_exported_reward_is_ours_on_odd_answers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    every_reward: tuple[Recipe, SampleContexts],
    to: str,
    called: Callable[[Any, list[Any], list[str]], list[float]],
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra train")
    recipe, contexts = every_reward
    videos = with_videos(tmp_path, REWARDED)
    source = Exporter(recipe, lambda s: contexts.of(s).protocol, 32, videos)
    out = tmp_path / "out"
    path = list(export(source, to, REWARDED, REWARDED, out))[-1]
    for name, stub in swift_stub().items():
        monkeypatch.setitem(sys.modules, name, stub)
    spec = importlib.util.spec_from_file_location("custom_module", out / "vtg_eval_reward.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if path.suffix == ".parquet":
        rows = parquet.read_table(path).to_pylist()
    else:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    answers = odd_answers(1000)
    asked = [REWARDED[number % 4] for number in range(1000)]
    got = called(module, [rows[number % 4] for number in range(1000)], answers)
    assert recipe.rewards is not None
    wanted = [
        Reward(recipe.rewards, contexts.of(s).protocol)(s.to_sample(), text).total
        for s, text in zip(asked, answers, strict=True)
    ]
    assert got == wanted
    assert len(set(got)) > 20  # answers of many kinds


def test_a_label_that_is_not_of_an_export_is_named(
    every_reward: tuple[Recipe, SampleContexts],
) -> None:
    reward = ExportedReward(every_reward[0])
    for label in ("", "[]", "{"):
        with pytest.raises(DataError, match="not one of an export"):
            reward(label, "5 - 10")
    with pytest.raises(DataError, match="the label"):
        reward("{}", "5 - 10")


def test_frame_sizes_are_in_px() -> None:
    arguments = frame_arguments(TIMELENS.frames, 32)
    assert arguments["min_pixels"] == 64 * 32 * 32
    assert arguments["max_frames"] == TIMELENS.frames.max_frames


@pytest.mark.parametrize("protocol", [STRICT, TIMELENS, TIME_R1], ids=lambda p: p.name)
@given(times=st.tuples(st.integers(0, 5000), st.integers(2, 3000)))
def test_the_answer_to_learn_is_read_as_the_label(protocol, times) -> None:
    start, end = times[0] / 10, sum(times) / 10
    asked = sample(spans=(Span(start, end),))
    text = target_text(asked, protocol, SftRule(steps=1))
    parsed = parse_answer(asked.to_sample(), Prediction("a", text=text), protocol)
    assert parsed.span == pytest.approx((start, end), abs=0.051)


def test_several_moments_and_options_are_learnt() -> None:
    assert target_text(SAMPLES[2], STRICT, SftRule(steps=1)) == "1.2 - 2.0, 5.0 - 9.0"
    options: dict[str, Any] = {"options": ("red", "blue"), "choice": "B"}
    assert target_text(sample(spans=(), **options), STRICT, SftRule(steps=1)) == "B"
    assert target_text(sample(**options), STRICT, SftRule(steps=1)) == "B, 5.0 - 10.0"


def test_reasoning_is_learnt_as_it_stands_or_asked_for() -> None:
    thought = "<think>so</think> <time>[5, 10]</time>"
    assert (
        target_text(sample(reasoning=thought), STRICT, SftRule(steps=1, reasoning=True)) == thought
    )
    assert target_text(sample(reasoning=thought), STRICT, SftRule(steps=1)) == "5.0 - 10.0"
    with pytest.raises(UserError, match="no reasoning text"):
        target_text(sample(), STRICT, SftRule(steps=1, reasoning=True))


def test_a_share_of_answers_is_learnt_in_words_that_are_not_in_form() -> None:
    rule = SftRule(steps=1, quantum=0.5, free_form=0.5)
    asked = [sample(f"s{number}", spans=(Span(5.2, 9.9),)) for number in range(400)]
    texts = Counter(target_text(one, STRICT, rule) for one in asked)
    assert set(texts) == {"5.0 - 10.0", "5.0 seconds, 10.0"}
    assert 150 < texts["5.0 - 10.0"] < 250
    with pytest.raises(UserError, match=r"timelens.* reads them in any form"):
        target_text(asked[0], TIMELENS, replace(rule, free_form=1.0))


def test_a_label_that_the_protocol_cannot_read_is_named() -> None:
    with pytest.raises(UserError, match="vtimellm@1 does not read"):
        target_text(sample(), REGISTRY.protocol("vtimellm@1").without_task, SftRule(steps=1))
