"""The shipped profiles against their sources, and the mistakes that a profile's file can hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests import published_prompts as published
from tests.fakes import make_registry
from vtg_eval.errors import PluginError, UserError
from vtg_eval.hookspecs import hookimpl
from vtg_eval.profile import NamedProfile, load_named_profile
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.question import question
from vtg_eval.registry import Registry
from vtg_eval.types import Sample, Target

REGISTRY = Registry.discover()
PROFILES = REGISTRY.profiles
RUN = {name: profile for name, profile in PROFILES.items() if profile.protocol}
ISSUE = {"tvg-r1", "time-r1", "videochat-r1", "timelens-7b", "timelens-8b", "timelens2"} | {
    *("videomind-grounder", "unitime", "video-r1", "taro")
}
QUERY = "person opens a {door} to [EVENT]."
GROUNDING = Sample("a", "v", QUERY, Target())
CHOICE = replace(GROUNDING, options=("a dog", "a cat"))
SENTENCE = QUERY.removesuffix(".")
PAGE = (Path(__file__).parents[1] / "docs" / "profiles.md").read_text(encoding="utf-8")
MINE = """
name = "mine@1"
summary = "s"
source = "here"
architectures = ["Mine"]
protocol = "strict@2"
"""


def resolved(name: str) -> ResolvedProtocol:
    """Return a profile's protocol as it holds for samples without a task."""
    profile = PROFILES[name]
    return profile.applied(REGISTRY.protocol(profile.protocol).without_task)


def row(profile: NamedProfile) -> str:
    """Return a profile's line in the table of docs/profiles.md."""
    names = ", ".join(f"`{name}`" for name in profile.recognises)
    if not profile.protocol:
        return f"| {profile.name} | refused | | | {names} |"
    asked = resolved(profile.name)
    rule = asked.frames
    frames = (
        f"{rule.policy}, {rule.fps:g} fps, {rule.min_frames} to {rule.max_frames:,}; "
        f"{rule.min_tokens} to {rule.max_tokens:,} tokens each, {rule.total_tokens:,} in all"
    )
    tokens = f"{asked.generation.max_new_tokens:,}, {asked.generation.decoding}"
    return f"| {profile.name} | {profile.protocol} | {frames} | {tokens} | {names} |"


def section(profile: NamedProfile) -> str:
    """Return a profile's section of docs/profiles.md, its tags not taken for HTML."""
    remarks = [("Source", profile.source), ("For", ", ".join(profile.architectures))]
    remarks += [("Refused", profile.refused), ("Caveat", profile.caveat)]
    replaced = ", ".join(f"{part}.{key}" for part, keys in profile.rules.items() for key in keys)
    remarks += [(f"In the place of {profile.protocol}'s", replaced)]
    lines = [f"### {profile.name}", "", profile.summary, ""]
    lines += [f"- {head}: {text}" for head, text in remarks if text]
    lines += [f"- Not reproduced: {sentence}" for sentence in profile.not_reproduced]
    return "\n".join(lines).replace("<", "\\<")


def load(folder: Path, text: str) -> NamedProfile:
    path = folder / "mine.toml"
    path.write_text(text)
    return load_named_profile(path)


def test_every_fine_tune_of_the_plan_has_a_profile() -> None:
    assert {name.partition("@")[0] for name in PROFILES} == ISSUE


@pytest.mark.parametrize("name", PROFILES)
def test_the_page_has_each_profile_as_it_is(name: str) -> None:
    assert row(PROFILES[name]) in PAGE.splitlines()
    assert f"\n{section(PROFILES[name])}\n" in PAGE


def test_the_page_has_no_other_profile() -> None:
    headings = [line.removeprefix("### ") for line in PAGE.splitlines() if line.startswith("### ")]
    assert headings == list(PROFILES)


def test_no_two_profiles_recognise_the_same_name() -> None:
    names = Counter(name for profile in PROFILES.values() for name in profile.recognises)
    assert max(names.values()) == 1
    assert all(profile.recognises and profile.source for profile in PROFILES.values())


@pytest.mark.parametrize("name", RUN)
def test_a_profile_fits_its_protocol_on_every_task_that_it_covers(name: str) -> None:
    profile = RUN[name]
    protocol = REGISTRY.protocol(profile.protocol)
    cards = [REGISTRY.task(task).card for task in REGISTRY.tasks]
    covered = [card for card in cards if protocol.covers(card.name, card.metric_family)]
    assert covered
    for card in covered:
        asked = profile.applied(REGISTRY.protocol_for(card, profile.protocol))
        assert asked.prompt.text or asked.prompt.choice
        assert asked.name == profile.protocol


@pytest.mark.parametrize(
    ("name", "text", "system"),
    [
        ("time-r1@1", published.TIME_R1.replace("[EVENT]", QUERY), "You are a helpful assistant."),
        ("videochat-r1@1", published.TIMEZERO.replace("[EVENT]", QUERY), ""),
        ("timelens-8b@1", published.TIMELENS.format(SENTENCE), ""),
        ("timelens2@1", published.TIMELENS.format(SENTENCE), ""),
        ("timelens-7b@1", published.TIMELENS_STAMPED.format(SENTENCE), ""),
        ("tvg-r1@1", QUERY, published.TVG_R1_SYSTEM),
        ("taro@1", published.TARO.format(query=QUERY), ""),
    ],
)
def test_the_prompt_is_the_published_one_to_the_letter(name: str, text: str, system: str) -> None:
    rule = resolved(name).prompt
    assert question(GROUNDING, rule) == text
    assert rule.system == system


def test_the_prompt_of_video_r1_is_the_published_one_to_the_letter() -> None:
    asked = QUERY + "Options:\n" + "".join(f"{option}\n" for option in ("A. a dog", "B. a cat"))
    expected = published.VIDEO_R1.format(Question=asked) + published.VIDEO_R1_CHOICE
    rule = replace(resolved("video-r1@1").prompt, text=resolved("video-r1@1").prompt.choice)
    assert question(CHOICE, rule) == expected


@pytest.mark.parametrize(
    ("name", "frames", "tokens", "layout"),
    [
        ("time-r1@1", FrameRule("fps-index", 2, 4, 768, 16, 768, 3584), 1024, "video-first"),
        ("videochat-r1@1", FrameRule("fps-index", 2, 4, 768, 16, 768, 3584), 2048, "text-first"),
        ("tvg-r1@1", FrameRule("fps-index", 2, 64, 64, 4, 2048, 2048), 2048, "video-first"),
        ("timelens-7b@1", FrameRule("fps-index", 2, 4, 768, 64, 768, 14336), 512, "video-first"),
        ("timelens-8b@1", FrameRule("fps-index", 2, 4, 768, 64, 768, 14336), 512, "video-first"),
        ("timelens2@1", FrameRule("fps", 4, 4, 2048, 1, 400, 128000), 4096, "video-first"),
        ("taro@1", FrameRule("fps-index", 2, 4, 1024, 4, 768, 4096), 1024, "video-first"),
        ("video-r1@1", FrameRule("fps-index", 2, 4, 32, 128, 256, 115200), 1024, "video-first"),
    ],
)
def test_budgets_are_the_published_ones(
    name: str, frames: FrameRule, tokens: int, layout: str
) -> None:
    protocol = resolved(name)
    assert protocol.frames == frames
    assert protocol.generation.max_new_tokens == tokens
    assert protocol.prompt.layout == layout


@pytest.mark.parametrize("name", sorted(set(PROFILES) - set(RUN)))
def test_what_cannot_be_run_says_why(name: str) -> None:
    assert len(PROFILES[name].refused) > 40


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MINE.replace("@1", ""), 'name is "mine"; it must end in a version'),
        (MINE.replace("source =", "sauce ="), 'no key "sauce". Did you mean "source"'),
        (MINE.replace('source = "here"\n', ""), 'the key "source" is missing'),
        (MINE.replace('["Mine"]', "[]"), "architectures is empty"),
        (MINE.replace('["Mine"]', '"Mine"'), "architectures is 'Mine'; it must be a list"),
        (MINE.replace('"strict@2"', '""'), "either a protocol or, in refused, the reason"),
        (MINE + 'refused = "it dances"', "either a protocol or, in refused, the reason"),
        (MINE + "[frames]\nfsp = 4", 'no key "frames.fsp". Did you mean "fps"'),
        (MINE + "[frames]\nfps = 'four'", "frames.fps is 'four'; it must be a finite number"),
        (MINE + "[answers]\nunit = 'seconds'", 'no key "answers"'),
        (MINE + "[rules]\nfps = 4", 'no key "rules"'),
        ("name =", "not TOML"),
    ],
)
def test_mistakes_are_named(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text)
    assert says in str(caught.value) and str(tmp_path / "mine.toml") in str(caught.value)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("[frames]\nmin_tokens = 1000", "mine@1 on strict@2: frames.min_tokens is above"),
        ('[prompt]\ntext = "When?"', "prompt.text has no {query}"),
        ('[prompt]\ntext = "When: {qeury}"', 'Did you mean "query"'),
        ("[generation]\nmax_new_tokens = 0", "generation.max_new_tokens is 0"),
    ],
)
def test_values_that_do_not_fit_the_protocol_are_named(
    table: str, says: str, tmp_path: Path
) -> None:
    profile = load(tmp_path, MINE + table)
    with pytest.raises(UserError) as caught:
        profile.applied(REGISTRY.protocol("strict@2").without_task)
    assert says in str(caught.value)


def test_only_the_keys_of_a_profile_differ_from_the_protocol(tmp_path: Path) -> None:
    protocol = REGISTRY.protocol("strict@2").without_task
    profile = load(tmp_path, MINE + "[frames]\nfps = 1\n[generation]\nmax_new_tokens = 8\n")
    assert profile.applied(protocol) == replace(
        protocol,
        frames=replace(protocol.frames, fps=1.0),
        generation=replace(protocol.generation, max_new_tokens=8),
    )


def test_a_third_partys_profile_is_found_and_a_broken_one_costs_itself_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, broken = tmp_path / "good.toml", tmp_path / "broken.toml"
    good.write_text(MINE)
    broken.write_text(MINE.replace("mine@1", "other@1") + "colour = 5\n")

    class Plugin:
        @hookimpl
        def vtg_profiles(self) -> list[Path]:
            return [broken, good]

    registry = make_registry(Plugin())
    assert registry.profile("mine@1").architectures == ("Mine",)
    assert f"a profile of vtg_profiles is left out: {broken}" in capsys.readouterr().err
    with pytest.raises(PluginError, match='The profile "other@1" is left out'):
        registry.profile("other@1")
    with pytest.raises(UserError, match=r'no profile "time-r1@2". Did you mean "time-r1@1"'):
        registry.profile("time-r1@2")
