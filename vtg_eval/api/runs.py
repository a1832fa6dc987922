"""Scores of a finished run, or of predictions from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from vtg_eval.annotations.split import read_split
from vtg_eval.console.streams import warn
from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.files.json_files import Metrics
from vtg_eval.parsing.coverage import Coverage, coverage
from vtg_eval.parsing.predictions_file import read_predictions, to_prediction
from vtg_eval.registry import Registry
from vtg_eval.run.durations import with_durations
from vtg_eval.run.finished import SplitCache, finished_run
from vtg_eval.run.gc_pause import gc_paused
from vtg_eval.run.journal import Record
from vtg_eval.run.paths import data_root as find_data_root
from vtg_eval.run.results import TaskResults, answers_results
from vtg_eval.task import Task
from vtg_eval.types import Prediction, Sample

if TYPE_CHECKING:
    from pandas import DataFrame

Predictions = Union[str, Path, Iterable[Prediction | Mapping[str, Any]], "DataFrame"]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Scored:
    """Answers to a task's samples, and their scores.

    results: all scores. samples: in the order of the annotation. answers: by the sample's id.
    """

    results: TaskResults
    samples: tuple[Sample, ...]
    answers: Mapping[str, Prediction | Record]

    @property
    def model(self) -> str:
        """The model's name; of predictions their file's."""
        return self.results.model

    @property
    def task(self) -> str:
        """The task's name."""
        return self.results.task

    @property
    def split(self) -> str:
        """The split's name."""
        return self.results.split

    @property
    def protocol(self) -> str:
        """The names of the protocol and of the profile."""
        return self.results.rules

    @property
    def metrics(self) -> Metrics:
        """Each metric over the split, in percent; None where it is not finite."""
        return self.results.metrics

    def samples_frame(self) -> DataFrame:
        """Return a pandas data frame with a row for each sample; docs/python.md has its columns."""
        from vtg_eval.api.frames import samples_frame  # not at the top: pandas takes a while

        return samples_frame(self)

    @property
    def name(self) -> str:
        """The run's folder as it was given; of predictions their file's name."""
        return self.model

    @property
    def unanswered(self) -> int:
        """How many samples have no answer."""
        return self.results.failures.get(Failure.MISSING, 0)

    def __repr__(self) -> str:
        figure = self.metrics.get(self.results.primary)
        value = "–" if figure is None else f"{figure:.1f}"
        missing = f", {self.unanswered} of them without an answer" if self.unanswered else ""
        return (
            f"<{self.model} on {self.task} {self.split}, {self.protocol}: "
            f"{self.results.primary} {value}, {len(self.samples)} samples{missing}>"
        )


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Run(Scored):
    """A run in the folder `path`.

    damaged: lines of the journal that cannot be read, 0 where every sample has an answer anyway.
    other_protocol: the protocol that it was read under instead of its own.
    """

    path: Path
    damaged: int
    other_protocol: str | None = None

    @property
    def name(self) -> str:
        """The run's folder as it was given."""
        return str(self.path)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ScoredPredictions(Scored):
    """Scored predictions. coverage: how many of the samples they answer."""

    coverage: Coverage


def load_run(
    path: str | Path,
    *,
    data_root: str | Path | None = None,
    protocol: str | None = None,
    registry: Registry | None = None,
) -> Run:
    """Read a run and score it, without its model and videos, as `vtg-eval score RUN`.

    Where it is not finished, a line to standard error says how many answers are missing.
    data_root: of the annotations (None: the run's, else the default). protocol: another one than
    the run's. registry: of plug-ins (None: all that are installed). Raises UserError where the
    folder holds no run, and where the annotations are not those of the run.
    """
    root = Path(data_root) if data_root else None
    return read_run(Path(path), registry or Registry.discover(), root, protocol)


def read_run(
    path: Path,
    registry: Registry,
    root: Path | None = None,
    protocol: str | None = None,
    results: TaskResults | None = None,
) -> Run:
    """Do as `load_run`. results: the run's scores where they are known already."""
    with gc_paused():
        run = finished_run(path, registry, SplitCache(), root, protocol)
        results = results or run.results(registry.protocols.values())
    missing = results.failures.get(Failure.MISSING, 0)
    if missing:
        warn(
            f"{path} is not finished: {missing} of {len(run.samples)} samples have no answer yet, "
            "and count as the protocol says. The run's command asks for them."
        )
    return Run(results, run.samples, run.records, path, run.damaged, protocol)


def score(
    task: str,
    predictions: Predictions,
    *,
    split: str | None = None,
    data_root: str | Path | None = None,
    protocol: str | None = None,
    allow_non_finite: bool = False,
    name: str = "predictions",
    registry: Registry | None = None,
) -> ScoredPredictions:
    """Score predictions, as `vtg-eval score --task TASK --predictions FILE`.

    predictions: a file of JSON lines, or the same records, or a data frame of them:
    `{"id": …, "text": …}` or `{"id": …, "spans": [[start, end], …]}`, times in seconds. name: of
    their source, where they are no file. allow_non_finite: keep NaN and infinity; the protocol says
    what they score. registry: as for `load_run`. Where answers are missing or ids unknown, a line
    to standard error says so. Raises UserError, for a record that cannot be read DataError.

    >>> records = [{"id": "AAAAA/0", "text": "It happens from 3.0 to 8.5 s."}]
    >>> score("charades_sta", records).metrics["mIoU"]  # doctest: +SKIP
    """
    if isinstance(predictions, str | Path):
        name = Path(predictions).name
        answers = read_predictions(Path(predictions), allow_non_finite)
    else:
        records = _records(predictions)
        answers = tuple(to_prediction(record, allow_non_finite) for record in records)
    root = Path(data_root) if data_root else None
    registry = registry or Registry.discover()
    scored = score_predictions(task, split, root, protocol, answers, name, registry)
    if line := scored.coverage.line(task, split):
        warn(f"{name}: {line}")
    return scored


def score_predictions(
    task: str,
    split: str | None,
    root: Path | None,
    protocol: str | None,
    answers: Sequence[Prediction],
    name: str,
    registry: Registry,
) -> ScoredPredictions:
    """Do as `score`, and leave it to the caller to say what is missing."""
    benchmark: Task = registry.task(task)
    split = benchmark.card.split(split)
    root = find_data_root(benchmark, root)
    with gc_paused():
        samples = with_durations(benchmark, root, read_split(benchmark, root, split))
        results = answers_results(
            benchmark,
            root,
            split,
            samples,
            answers,
            registry.protocol_for(benchmark.card, protocol, split),
            registry.protocols.values(),
            name,
        )
    first = {answer.id: answer for answer in reversed(answers)}
    return ScoredPredictions(results, samples, first, coverage(samples, answers))


def _records(predictions: object) -> Iterable[object]:
    """Return the records of a data frame, or those of an iterable; raises UserError."""
    if isinstance(predictions, Mapping) or not isinstance(predictions, Iterable):
        raise UserError(
            'Predictions are a file, or records: [{"id": "…", "text": "…"}, …]; not '
            f"{type(predictions).__name__}."
        )
    if hasattr(predictions, "columns") and hasattr(predictions, "to_dict"):  # a data frame
        records: list[object] = predictions.to_dict("records")
        return records
    return predictions
