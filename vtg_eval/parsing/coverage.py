"""How many of a split's samples a predictions file answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vtg_eval.parsing.predictions_file import shown
from vtg_eval.types import Prediction, Sample


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the samples have a record. unknown: the ids of records for none of them."""

    samples: int
    answered: int
    unknown: tuple[str, ...]

    @property
    def poor(self) -> bool:
        """Whether the file may belong to other samples: an id is unknown, or most are missing."""
        return bool(self.unknown) or 2 * self.answered < self.samples

    def line(self, task: str, split: str | None = None) -> str:
        """Return the line that says so, empty where there is a record for each sample.

        split: as the user named it, for the command that lists the ids.
        """
        if not self.unknown and self.answered == self.samples:
            return ""
        line = f"Answers for {self.answered:,} of {self.samples:,} samples"
        if self.unknown:
            count = len(self.unknown)
            named = "record names an unknown id" if count == 1 else "records name unknown ids"
            line += f"; {count:,} {named} (first: {shown(self.unknown[0])})"
        command = f"vtg-eval samples {task}" + (f" --split {split}" if split else "")
        return f"{line}. `{command}` lists the ids."


def coverage(samples: Iterable[Sample], predictions: Iterable[Prediction]) -> Coverage:
    """Compare the ids of samples and predictions."""
    ids = {sample.id for sample in samples}
    named = [prediction.id for prediction in predictions]
    unknown = tuple(name for name in named if name not in ids)
    return Coverage(len(ids), len(ids.intersection(named)), unknown)
