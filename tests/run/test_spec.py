import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from vtg_eval.checkpoint.profile import Profile
from vtg_eval.errors import UserError
from vtg_eval.files.digests import differences
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.run.spec import RunSpec, annotation_digest
from vtg_eval.types import Group, Sample, Span, Target

SPEC = RunSpec(
    model="models/x y",
    checkpoint="c0",
    adapter="fake",
    task="fake_vtg",
    task_version="1-A",
    split="test",
    annotations="a0",
    limit=None,
    protocol=ResolvedProtocol("strict@2", "s", "here", notes=("n",)),
    engine="fake",
    engine_args={"b": 1, "a": [1, 2]},
)


def test_the_folders_name_is_a_plain_file_name() -> None:
    name = SPEC.folder_name
    assert name.startswith("models_x_y-fake_vtg-strict@2-")
    assert "/" not in name
    assert not replace(SPEC, model="../..").folder_name.startswith(".")


def test_equal_specs_lead_to_the_same_folder() -> None:
    assert replace(SPEC, engine_args={"a": [1, 2], "b": 1}).folder_name == SPEC.folder_name


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"seed": 1}, "seed (before 0, now 1)"),
        ({"limit": 5}, "limit (before not set, now 5)"),
        ({"engine_args": {"b": 1}}, "engine_args.a (before [1, 2], now not set)"),
        (
            {"protocol": replace(SPEC.protocol, frames=FrameRule(fps=1.0))},
            "protocol.frames.fps (before 2.0, now 1.0)",
        ),
    ],
)
def test_every_difference_changes_the_folder_and_is_named(
    change: dict[str, Any], difference: str
) -> None:
    other = replace(SPEC, **change)
    assert other.folder_name != SPEC.folder_name
    assert differences(SPEC.to_json(), other.to_json()) == [difference]


def test_a_spec_read_back_from_its_file_differs_in_nothing() -> None:
    assert differences(json.loads(json.dumps(SPEC.to_json())), SPEC.to_json()) == []


def test_a_spec_survives_the_manifest() -> None:
    assert RunSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC


def test_a_profile_is_part_of_the_spec_and_nothing_without_one() -> None:
    assert "profile" not in SPEC.to_json()
    other = replace(SPEC, profile="mine@1")
    assert RunSpec.from_json(json.loads(json.dumps(other.to_json()))) == other
    assert differences(SPEC.to_json(), other.to_json()) == ["profile (before not set, now mine@1)"]
    assert other.digest != SPEC.digest
    assert (SPEC.rules, other.rules) == ("strict@2", "strict@2 with mine@1")


def test_a_missing_optional_key_of_a_spec_is_accepted_and_an_unknown_key_refused() -> None:
    table = SPEC.to_json()
    del table["trust_remote_code"], table["protocol"]["generation"]["temperature"]
    assert RunSpec.from_json(table) == SPEC
    table["protocol"]["score"]["handicap"] = 3
    with pytest.raises(UserError, match=r'no key "spec\.protocol\.score\.handicap"'):
        RunSpec.from_json(table)


@pytest.mark.parametrize(
    ("task", "split", "protocol", "profile", "digest"),
    [
        (
            *("qvhighlights", "val", "strict@1", Profile()),
            "abc8934193c9117deee7f1b80cf15d5bc9e349636455da79ca294054a7673daa",
        ),
        (
            *("mlvu", "dev", "lmms-eval@0.7"),
            Profile(fps=1.0, max_tokens=128, prompt_prefix="Look closely.\n"),
            "0ba3606d9eae8a2fc27b7764a6f2b6061a17b96b662d2d5d71658e037208811b",
        ),
        (
            *("tempcompass", "yes_no", "tempcompass@1", Profile()),
            "2b4c485bd2b7499e4eb95cb62db4d7572948ce33d6604c2159d805ba382f626f",
        ),
    ],
)
def test_existing_runs_keep_their_folder(
    task: str, split: str, protocol: str, profile: Profile, digest: str
) -> None:
    registry = Registry.discover()
    spec = RunSpec(
        model="a-model",
        checkpoint="c0",
        adapter="qwen3_vl",
        task=task,
        task_version="1-A",
        split=split,
        annotations="a0",
        limit=None,
        protocol=profile.applied(registry.protocol_for(registry.task(task).card, protocol, split)),
        engine="vllm",
        decoder="pyav",
    )
    assert spec.digest == digest
    assert spec.folder_name == f"a-model-{task}-{protocol}-{digest[:8]}"
    assert spec.to_json()["protocol"]["overrides"] == {}


def test_the_annotations_digest_sees_every_change() -> None:
    sample = Sample("a", "v", "q", Target((Span(0, 1),)), 2.0)
    others = [
        replace(sample, query="p"),
        replace(sample, duration=2.5),
        replace(sample, target=Target((Span(0, 1.5),))),
    ]
    assert len({annotation_digest([s]) for s in (sample, *others)}) == 4
    assert annotation_digest([sample, others[0]]) != annotation_digest([others[0], sample])


def test_the_annotations_digest_is_that_of_plain_json() -> None:
    # existing runs keep their digest: sorted keys, no spaces, nested tables
    sample = Sample("a", "v", "q", Target((Span(0, 1),)), 2.0, groups=(Group("kind", "x"),))
    text = json.dumps([asdict(sample)], sort_keys=True, separators=(",", ":"))
    assert annotation_digest([sample]) == hashlib.sha256(text.encode()).hexdigest()
