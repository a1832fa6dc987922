"""How many of a split's samples a predictions file answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vtg_eval.failures import Failure
from vtg_eval.parsing.predictions_file import KEYS, shown
from vtg_eval.types import OutputType, Prediction, Sample

CONTENT = KEYS[1:]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the samples have an answer of the kind that they ask for.

    unknown: the ids of records for none of the samples. useless: the ids of records with a value of
    the wrong kind, or without anything that their samples ask for.
    """

    samples: int
    answered: int
    unknown: tuple[str, ...]
    useless: tuple[str, ...]

    @property
    def poor(self) -> bool:
        """Whether the file may belong to other samples: an id is unknown, or most are missing."""
        return bool(self.unknown) or 2 * self.answered < self.samples

    def line(self, task: str, split: str | None = None) -> str:
        """Return the line that says so, empty where there is an answer to each sample.

        split: as the user named it, for the command that lists the ids.
        """
        if not self.unknown and self.answered == self.samples:
            return ""
        line = f"Answers for {self.answered:,} of {self.samples:,} samples"
        if self.unknown:
            count = len(self.unknown)
            named = "record names an unknown id" if count == 1 else "records name unknown ids"
            line += f"; {count:,} {named} (first: {shown(self.unknown[0])})"
        if self.useless:
            count = len(self.useless)
            line += (
                f"; {count:,} of the records have no {'/'.join(CONTENT)} that can be used "
                f"(first: {shown(self.useless[0])})"
            )
        command = f"vtg-eval samples {task}" + (f" --split {split}" if split else "")
        return f"{line}. `{command}` lists the ids."


def coverage(samples: Iterable[Sample], predictions: Iterable[Prediction]) -> Coverage:
    """Compare the samples with the predictions."""
    asked = {sample.id: sample.asks for sample in samples}
    answered, unknown, useless = set[str](), [], []
    for prediction in predictions:
        if prediction.id not in asked:
            unknown.append(prediction.id)
        elif _answers(asked[prediction.id], prediction):
            answered.add(prediction.id)
        else:
            useless.append(prediction.id)
    return Coverage(len(asked), len(answered), tuple(unknown), tuple(useless))


def _answers(asks: OutputType, prediction: Prediction) -> bool:
    """Tell whether a record has something of the kind that its sample asks for, right or wrong."""
    if prediction.text is not None:
        return True
    if prediction.failure is Failure.TOO_MANY_SPANS:
        return True
    has_times = prediction.spans is not None or prediction.saliency is not None
    has_choice = prediction.choice is not None
    return (asks is not OutputType.CHOICE and has_times) or (
        asks is not OutputType.SPANS and has_choice
    )
