"""What happens beside the steps: the log, the bar, the stop on a plateau."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

# the least by which a smoothed reward or deviation has to move to count as better
LEAST = 1e-3


def plateaued(rewards: Sequence[float], deviations: Sequence[float], patience: int) -> bool:
    """Tell whether neither figure has improved within the last `patience` steps (0: never).

    Both are smoothed (exponentially, over about `patience` steps). A reward improves by rising
    above its best, a deviation within groups by falling below its lowest: while it still falls,
    the answers still settle.
    """
    if patience < 1:
        return False
    falling = [-deviation for deviation in deviations]
    return all(_stale(figure, patience) >= patience for figure in (rewards, falling))


def _stale(figure: Sequence[float], patience: int) -> int:
    """Return for how many steps a smoothed figure has not risen above its best."""
    weight = 2 / (patience + 1)
    best, smooth, since = -math.inf, math.nan, 0
    for value in figure:
        smooth = value if math.isnan(smooth) else smooth + weight * (value - smooth)
        since += 1
        if smooth > best + LEAST:
            best, since = smooth, 0
    return since


class PlateauStop(TrainerCallback):
    """Ends RL on a plateau. It knows nothing but the logged history, so it resumes as it was."""

    def __init__(self, patience: int) -> None:
        self._patience = patience

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Stop, and save, on a plateau."""
        if on_plateau(state.log_history, self._patience):
            control.should_training_stop = control.should_save = True


def on_plateau(history: Sequence[Mapping[str, Any]], patience: int) -> bool:
    """Tell whether a logged history ends on a plateau."""
    steps = [entry for entry in history if "reward" in entry]
    return plateaued(
        [entry["reward"] for entry in steps],
        [entry["group_deviation"] for entry in steps],
        patience,
    )


class _EachStep(TrainerCallback):
    """Hands each step's figures on; what is logged when training ends is no step."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self.log_step(state, logs)

    def log_step(self, state: TrainerState, logs: Mapping[str, Any]) -> None:
        """Show or keep the figures of a step."""
        raise NotImplementedError


class StepLog(_EachStep):
    """Writes one JSON line a step. columns: the trainer's name for a figure -> the log's."""

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._path = path
        self._columns = columns

    def log_step(self, state: TrainerState, logs: Mapping[str, Any]) -> None:
        """Append the step's figures."""
        if not state.is_world_process_zero:
            return
        line = {name: logs[key] for key, name in self._columns.items() if key in logs}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **line}) + "\n")


class StepBar(_EachStep):
    """A bar on a terminal, nothing elsewhere. shown: the figures beside it."""

    def __init__(self, label: str, shown: Sequence[str]) -> None:
        self._label = label
        self._shown = shown
        self._bar: Any = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Show what is done already."""
        self._bar = tqdm(
            desc=self._label,
            total=state.max_steps,
            initial=state.global_step,
            unit="step",
            dynamic_ncols=True,
            disable=not (state.is_world_process_zero and sys.stderr.isatty()),
            file=sys.stderr,
        )

    def log_step(self, state: TrainerState, logs: Mapping[str, Any]) -> None:
        """Count a step."""
        if self._bar is None:
            return
        self._bar.set_postfix({k: f"{logs[k]:.3g}" for k in self._shown if k in logs})
        self._bar.update(1)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
