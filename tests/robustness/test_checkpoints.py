"""Broken checkpoints: each is refused at the start, in one line with a remedy, or runs as it must.

Refusals are tested by the command line on a data root whose only video is no video: a run that
came so far as to read it would end otherwise.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import torch

from tests.engine_case import RunSetup, make_adapter, make_setup
from tests.robustness.broken_checkpoints import (
    NON_FINITE,
    RULE,
    Broken,
    Weights,
    diverged,
    quantised,
    runs,
    tied,
    weights,
    without,
)
from tests.robustness.case import RIGHT_VALUE
from tests.robustness.checkpoint_cases import CASES, WRONG
from vtg_eval.cli import main
from vtg_eval.engines.base import Completion, Engine, EngineOptions, Request
from vtg_eval.engines.loading import check_checkpoint, load_model, load_processor
from vtg_eval.engines.transformers import TransformersEngine
from vtg_eval.errors import UserError
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule
from vtg_eval.run.requests import probe_request

REFUSED = tuple(case for case in CASES if case.outcome not in (RIGHT_VALUE, NON_FINITE))
DIVERGED = tuple(case for case in CASES if case.outcome == NON_FINITE)
RUNS = tuple(case for case in CASES if case.outcome == RIGHT_VALUE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunSetup]:
    return {
        family: make_setup(family, tmp_path_factory.mktemp(family))
        for family in ("qwen2_5_vl", "qwen3_vl")
    }


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    folder = root / "charades_sta"
    (folder / "videos").mkdir(parents=True)
    (folder / "Charades_v1_test.csv").write_text("id,length\nA0001,10.0\n")
    (folder / "charades_sta_test.txt").write_text("A0001 1.0 4.0##a person opens a door\n")
    (folder / "videos" / "A0001.mp4").write_bytes(b"no video")
    return root


def broken(case: Broken, whole: dict[str, RunSetup], folder: Path) -> Path:
    """Return the case's folder: links to the files of the whole checkpoint, then changed."""
    target = folder / "checkpoint"
    target.mkdir()
    for file in whole[case.family].folder.iterdir():
        os.link(file, target / file.name)
    case.change(target)
    return target


def names(case: Broken) -> str:
    return case.name.replace(" ", "-")


@pytest.mark.parametrize("case", REFUSED, ids=names)
def test_it_is_refused_in_one_line_before_a_video_is_read(
    case: Broken,
    whole: dict[str, RunSetup],
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VTG_EVAL_CACHE", str(tmp_path / "cache"))
    folder = broken(case, whole, tmp_path)
    messages = []
    for extra in ([], ["--plan"]) if case in REFUSED[::8] else ([],):
        code = main(
            [
                *("--model", str(folder), "--tasks", "charades_sta"),
                *("--data-root", str(data_root), "--engine", "transformers"),
                *("--out", str(tmp_path / "run"), *extra),
            ]
        )
        out, err = capfd.readouterr()
        assert (code, out) == (2, "")
        messages.append(err)
    message = messages[0]
    assert set(messages) == {message}
    assert message.startswith("vtg-eval: ")
    assert message.count("\n") == 1
    assert case.outcome in message
    assert case.says in message
    assert "above" not in message.replace("a number above 0", "")  # no report that was hidden
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("case", RUNS, ids=names)
def test_it_answers_as_the_whole_checkpoint_does(
    case: Broken, whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    setup = whole[case.family]
    folder = broken(case, whole, tmp_path)
    assert answer(folder, setup) == answer(setup.folder, setup)


@pytest.mark.parametrize(
    ("case", "decoding"),
    [
        *((case, "greedy") for case in DIVERGED),
        (DIVERGED[0], "sample"),
        (DIVERGED[0], "checkpoint"),
    ],
    ids=lambda value: value if isinstance(value, str) else names(value),
)
def test_logits_that_are_not_finite_are_no_answer(
    case: Broken, decoding: Any, whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    setup = whole[case.family]
    rule = GenerationRule(max_new_tokens=4, decoding=decoding, temperature=1.0)
    engine = TransformersEngine(broken(case, whole, tmp_path), rule, EngineOptions())
    for completion in engine.generate(setup.requests[:3]):
        assert (completion.finish, completion.text) == (Finish.NON_FINITE, "")
        assert "the logits of token 1 of the answer are NaN" in (completion.error or "")


@pytest.mark.engine
@pytest.mark.xdist_group("engines")
def test_both_engines_notice_the_same_samples(whole: dict[str, RunSetup], tmp_path: Path) -> None:
    """NaN in the embedding of a token that one of four queries has, next to sound ones."""
    from vtg_eval.engines.vllm import VllmEngine

    setup = whole["qwen3_vl"]
    requests = setup.requests[:4]
    tokenizer = load_processor(setup.folder).tokenizer
    texts = [set(tokenizer(request.prompt)["input_ids"]) for request in requests]
    only = min(texts[2] - texts[0] - texts[1] - texts[3])

    def rule(tensors: Weights) -> Weights:
        tensors["model.language_model.embed_tokens.weight"][only] = math.nan
        return tensors

    folder = broken(diverged("NaN in one token", weights(rule), "qwen3_vl"), whole, tmp_path)
    sound = finishes(TransformersEngine(setup.folder, RULE, EngineOptions()), requests)
    for make in (TransformersEngine, VllmEngine):
        engine: Engine = make(folder, RULE, EngineOptions())
        completions = finishes(engine, requests)
        engine.close()
        assert completions.pop(requests[2].sample_id).finish is Finish.NON_FINITE
        assert completions == {
            r.sample_id: sound[r.sample_id] for r in requests if r is not requests[2]
        }


def finishes(engine: Engine, requests: Sequence[Request]) -> dict[str, Completion]:
    return {completion.sample_id: completion for completion in engine.generate(requests)}


@pytest.mark.parametrize("head", [None, lambda embedding: embedding], ids=["left out", "saved too"])
def test_a_head_that_is_tied_may_be_saved_or_not(
    head: Any, whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    case = runs("tied", tied(head))
    model = load_model(broken(case, whole, tmp_path), torch.float32)
    assert torch.equal(model.lm_head.weight, model.get_input_embeddings().weight)
    check(tmp_path / "checkpoint")


def check(folder: Path) -> None:
    TransformersEngine.check(folder, EngineOptions(), partial(probe_request, make_adapter(folder)))


def test_quantised_weights_are_known_by_their_modules(
    whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    """Whether an engine runs the method is another question: tests/engines/test_quantisation.py."""
    case = runs("quantised", quantised)
    folder = broken(case, whole, tmp_path)
    probe = partial(probe_request, make_adapter(folder))
    check_checkpoint(folder, probe)
    without("layers.1.mlp.up_proj")(folder)
    with pytest.raises(UserError, match=r"1 missing \(model.language_model.layers.1.mlp.up_proj"):
        check_checkpoint(folder, probe)


def answer(folder: Path, setup: RunSetup) -> Completion:
    check(folder)
    engine = TransformersEngine(folder, RULE, EngineOptions())
    (completion,) = engine.generate(setup.requests[:1])
    return completion


@pytest.mark.parametrize("case", REFUSED[:12], ids=names)
def test_training_refuses_the_same_weights(
    case: Broken, whole: dict[str, RunSetup], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=WRONG):
        load_model(broken(case, whole, tmp_path), torch.float32)
