"""Hand-made runs for tests of the page: samples and answers, without a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import vtg_eval.video
from tests import fakes
from tests.data_task import SmallTask
from vtg_eval.failures import Finish
from vtg_eval.files.digests import subset_digest
from vtg_eval.report.html_file import html_file
from vtg_eval.report.page import make_page
from vtg_eval.report.page_data import Page
from vtg_eval.run.finished import FinishedRun
from vtg_eval.run.journal import Record
from vtg_eval.run.manifest import Manifest, Session, Subset
from vtg_eval.run.spec import RunSpec
from vtg_eval.types import Group, Sample, Span, Target
from vtg_eval.video.frame_store import FrameStore

REGISTRY = fakes.make_registry(vtg_eval.video)
PROTOCOLS = tuple(REGISTRY.protocol(name) for name in ("strict@2", "timelens@1"))


def moment(
    name: str,
    *spans: tuple[float, float],
    duration: float | None = 10.0,
    query: str = "it happens",
    kind: str = "plain",
) -> Sample:
    """Return a sample; its id begins with its video. Without spans the event never happens."""
    target = Target(tuple(Span(*span) for span in spans))
    groups = (Group("kind", kind),)
    return Sample(name, name.split("/")[0], query, target, duration, groups=groups)


def answer(
    name: str, text: str, frame_times: Sequence[float] = (), model_times: Sequence[float] = ()
) -> Record:
    """Return a journal's record of an answer."""
    record = Record(name, name.split("/")[0], Finish.STOP, text)
    return replace(record, frame_times=tuple(frame_times), model_times=tuple(model_times))


def run_of(
    samples: Sequence[Sample],
    records: Sequence[Record],
    model: str = "nano",
    root: Path = Path(),
    versions: Mapping[str, str] | None = None,
) -> FinishedRun:
    """Return a run on all of these samples."""
    task = SmallTask(samples)
    spec = RunSpec(
        model=model,
        checkpoint="c" * 64,
        adapter="fake",
        task="small",
        task_version="1-A",
        split="test",
        annotations="a" * 64,
        limit=None,
        protocol=REGISTRY.protocol_for(task.card, "strict@2", "test"),
        engine="fake",
    )
    subset = Subset(subset_digest(s.id for s in samples), len(samples), len(samples))
    session = Session("2026-01-01T00:00:00+00:00", ("vtg-eval",), versions or {"av": "18"}, {})
    manifest = Manifest(spec.to_json(), subset, (session,))
    by_id = {record.id: record for record in records}
    return FinishedRun(manifest, spec, subset, task, root, tuple(samples), by_id)


def page_of(*runs: FinishedRun, cache: Path = Path("no-such-folder"), megabytes: float = 0) -> Page:
    """Return the page of the runs; `cache` is the frame store's folder."""
    store = FrameStore(REGISTRY.decoder("pyav")(), cache)
    return make_page(runs, PROTOCOLS, store, megabytes)


def multiplied(page: Page, times: int) -> Page:
    """Return the page with its samples repeated `times` times, under new ids."""
    return replace(
        page,
        samples=tuple(
            replace(sample, id=f"{sample.id}+{k}") for k in range(times) for sample in page.samples
        ),
        answers=tuple(answers * times for answers in page.answers),
    )


def written(page: Page, path: Path) -> str:
    """Write the page; return its address."""
    path.write_bytes(html_file(page))
    return path.absolute().as_uri()


FRAMES = [0.0, 0.5, 1.0, 2.0, 4.0, 7.25, 9.5]
SAMPLES = (
    moment("v1/0", (2, 6), query="A dog runs", kind="animal"),
    moment("v1/1", (1, 3), (7, 9), query="A cat sleeps", kind="animal"),
    moment("v2/0", (0, 5), duration=20.0, query="A door opens", kind="thing"),
    moment("v2/1", query="Never seen", kind="thing"),
    moment("v3/0", (4, 8), query="Rain falls", duration=None),
)
NANO = run_of(
    SAMPLES,
    [
        answer("v1/0", "from 2.0 to 4.0", FRAMES, FRAMES[::2]),
        answer("v1/1", "7 - 9", FRAMES, FRAMES[::2]),
        answer("v2/0", "no idea"),
        answer("v2/1", "It never happens."),
        answer("v3/0", "9 to 3"),
    ],
)
OTHER = run_of(
    SAMPLES[:4],
    [
        answer("v1/0", "2 - 6", [0.0, 5.0]),
        answer("v1/1", "0 - 10"),
        answer("v2/0", "1 - 4"),
        answer("v2/1", "3 - 4"),
    ],
    model="other",
)
TWO = page_of(NANO, OTHER)
