"""pandas data frames of scores; docs/python.md says what their columns mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from vtg_eval.api.runs import Scored
from vtg_eval.run.journal import Record
from vtg_eval.run.results import SampleResult
from vtg_eval.types import Sample

METRIC_COLUMNS = (
    *("run", "task", "split", "protocol", "samples", "model", "floor", "metric"),
    *("value", "low", "high"),
)


def samples_frame(scored: Scored) -> pd.DataFrame:
    """Return a row for each sample, in the order of the annotation."""
    rows = list(zip(scored.samples, scored.results.samples, strict=True))
    answers = [scored.answers.get(sample.id) for sample in scored.samples]
    records = [answer if isinstance(answer, Record) else None for answer in answers]
    columns: dict[str, Sequence[Any]] = {
        "id": [sample.id for sample, _ in rows],
        "video": [sample.video for sample, _ in rows],
        "query": [sample.query for sample, _ in rows],
        "duration": [sample.duration for sample, _ in rows],
        "truth": [[list(span) for span in sample.target.spans] for sample, _ in rows],
        "right_choice": [sample.target.choice for sample, _ in rows],
        "spans": [[list(span) for span in result.spans] for _, result in rows],
        "choice": [result.choice for _, result in rows],
        "text": [None if answer is None else _encodable(answer.text) for answer in answers],
        **_metrics(scored.results.samples),
        "failures": [[str(failure) for failure in result.failures] for _, result in rows],
        **_groups(scored.samples),
    }
    if any(records):
        columns |= _of_run(records)
    return pd.DataFrame(columns)


def metrics_frame(scored: Scored | Sequence[Scored]) -> pd.DataFrame:
    """Return a row for each metric of each run, and of each blind predictor on its samples."""
    if isinstance(scored, Scored):
        scored = [scored]
    rows = [row for one in scored for row in _metric_rows(one)]
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def _encodable(text: str | None) -> str | None:
    """Return a text with half characters as escapes; models write them, pandas refuses them."""
    return text and text.encode("utf-8", "backslashreplace").decode("utf-8")


def _metrics(results: Sequence[SampleResult]) -> Mapping[str, Sequence[float | None]]:
    names = dict.fromkeys(name for result in results for name in result.values)
    return {name: [result.values.get(name) for result in results] for name in names}


def _groups(samples: Sequence[Sample]) -> Mapping[str, Sequence[str | None]]:
    """Return a column for each grouping: the sample's groups, joined by "; "."""
    groupings = dict.fromkeys(group.grouping for sample in samples for group in sample.groups)
    return {
        f"group: {grouping}": [
            "; ".join(g.name for g in sample.groups if g.grouping == grouping) or None
            for sample in samples
        ]
        for grouping in groupings
    }


def _of_run(records: Sequence[Record | None]) -> Mapping[str, Sequence[Any]]:
    """Return what only the journal of a run has."""

    def column(name: str) -> list[Any]:
        return [None if record is None else getattr(record, name) for record in records]

    return {
        "finish": [None if record is None else str(record.finish) for record in records],
        "error": [_encodable(error) for error in column("error")],
        "frame_times": column("frame_times"),
        "model_times": column("model_times"),
        "prompt_tokens": column("prompt_tokens"),
        "completion_tokens": column("completion_tokens"),
        "cached_tokens": column("cached_tokens"),
        "seconds": column("seconds"),
    }


def _metric_rows(scored: Scored) -> Iterator[Mapping[str, Any]]:
    results = scored.results
    common = {
        "run": scored.name,
        "task": results.task,
        "split": results.split,
        "protocol": results.rules,
        "samples": results.n_scored,
    }
    for metric, value in results.metrics.items():
        low, high = results.intervals.get(metric, (None, None))
        row = {"model": results.model, "floor": False, "metric": metric, "value": value}
        yield {**common, **row, "low": low, "high": high}
    for name, metrics in results.floors.items():
        for metric, value in metrics.items():
            row = {"model": name, "floor": True, "metric": metric, "value": value}
            yield {**common, **row, "low": None, "high": None}
