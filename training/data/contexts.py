"""How a training sample is asked: as evaluation asks its task and split."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from vtg_eval.checkpoint.profile import load_profile
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.registry import Registry
from vtg_eval.run.paths import data_root
from vtg_eval.run.requests import SampleContext, no_subtitles
from vtg_eval.task import Task

from ..recipe import ModelRule
from .sample import TrainingSample

TRAIN = "train"  # the split of samples without one


class SampleContexts:
    """Looks up each sample's context under a recipe's protocol.

    A sample whose source is a task that the protocol covers gets the values for that task and
    split. All others get the values for no task.
    """

    def __init__(self, rule: ModelRule, checkpoint: Path | None, registry: Registry) -> None:
        """checkpoint: the folder whose profile is applied; None: no profile.

        Raises UserError for an unknown protocol.
        """
        self._protocol = registry.protocol(rule.protocol)
        self._profile = load_profile(checkpoint)
        self._registry = registry
        self._contexts: dict[tuple[str, str | None, bool], SampleContext] = {}

    @property
    def without_task(self) -> ResolvedProtocol:
        """The values for samples of no task."""
        return self._profile.applied(self._protocol.without_task)

    def of(self, sample: TrainingSample) -> SampleContext:
        """Return a sample's context. Raises UserError for a split that its task does not have."""
        key = (sample.source, sample.split, sample.video_id is None)
        if key not in self._contexts:
            self._contexts[key] = self._context(sample)
        return self._contexts[key]

    def _context(self, sample: TrainingSample) -> SampleContext:
        if sample.source not in self._registry.tasks:
            return SampleContext(self.without_task, no_subtitles)
        task: Task = self._registry.task(sample.source)
        card = task.card
        if not self._protocol.covers(card.name, card.metric_family):
            return SampleContext(self.without_task, no_subtitles)
        split = card.split(sample.split) if sample.split else TRAIN
        protocol = self._protocol.for_task(card.name, card.metric_family, split)
        subtitles = partial(task.subtitles, data_root(task, None))
        return SampleContext(
            self._profile.applied(protocol),
            no_subtitles if sample.video_id is None else subtitles,
        )
