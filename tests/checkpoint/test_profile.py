from __future__ import annotations

from pathlib import Path

import pytest

from vtg_eval.checkpoint.profile import PROFILE_FILE, Profile, load_profile
from vtg_eval.errors import UserError
from vtg_eval.protocol import FrameRule, PromptRule, ResolvedProtocol

PROTOCOL = ResolvedProtocol(
    "p@1", "", "", frames=FrameRule(), prompt=PromptRule(text="When: {query}")
)


def load(folder: Path, text: str) -> Profile:
    (folder / PROFILE_FILE).write_text(text)
    return load_profile(folder)


def test_without_a_profile_the_protocol_is_unchanged(tmp_path: Path) -> None:
    assert load_profile(tmp_path).applied(PROTOCOL) == PROTOCOL
    assert load_profile(None).applied(PROTOCOL) == PROTOCOL


def test_the_first_folder_with_a_profile_counts(tmp_path: Path) -> None:
    lora, base = tmp_path / "lora", tmp_path / "base"
    for folder in (lora, base):
        folder.mkdir()
    load(base, "fps = 1")
    assert load_profile(lora, base).fps == 1
    load(lora, "fps = 4")
    assert load_profile(lora, base).fps == 4


def test_profile_values_override_the_protocol(tmp_path: Path) -> None:
    profile = load(tmp_path, 'min_tokens = 4\nmax_tokens = 4\nfps = 1\nprompt_prefix = "Look. "')
    applied = profile.applied(PROTOCOL)
    assert applied.frames == FrameRule(min_tokens=4, max_tokens=4, fps=1)
    assert applied.prompt.text == "Look. When: {query}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_token = 4", 'Did you mean "max_tokens"'),
        ("max_tokens = 0", "max_tokens is 0; it must be a whole number above 0"),
        ("max_tokens = 1.5", "max_tokens"),
        ("fps = nan", "fps"),
        ("fps = true", "fps"),
        ("prompt_prefix = 1", "prompt_prefix is 1; it must be text"),
        ("fps =", "not TOML"),
    ],
)
def test_mistakes_are_named(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        load(tmp_path, text)
