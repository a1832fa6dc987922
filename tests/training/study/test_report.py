"""A study's page: what it says of given figures; the committed page is made of its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from vtg_eval.training.shipped import find_recipe
from vtg_eval.training.study.report import Figures, read_figures, study_page
from vtg_eval.training.study.scores import Scores, read_scores, write_scores
from vtg_eval.training.study.study import Study, load_study
from vtg_eval.training.study.trainings import TrainingFacts, read_trainings, write_trainings
from vtg_eval.training.study.tuning import TryScore

from tests.training.study.test_study import study
from vtg_eval.errors import UserError

DOCS = Path(__file__).parents[3] / "docs"
GATE = TrainingFacts("none", 3, 0, 64, 0.95, 0.04, None, 0, 0, None, None, None, 0.05, 0.0)
RL = TrainingFacts("one", 3, 16, 32, 0.2, 0.9, 12, 8, 64, 0.25, 0.125, 3, 0.97, 41.5)


def figures(shift: float, noise: float = 0.0) -> Figures:
    """Two seeds of `one`, and of `two`: better by `shift` on each sample, by `noise` for seed 5."""
    values = np.random.default_rng(0).uniform(0.2, 0.6, size=(2, 40)).round(6)
    none = np.full((1, 40), 0.25)
    seeds = np.array([[shift], [shift + noise]])
    scores = Scores(
        splits=("test",) * 40,
        ids=tuple(f"s{n}" for n in range(40)),
        videos=tuple(f"v{n // 2}" for n in range(40)),
        arms=("none", "one", "one", "two", "two"),
        seeds=(3, 3, 5, 3, 5),
        values=np.concatenate([none, values, values + seeds]),
    )
    tries = [TryScore(a, t, s) for a in ("one", "two") for t, s in (("low", 0.2), ("high", 0.3))]
    return Figures(scores, tries, [GATE, RL, replace(RL, arm="two", rl_cut=None)])


def line(page: str, start: str) -> str:
    return next(line for line in page.splitlines() if line.startswith(start))


@pytest.fixture
def small(tmp_path: Path) -> Study:
    return study(tmp_path)


@pytest.mark.parametrize(
    ("shift", "noise", "cells"),
    [
        (0.1, 0.0, ["+10.0 [+10.0, +10.0]", "a difference"]),
        (0.0, 0.0, ["+0.0 [+0.0, +0.0]", "1.0000", "not separable"]),
        (0.02, 0.1, ["+7.0 [", "not separable"]),  # on all videos, but not with both seeds alike
    ],
)
def test_a_contrast_is_tested_over_seeds_and_videos(
    small: Study, shift: float, noise: float, cells: list[str]
) -> None:
    row = line(study_page(small, figures(shift, noise)), "| two less one")
    assert all(cell in row for cell in cells), row


def test_the_gate_is_met_or_missed(small: Study) -> None:
    page = study_page(small, figures(0.1))
    assert "In 64 answers: 95% and 4%. The gate is met." in " ".join(page.split())
    missed = figures(0.1)._replace(trainings=[replace(GATE, rated_constant=0.5), RL])
    assert "The gate is **missed**." in " ".join(study_page(small, missed).split())


def test_all_tries_and_what_was_spent_are_listed(small: Study) -> None:
    page = study_page(small, figures(0.1))
    tries = page[page.index("## Tries") :]
    assert [cell.strip() for cell in line(tries, "| two").split("|")[2:5]] == [
        "20.0",
        "30.0",
        "high",
    ]
    assert "12.5%" in page and "97.0%" in page
    assert "40 samples on 20 videos" in page
    assert "| none" in page and "25.0 [25.0, 25.0]" in page


def test_a_score_that_is_no_number_is_a_dash(small: Study) -> None:
    broken = figures(0.1)
    broken.scores.values[3, 0] = np.nan
    page = study_page(small, broken)
    assert "nan" not in page
    assert "not separable" in line(page, "| two less one")


def test_files_come_back_as_they_were_written(tmp_path: Path) -> None:
    scores, path = figures(0.1).scores, tmp_path / "scores.csv"
    write_scores(path, scores)
    loaded = read_scores(path)
    np.testing.assert_allclose(loaded.values, scores.values, atol=1e-6)
    assert (loaded.ids, loaded.videos) == (scores.ids, scores.videos)
    assert (loaded.arms, loaded.seeds) == (scores.arms, scores.seeds)
    path = tmp_path / "trainings.csv"
    write_trainings(path, [GATE, RL])
    assert read_trainings(path) == [GATE, RL]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="does not hold a study's trainings"):
        read_trainings(path)
    with pytest.raises(UserError, match="does not hold a study's scores"):
        read_scores(path)


def test_the_committed_page_is_made_of_the_committed_figures() -> None:
    page = study_page(load_study(find_recipe("nano-study")), read_figures(DOCS / "nano-study"))
    assert page == (DOCS / "nano-study.md").read_text(encoding="utf-8")
