from __future__ import annotations

import json
from pathlib import Path

import pytest

from vtg_eval.adapter import Checkpoint
from vtg_eval.checkpoint.choose_profile import choose_profile, refuse_unrunnable
from vtg_eval.checkpoint.profile import PROFILE_FILE
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry

REGISTRY = Registry.discover()
QWEN2_5, QWEN3 = "Qwen2_5_VLForConditionalGeneration", "Qwen3VLForConditionalGeneration"
SWITCH = "--profile none leaves it out."


def checkpoint(
    folder: Path, *, title: str = "", base: str = "", origin: str = "", architecture: str = QWEN3
) -> Checkpoint:
    """Write a folder that says these things of itself."""
    config = {"architectures": [architecture], "_name_or_path": origin}
    (folder / "config.json").write_text(json.dumps(config))
    if title or base:
        (folder / "README.md").write_text(f"---\nbase_model: {base}\n---\n# {title}\n")
    return resolve(str(folder), REGISTRY)[0]


def chosen(
    checkpoint: Checkpoint, name: str | None = None, protocol: str | None = None
) -> str | None:
    profile = choose_profile(checkpoint, name, protocol, REGISTRY)
    return None if profile is None else profile.name


def test_a_folder_that_says_nothing_has_no_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chosen(checkpoint(tmp_path, origin="Qwen/Qwen3-VL-8B-Instruct", title="Mine")) is None
    assert capsys.readouterr().err == ""


def test_a_recognised_folder_is_announced_with_the_reason_and_the_switch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = checkpoint(tmp_path, title="TimeLens-8B", base="Qwen/Qwen3-VL-8B-Instruct")
    assert chosen(model) == "timelens-8b@1"
    assert capsys.readouterr().err == (
        "vtg-eval: profile timelens-8b@1, under timelens@1: the title of its README.md is "
        f'"TimeLens-8B". {SWITCH}\n'
    )
    assert chosen(model, "none") is None
    assert capsys.readouterr().err == ""


def test_a_snapshot_in_the_hubs_cache_is_recognised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "models--MCG-NJU--TimeLens2-4B" / "snapshots" / "a5ce450"
    folder.mkdir(parents=True)
    assert chosen(checkpoint(folder)) == "timelens2@1"
    assert 'its name on the hub is "MCG-NJU/TimeLens2-4B"' in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["timelens-8b", "TimeLens-8B-GPTQ", "tencentarc/TimeLens-8B", "My TimeLens-8B"]
)
def test_a_name_that_is_only_alike_is_not_recognised(name: str, tmp_path: Path) -> None:
    assert chosen(checkpoint(tmp_path, title=name, base=name, origin=name)) is None


def lora(folder: Path, base: Checkpoint) -> Checkpoint:
    """Write a LoRA's folder that names its base."""
    folder.mkdir(parents=True)
    settings = {"base_model_name_or_path": str(base.path)}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return resolve(str(folder), REGISTRY)[0]


def test_a_lora_is_recognised_by_its_own_folder_then_by_its_bases(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = checkpoint(tmp_path / "base", title="TimeLens-8B")
    assert chosen(lora(tmp_path / "mine", base)) == "timelens-8b@1"
    unitime = lora(tmp_path / "models--zeqianli--UniTime" / "snapshots" / "1", base)
    with pytest.raises(UserError, match="unitime@1"):
        chosen(unitime)


def test_what_a_folder_is_comes_before_what_it_was_made_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = checkpoint(tmp_path, title="TimeLens-8B", base="MCG-NJU/TimeLens2-8B")
    assert chosen(model) == "timelens-8b@1"
    capsys.readouterr()
    assert chosen(checkpoint(tmp_path, title="Mine", base="MCG-NJU/TimeLens2-8B")) == "timelens2@1"
    assert 'base_model in its README.md is "MCG-NJU/TimeLens2-8B"' in capsys.readouterr().err


def test_a_folder_that_says_two_things_needs_the_users_choice(tmp_path: Path) -> None:
    model = checkpoint(tmp_path, base="zhengmh/TaRO-8B", origin="MCG-NJU/TimeLens2-8B")
    with pytest.raises(UserError) as caught:
        chosen(model)
    assert "timelens2@1: _name_or_path in its config.json" in str(caught.value)
    assert "taro@1: base_model in its README.md" in str(caught.value)
    assert "--profile NAME, or --profile none" in str(caught.value)
    assert chosen(model, "taro@1") == "taro@1"


def test_a_recognised_profile_of_another_architecture_is_left_out_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chosen(checkpoint(tmp_path, title="TimeLens-8B", architecture=QWEN2_5)) is None
    err = capsys.readouterr().err
    assert f"the profile timelens-8b@1 is for {QWEN3}; it is left out" in err


def test_a_chosen_profile_is_not_announced_and_must_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = checkpoint(tmp_path, title="TimeLens-8B", architecture=QWEN2_5)
    assert chosen(model, "time-r1@1") == "time-r1@1"
    assert capsys.readouterr().err == ""
    with pytest.raises(UserError, match=f"timelens-8b@1 is for {QWEN3}, and .* has {QWEN2_5}"):
        chosen(model, "timelens-8b@1")
    with pytest.raises(UserError, match=r'no profile "time-r1". Did you mean "time-r1@1"'):
        chosen(model, "time-r1")
    unknown, _ = resolve("baseline:random", REGISTRY)
    assert chosen(unknown) is None
    assert chosen(unknown, "time-r1@1") == "time-r1@1"


def test_the_users_protocol_comes_before_the_profiles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = checkpoint(tmp_path, title="TimeLens-8B")
    assert chosen(model, protocol="strict@2") is None
    assert capsys.readouterr().err == (
        'vtg-eval: the profile timelens-8b@1 (the title of its README.md is "TimeLens-8B") asks '
        "under timelens@1; it is left out, as --protocol strict@2 was given.\n"
    )
    assert chosen(model, "timelens2@1", "strict@2") is None
    assert "(--profile names it)" in capsys.readouterr().err
    assert chosen(model, protocol="timelens@1") == "timelens-8b@1"


def test_a_caveat_is_printed_however_the_profile_came(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = checkpoint(tmp_path, origin="TencentARC/TimeLens-7B", architecture=QWEN2_5)
    for name in (None, "timelens-7b@1"):
        assert chosen(model, name) == "timelens-7b@1"
        assert "timelens-7b@1: its own processor writes" in capsys.readouterr().err
    chosen(model, protocol="strict@2")
    assert "its own processor" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("title", "origin", "profile"),
    [("VideoMind-7B", "", "videomind-grounder@1"), ("", "zeqianli/UniTime", "unitime@1")],
)
def test_what_no_engine_can_run_is_refused_with_the_reason(
    title: str, origin: str, profile: str, tmp_path: Path
) -> None:
    model = checkpoint(tmp_path, title=title, origin=origin, architecture=QWEN2_5)
    for name in (None, profile):
        with pytest.raises(UserError) as caught:
            chosen(model, name)
        assert REGISTRY.profile(profile).refused in str(caught.value)
        assert "--profile none" in str(caught.value)
    assert chosen(model, "none") is None


def test_a_folder_without_a_profile_or_a_runnable_one_is_not_refused(tmp_path: Path) -> None:
    refuse_unrunnable(tmp_path / "gone", REGISTRY)
    checkpoint(tmp_path, title="TimeLens-8B")
    refuse_unrunnable(tmp_path, REGISTRY)
    checkpoint(tmp_path, title="VideoMind-2B")
    with pytest.raises(UserError, match="videomind-grounder@1"):
        refuse_unrunnable(tmp_path, REGISTRY)


def test_a_folders_own_file_may_name_a_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = checkpoint(tmp_path, title="TimeLens-8B")
    (tmp_path / PROFILE_FILE).write_text('profile = "timelens2@1"\nmax_tokens = 8\n')
    assert chosen(model) == "timelens2@1"
    assert capsys.readouterr().err == (
        f"vtg-eval: profile timelens2@1, under timelens@1: its {PROFILE_FILE} names it. {SWITCH}\n"
    )
    assert chosen(model, "timelens-8b@1") == "timelens-8b@1"
    assert chosen(model, "none") is None
    (tmp_path / PROFILE_FILE).write_text('profile = "time-r1@1"\n')
    with pytest.raises(UserError, match=f"time-r1@1 is for {QWEN2_5}"):
        chosen(model)
    (tmp_path / PROFILE_FILE).write_text('profile = "timelens3@1"\n')
    with pytest.raises(UserError, match="Did you mean"):
        chosen(model)
