"""A run on a task, for the executor: its questions, and what workers are told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from vtg_eval.run.engine_work import EngineWork
from vtg_eval.run.executor import Assignment, Questions
from vtg_eval.run.manifest import check_same, installed_versions
from vtg_eval.run.requests import SampleContext
from vtg_eval.run.setup import RunSetup, make_setup
from vtg_eval.run.spec import RunSpec
from vtg_eval.types import Sample


@dataclass(frozen=True, slots=True)
class EvaluationAssignment(Assignment):
    """A run of which a worker answers videos.

    versions: of the packages that can change an answer. samples: all that are asked in the run.
    """

    spec: RunSpec
    versions: Mapping[str, str]
    samples: tuple[Sample, ...]


class EvaluationWork(EngineWork[EvaluationAssignment]):
    """The work of a worker process, which finds the task by itself."""

    def questions(self, assignment: EvaluationAssignment) -> Questions:
        """As `EngineWork.questions`."""
        spec = assignment.spec
        options = replace(self.options, split=spec.split, transformation=spec.transformation)
        setup = make_setup(options, self.model, spec.task, self.registry)
        check_same(
            {**setup.spec.to_json(), **installed_versions()},
            {**spec.to_json(), **assignment.versions},
        )
        return run_questions(setup, assignment.samples)


def run_questions(setup: RunSetup, samples: Sequence[Sample]) -> Questions:
    """Return what a run asks. samples: all that are asked in the run."""
    context = SampleContext(setup.spec.protocol, partial(setup.task.subtitles, setup.root))
    return Questions(samples, lambda sample: context, setup.spec.protocol.generation)
