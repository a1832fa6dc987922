"""Callbacks of the trainers: the log, the progress bar, a warning, the stop on a plateau."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState

from ..recipe import RlRule
from .cut_answers import advice, too_many
from .step_clock import StepClock

CUT = "completions/clipped_ratio"  # TRL's name for the share of answers that are cut
MIN_IMPROVEMENT = 1e-3  # of a smoothed reward or deviation


def plateaued(rewards: Sequence[float], deviations: Sequence[float], patience: int) -> bool:
    """Tell whether neither figure has improved within the last `patience` steps (0: never).

    Both are smoothed (exponentially, over about `patience` steps). A reward improves when it rises
    above its best, a deviation within groups when it falls below its lowest, because the answers
    of a group then still become more alike.
    """
    if patience < 1:
        return False
    negated = [-deviation for deviation in deviations]
    return all(_stale_steps(curve, patience) >= patience for curve in (rewards, negated))


def _stale_steps(curve: Sequence[float], patience: int) -> int:
    """Return for how many steps the smoothed curve has not risen above its best."""
    weight = 2 / (patience + 1)
    best, smooth, stale = -math.inf, math.nan, 0
    for value in curve:
        smooth = value if math.isnan(smooth) else smooth + weight * (value - smooth)
        stale += 1
        if smooth > best + MIN_IMPROVEMENT:
            best, stale = smooth, 0
    return stale


def on_plateau(history: Sequence[Mapping[str, Any]], patience: int) -> bool:
    """Tell whether a logged history ends on a plateau."""
    steps = [entry for entry in history if "reward" in entry]
    return plateaued(
        [entry["reward"] for entry in steps],
        [entry["group_deviation"] for entry in steps],
        patience,
    )


class PlateauStop(TrainerCallback):
    """Ends RL on a plateau. It depends on the logged history only, so a resumed run stops alike."""

    def __init__(self, patience: int) -> None:
        self._patience = patience

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Stop, and save, on a plateau."""
        if on_plateau(state.log_history, self._patience):
            control.should_training_stop = control.should_save = True


class StepLog(TrainerCallback):
    """Writes one JSON line a step. columns: the trainer's name for a figure -> the log's.

    clock: measures the steps; their seconds are in the line, and in no state of the trainer.
    """

    def __init__(self, path: Path, columns: Mapping[str, str], clock: StepClock) -> None:
        self._path = path
        self._columns = columns
        self._clock = clock

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Begin the first step; loading the model is no part of it."""
        self._clock.begin()

    def on_step_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """The batches of a step are there."""
        self._clock.switch("learning")

    def on_log(
        self, args: Any, state: TrainerState, control: Any, logs: Mapping[str, Any], **_: Any
    ) -> None:
        """Append the step's figures; the summary at the end of training is not a step."""
        if "loss" not in logs or not state.is_world_process_zero:
            return
        line = {name: logs[key] for key, name in self._columns.items() if key in logs}
        line = {"step": state.global_step, **line, **self._clock.lap()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _cut_share(logs: Mapping[str, Any]) -> float:
    return float(logs.get(CUT) or 0.0)  # absent in fine-tuning; TRL gives None for no figure


class CutWarning(TrainerCallback):
    """Warns when too many answers of a step are cut, once until a step has fewer."""

    def __init__(self, rule: RlRule) -> None:
        self._rule = rule
        self._warned = False

    def on_log(
        self, args: Any, state: TrainerState, control: Any, logs: Mapping[str, Any], **_: Any
    ) -> None:
        """Print the warning to standard error."""
        if "loss" not in logs or not state.is_world_process_zero:
            return
        share = _cut_share(logs)
        if too_many(share) and not self._warned:
            tqdm.write(
                f"vtg-train: warning: {share:.0%} of the answers of step {state.global_step} were "
                f"cut at {self._rule.max_new_tokens} tokens. {advice(self._rule)}",
                file=sys.stderr,
            )
        self._warned = too_many(share)


class StepBar(TrainerCallback):
    """A progress bar, on terminals only. shown: names of the figures beside it.

    The share of answers that are cut is shown where it is too large.
    """

    def __init__(self, label: str, shown: Sequence[str]) -> None:
        self._label = label
        self._shown = shown
        self._bar: Any = None

    def on_train_begin(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Show the bar, with the steps before a resumption."""
        self._bar = tqdm(
            desc=self._label,
            total=state.max_steps,
            initial=state.global_step,
            unit="step",
            dynamic_ncols=True,
            disable=not (state.is_world_process_zero and sys.stderr.isatty()),
            file=sys.stderr,
        )

    def on_log(
        self, args: Any, state: TrainerState, control: Any, logs: Mapping[str, Any], **_: Any
    ) -> None:
        """Count a step."""
        if "loss" in logs:
            shown = {k: f"{logs[k]:.3g}" for k in self._shown if k in logs}
            share = _cut_share(logs)
            cut = {"answers_cut": f"{share:.0%} (too many)"} if too_many(share) else {}
            self._bar.set_postfix({**shown, **cut})
            self._bar.update(1)

    def on_train_end(self, args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Leave the bar as it is."""
        self._bar.close()
