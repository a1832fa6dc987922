"""The page of one or two runs, made from their parts, samples and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

import numpy as np

from vtg_eval import __version__
from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.files.json_files import finite
from vtg_eval.protocol import Protocol
from vtg_eval.report.page_data import AnswerView, Named, Page, Pair, SampleView
from vtg_eval.report.page_probe import probe_parts
from vtg_eval.report.page_runs import Numbers, RunView, answer_views, pair, run_part
from vtg_eval.report.plots import bin_edges
from vtg_eval.report.thumbnails import Album, Picture, make_album, no_pictures
from vtg_eval.run.finished import FinishedRun
from vtg_eval.types import OutputType, Sample
from vtg_eval.video.frame_store import FrameStore

MEGABYTE = 1 << 20
NO_PICTURES = "There are no pictures of transformed videos."
OCCURRENCES = 2  # of a sample's moment that get pictures

Views = Sequence[Mapping[str, AnswerView]]


def make_page(
    runs: Sequence[FinishedRun],
    protocols: Sequence[Protocol],
    store: FrameStore,
    megabytes: float,
    probes: Sequence[FinishedRun] = (),
) -> Page:
    """Return the page of one or two runs on the same task.

    protocols: those to score the answers under as well. store: the stored frames. megabytes:
    the size limit of the pictures. probes: transformed runs. Raises UserError for runs on different
    tasks or splits, and for probes of other runs.
    """
    _require_one_split(runs)
    scored = [RunView(run, tuple(protocols)) for run in runs]
    metrics = tuple(dict.fromkeys(name for run in scored for name in run.results.headline))
    durations = bin_edges(np.concatenate([run.measured.durations for run in scored]))
    lengths = bin_edges(np.concatenate([run.measured.moments for run in scored]))
    numbers = Numbers()
    parts = tuple(run_part(run, metrics, numbers, durations, lengths) for run in scored)
    views = [answer_views(run, metrics, numbers) for run in scored]
    samples = tuple({sample.id: sample for run in runs for sample in run.samples}.values())
    album = _album(runs, samples, views, store, megabytes)
    illustrated = zip(samples, album.pictures, strict=True)
    return Page(
        version=__version__,
        task=runs[0].task.card.name,
        title=runs[0].task.card.title,
        split=runs[0].spec.split,
        metrics=metrics,
        runs=parts,
        warnings=tuple(_warnings(runs)),
        failures=tuple(Named(kind.value, kind.meaning) for kind in Failure),
        samples=tuple(_sample_view(sample, numbers, pictures) for sample, pictures in illustrated),
        groups=numbers.group_names(),
        answers=tuple(tuple(view.get(sample.id) for sample in samples) for view in views),
        grids=tuple(numbers.grids),
        images=album.images,
        pictures=NO_PICTURES if _transformed(runs) else _note(album, megabytes),
        probes=probe_parts(runs, probes),
    )


def _require_one_split(runs: Sequence[FinishedRun]) -> None:
    names = [f"{run.spec.task} {run.spec.split}" for run in runs]
    if len(set(names)) > 1:
        raise UserError(
            f"These runs are on {' and on '.join(names)}. Give two runs on the same split of the "
            "same task."
        )


def _warnings(runs: Sequence[FinishedRun]) -> Iterator[str]:
    """Yield the reasons why two runs' figures are not comparable."""
    if len({run.subset.digest for run in runs}) > 1:
        yield (
            "The two runs have different samples. Each run's tables are over its own samples; the "
            "sample list has all of them."
        )
    if len({run.spec.rules for run in runs}) > 1:
        yield (
            "The two runs are scored under different protocols. The protocol tables show both runs "
            "under each protocol."
        )


def _sample_view(sample: Sample, numbers: Numbers, pictures: tuple[Picture, ...]) -> SampleView:
    return SampleView(
        id=sample.id,
        video=sample.video,
        query=sample.query,
        options=sample.options,
        duration=None if sample.duration is None else finite(sample.duration),
        truth=tuple(map(pair, sample.target.spans)),
        choice=sample.target.choice,
        asks_span=sample.asks is not OutputType.CHOICE,
        groups=tuple(numbers.group(group) for group in sample.groups),
        pictures=pictures,
    )


def _album(
    runs: Sequence[FinishedRun],
    samples: Sequence[Sample],
    views: Views,
    store: FrameStore,
    megabytes: float,
) -> Album:
    if not megabytes or _transformed(runs):
        return no_pictures(samples)
    stored: list[list[str]] = []
    for sample in samples:
        records = [run.records[sample.id] for run in runs if sample.id in run.records]
        stored.append([record.frames for record in records if record.frames])
    return make_album(
        task=runs[0].task,
        root=runs[0].root,
        store=store,
        samples=samples,
        times=[_bounds(sample, views) for sample in samples],
        stored=stored,
        budget=int(megabytes * MEGABYTE),
    )


def _bounds(sample: Sample, views: Views) -> list[float]:
    """Return the times that need pictures: the starts and ends of moments."""
    spans: list[Pair] = [*sample.target.spans[:OCCURRENCES]]
    spans += [span for view in views if sample.id in view for span in view[sample.id].spans[:1]]
    return [time for span in spans for time in span if time is not None and isfinite(time)]


def _transformed(runs: Sequence[FinishedRun]) -> bool:
    return any(run.transformed is not None for run in runs)


def _note(album: Album, megabytes: float) -> str:
    """Return a remark on missing pictures, empty if there are pictures of all samples."""
    if not megabytes:
        return "Pictures were left out of this page."
    if not album.images:
        return "There are no pictures: the videos are not on the machine that made this page."
    notes = []
    if album.covered < album.requested:
        samples = f"{album.covered} of {album.requested} samples"
        notes.append(f"the first {samples} only ({megabytes:g} MB)")
    if album.absent:
        notes.append(f"no video for {album.absent} samples")
    return f"Pictures: {'; '.join(notes)}." if notes else ""
