"""The samples of each stage: pools, their filters, and no sample in two stages by accident."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vtg_eval.training.data.leaks import Evaluation, EvaluationSplit
from vtg_eval.training.data.pools import StageSamples, stage_samples
from vtg_eval.training.data.sample import TrainingSample, replace_samples
from vtg_eval.training.recipe import (
    CurationRule,
    DataRule,
    FilterRule,
    ModelRule,
    Recipe,
    RewardRule,
    RlRule,
    SftRule,
)

from vtg_eval.errors import UserError
from vtg_eval.types import Span

NOTHING = Evaluation(())
BOTH = Recipe(
    "tiny", "", "", ModelRule("nano"), DataRule(),
    sft=SftRule(steps=1), rewards=RewardRule(tiou=1.0), rl=RlRule(steps=1),
)  # fmt: skip


def sample(name: str, query: str, length: float = 1.0) -> TrainingSample:
    return TrainingSample(name, "a.mp4", query, (Span(0, length),), "test", duration=40.0)


def pool(folder: Path, name: str, *samples: TrainingSample) -> tuple[str]:
    """Write a file of samples; return it as an entry of [data]."""
    (folder / "a.mp4").touch()
    replace_samples(folder / name, samples)
    return (str(folder / name),)


def kept(recipe: Recipe, data: DataRule, folder: Path) -> StageSamples:
    asked = replace(recipe, data=replace(data, videos=str(folder)))
    return stage_samples(asked, NOTHING, (), folder / "leaks.jsonl")


def ids(samples: tuple[TrainingSample, ...]) -> list[str]:
    return [sample.id for sample in samples]


def test_one_pool_for_both_stages_needs_a_word_of_the_recipe(tmp_path: Path) -> None:
    data = DataRule(pool(tmp_path, "a.jsonl", sample("a", "one"), sample("b", "two")))
    with pytest.raises(UserError, match=r"2 of 2 samples of \[rl\] .* \(the first: a, b\).*shared"):
        kept(BOTH, data, tmp_path)
    both = kept(BOTH, replace(data, shared=True), tmp_path)
    assert ids(both.cold_start) == ids(both.rl) == ["a", "b"]


@pytest.mark.parametrize("missing", ["sft", "rl"])
def test_one_stage_alone_shares_nothing(tmp_path: Path, missing: str) -> None:
    data = DataRule(pool(tmp_path, "a.jsonl", sample("a", "one")))
    assert ids(kept(replace(BOTH, **{missing: None}), data, tmp_path).rl) == ["a"]


def test_each_stage_keeps_the_samples_of_its_own_pool(tmp_path: Path) -> None:
    data = DataRule(
        cold_start=pool(tmp_path, "sft.jsonl", sample("0", "one"), sample("1", "two")),
        rl=pool(tmp_path, "rl.jsonl", sample("0", "three")),
    )
    samples = kept(BOTH, data, tmp_path)
    assert ids(samples.cold_start) == ["0", "1"]
    assert [s.query for s in samples.rl] == ["three"]  # its "0" is another sample
    assert samples.read == 3
    for heading in ("# Leaks (data.cold_start)", "# Missing videos (data.rl)"):
        assert heading in samples.report


def test_a_pool_of_one_stage_stands_beside_that_of_all(tmp_path: Path) -> None:
    data = DataRule(
        pool(tmp_path, "all.jsonl", sample("a", "one")),
        rl=pool(tmp_path, "rl.jsonl", sample("b", "two")),
    )
    samples = kept(BOTH, data, tmp_path)
    assert (ids(samples.cold_start), ids(samples.rl)) == (["a"], ["b"])


def test_a_sample_is_the_same_under_another_id(tmp_path: Path) -> None:
    data = DataRule(
        cold_start=pool(tmp_path, "sft.jsonl", sample("x", "A door opens."), sample("y", "two")),
        rl=pool(tmp_path, "rl.jsonl", sample("z", "a door opens"), sample("y", "three")),
    )
    with pytest.raises(UserError, match=r"1 of 2 samples of \[rl\].*the first: z\)"):
        kept(BOTH, data, tmp_path)


def test_filters_of_a_stage_come_after_those_of_all(tmp_path: Path) -> None:
    pools = DataRule(
        pool(tmp_path, "a.jsonl", *(sample(f"{n}", f"q{n}", n) for n in (0.5, 2, 4, 8, 16)))
    )
    rule = CurationRule(
        moment_seconds=(1, 10),
        cold_start=FilterRule(moment_seconds=(0, 4)),
        rl=FilterRule(moment_seconds=(5, 100)),
    )
    samples = kept(replace(BOTH, curation=rule), pools, tmp_path)
    assert (ids(samples.cold_start), ids(samples.rl)) == (["2", "4"], ["8"])
    for heading in ("# Left out by [curation.cold_start]", "# Left out by [curation.rl]"):
        assert heading in samples.report


def test_a_stage_without_samples_is_refused(tmp_path: Path) -> None:
    pools = DataRule(
        cold_start=pool(tmp_path, "sft.jsonl", sample("a", "one"), sample("b", "two", 9.0)),
        rl=pool(tmp_path, "rl.jsonl", sample("c", "three")),
    )
    narrow = CurationRule(moment_seconds=(0, 5), cold_start=FilterRule(moment_seconds=(2, 9)))
    counts = r"moment length, 0 to 5: 1 of 2, moment length, 2 to 9: 1 of 1\. Widen"
    with pytest.raises(UserError, match=rf"for \[sft\]: \[curation\] left out by {counts}"):
        kept(replace(BOTH, curation=narrow), pools, tmp_path)
    assert ids(kept(replace(BOTH, curation=narrow, sft=None), pools, tmp_path).rl) == ["c"]
    nothing = replace(pools, rl=pool(tmp_path, "empty.jsonl"))
    with pytest.raises(UserError, match=r"for \[rl\]: its files have none"):
        kept(BOTH, nothing, tmp_path)


def test_each_pool_is_checked_for_leaks_and_missing_videos(tmp_path: Path) -> None:
    data = DataRule(
        cold_start=pool(tmp_path, "sft.jsonl", sample("a", "one")),
        rl=pool(tmp_path, "rl.jsonl", replace(sample("b", "two"), video="lost.mp4")),
        videos=str(tmp_path),
    )
    with pytest.raises(UserError, match=r"1 of 1 samples are missing.*lost\.mp4"):
        stage_samples(replace(BOTH, data=data), NOTHING, (), tmp_path / "leaks.jsonl")
    scored = Evaluation((EvaluationSplit("charades_sta", "test", [("a", "other")]),))
    rl = pool(tmp_path, "rl.jsonl", sample("b", "two"))
    leaking = replace(BOTH, data=replace(data, rl=rl))
    with pytest.raises(UserError, match="1 of 1 training samples are about videos that are scored"):
        stage_samples(leaking, scored, ("charades_sta",), tmp_path / "leaks.jsonl")
    listed = (tmp_path / "leaks.jsonl").read_text().splitlines()
    assert [json.loads(line)["sample"] for line in listed] == ["a", "b"]
    assert stage_samples(leaking, scored, (), tmp_path / "leaks.jsonl").read == 2


@given(
    sft=st.sets(st.integers(0, 9), min_size=1),
    rl=st.sets(st.integers(0, 9), min_size=1),
    shared=st.booleans(),
)
def test_rows_of_both_stages_are_disjoint_unless_the_recipe_shares_them(
    tmp_path_factory: pytest.TempPathFactory, sft: set[int], rl: set[int], shared: bool
) -> None:
    folder = tmp_path_factory.mktemp("pools")
    data = DataRule(
        cold_start=pool(folder, "sft.jsonl", *(sample(f"s{n}", f"q{n}") for n in sorted(sft))),
        rl=pool(folder, "rl.jsonl", *(sample(f"r{n}", f"q{n}") for n in sorted(rl))),
        shared=shared,
    )
    if sft & rl and not shared:
        with pytest.raises(UserError, match=rf"^{len(sft & rl)} of {len(rl)} samples of \[rl\]"):
            kept(BOTH, data, folder)
    else:
        samples = kept(BOTH, data, folder)
        assert (len(samples.cold_start), len(samples.rl)) == (len(sft), len(rl))
