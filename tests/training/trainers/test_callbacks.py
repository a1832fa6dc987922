"""What a training shows while it runs: the progress bar, the warning about cut answers."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra train")

from vtg_eval.training.recipe import RlRule
from vtg_eval.training.trainers.callbacks import CUT, CutWarning, StepBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def state(step: int, main: bool = True) -> Any:
    return SimpleNamespace(global_step=step, max_steps=9, is_world_process_zero=main)


@pytest.mark.parametrize(("share", "text"), [(0.35, "answers_cut=35% (too many)"), (0.2, "")])
def test_the_bar_shows_cut_answers_where_they_are_too_many(
    share: float, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = StepBar("tiny", ["reward"])
    bar.on_train_begin(None, state(0), None)
    bar.on_log(None, state(1), None, {"loss": 0.0, "reward": 0.5, CUT: share})
    bar.on_train_end(None, state(1), None)
    shown = terminal.getvalue()
    assert "reward=0.5" in shown and text in shown
    assert ("answers_cut" in shown) is bool(text)


def test_the_warning_is_given_again_only_after_a_step_with_fewer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    warning = CutWarning(RlRule(steps=9, max_new_tokens=64))
    for step, share in enumerate((0.5, 0.6, 0.1, 0.3, None), 1):
        warning.on_log(None, state(step), None, {"loss": 0.0, CUT: share})
    warning.on_log(None, state(9), None, {"train_loss": 0.0, CUT: 1.0})
    warning.on_log(None, state(9, main=False), None, {"loss": 0.0, CUT: 1.0})
    err = capsys.readouterr().err
    assert err.count("vtg-train: warning:") == 2
    assert "50% of the answers of step 1 were cut at 64 tokens. Raise rl.max_new_tokens" in err
    assert "30% of the answers of step 4" in err
