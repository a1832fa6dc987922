"""A run from arguments to results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vtg_eval.console.streams import warn
from vtg_eval.engines.server.prices import Tokens
from vtg_eval.files.json_files import write_json
from vtg_eval.probe.transformation import Transformation
from vtg_eval.registry import Registry
from vtg_eval.run.estimate import RunEstimate, estimate
from vtg_eval.run.evaluation import EvaluationAssignment, EvaluationWork, run_questions
from vtg_eval.run.executor import Executor
from vtg_eval.run.folder import RunFolder
from vtg_eval.run.gc_pause import gc_paused
from vtg_eval.run.inference import terminable
from vtg_eval.run.journal import Journal, Record, read_contents, read_journal
from vtg_eval.run.manifest import DataRoot, Manifest, TimesCheck, installed_versions
from vtg_eval.run.plan import Plan, make_plan
from vtg_eval.run.progress import Progress
from vtg_eval.run.results import TaskResults, make_results
from vtg_eval.run.setup import Model, RunOptions, RunSetup, find_model, make_setup
from vtg_eval.run.speeds import keep_speed, known_speed, speeds_folder
from vtg_eval.run.usage import Usage, UsageMeter

CheckTimes = Callable[[Model, RunSetup], TimesCheck]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of a run, or of its shard, at its end.

    failed: how many of the `asked` samples have no record, or a failed one. results: None where the
    run was interrupted, and for a shard. usage: of this session; None where nothing was to ask, or
    it was interrupted.
    """

    folder: Path
    answered: int
    asked: int
    failed: int
    results: TaskResults | None = None
    interrupted: bool = False
    usage: Usage | None = None


class Runner:
    """Runs one checkpoint on any number of tasks, with one engine; must be closed."""

    def __init__(
        self, options: RunOptions, registry: Registry, check_times: CheckTimes | None = None
    ) -> None:
        """check_times: checks the times that the model is told; raises UserError for false ones."""
        self.options = options
        self._registry = registry
        self._check_times = check_times
        self.model = find_model(options, registry)
        self._executor = Executor(options, self.model, registry, EvaluationWork)
        self._folders: set[Path] = set()

    def close(self) -> None:
        """Stop the engines."""
        self._executor.close()

    def check(self) -> None:
        """Find what is wrong with the checkpoint before any video is read; raises UserError."""
        self._executor.check()

    def setup(
        self, task: str, split: str | None = None, transformation: Transformation | None = None
    ) -> RunSetup:
        """Return the setup for a task, and split (None: that of the options).

        transformation: of its samples. Raises UserError.
        """
        options = replace(
            self.options, split=split or self.options.split, transformation=transformation
        )
        setup = make_setup(options, self.model, task, self._registry)
        unasked = [sample.id for sample in setup.samples if not sample.query.strip()]
        if unasked:
            warn(f"{task}: {len(unasked)} samples have an empty query; the first is {unasked[0]}")
        return setup

    def plan(self, setup: RunSetup, folder: Path) -> Plan:
        """Return the samples of the run and those without an answer in `folder`."""
        with gc_paused():
            records = read_journal(RunFolder(folder).journal_file)
            return make_plan(
                setup.task,
                setup.root,
                setup.samples,
                limit=self.options.limit,
                answered={sample for sample, record in records.items() if record.final},
                needs_videos=self.model.adapter.needs_frames,
                allow_subset=self.options.allow_subset,
                of=setup.task.card.split_size(setup.spec.split, len(setup.samples)),
                transformation=setup.spec.transformation,
                shard=self.options.shard,
            )

    def estimate(self, setup: RunSetup, plan: Plan) -> RunEstimate:
        """Return what the plan's jobs cost, and how long they take if an earlier run tells that."""
        remaining = estimate(plan, self.model.adapter, setup.spec.protocol)
        speed = known_speed(speeds_folder(), setup.spec)
        if speed is None:
            return remaining
        return replace(remaining, seconds=remaining.samples / speed.samples / self.processes)

    def preflight(self, setups: Sequence[RunSetup], folders: Sequence[Path]) -> list[Plan]:
        """Find the mistakes that would end these runs, before the first starts; makes nothing.

        Returns their plans. Raises UserError.
        """
        self._folders |= set(folders)
        plans = [self.plan(setup, path) for setup, path in zip(setups, folders, strict=True)]
        for setup, path, plan in zip(setups, folders, plans, strict=True):
            remaining = sum(len(job.samples) for job in plan.jobs)
            RunFolder(path).check(setup.spec, remaining)
            if self.options.shard:
                RunFolder(path).check_shard(setup.spec, self.options.shard)
        if any(plan.jobs for plan in plans):
            self.check()
        if self._check_times is not None:
            for setup, plan in zip(setups, plans, strict=True):
                if plan.jobs:
                    self._check_times(self.model, setup)
        return plans

    def run(self, setup: RunSetup, path: Path) -> Outcome:
        """Finish the run in the folder at `path`: get missing answers, then score.

        A shard gets its own answers only, and no score.

        Ctrl-C and SIGTERM give an outcome without results. Raises UserError where the folder
        belongs to another run or process and where the run cannot go on.
        """
        folder = RunFolder(path)
        self._folders.add(path)
        with folder.lock(setup.spec) as manifest:
            plan = self.plan(setup, path)
            given = str(self.options.data_root or "")
            manifest = replace(
                manifest,
                subset=plan.subset,
                data_root=DataRoot(given, str(setup.root.absolute())),
            )
            if shard := self.options.shard:
                manifest = replace(manifest, shard=shard, asked=len(plan.asked))
            write_json(folder.manifest_file, manifest.to_json())
            usage = None
            if plan.jobs:
                try:
                    with terminable():
                        usage = self._answer(setup, plan, folder, manifest)
                except KeyboardInterrupt:
                    self.close()
                    return replace(self._outcome(folder, plan), interrupted=True)
            if shard:
                return replace(self._outcome(folder, plan), usage=usage)
            with gc_paused():
                results = self._results(setup, plan, folder)
                table = results.to_json()
            write_json(folder.results_file, table)
            self._registry.notify("vtg_run_finished", folder=path, results=table)
            return replace(self._outcome(folder, plan), results=results, usage=usage)

    def _answer(self, setup: RunSetup, plan: Plan, folder: RunFolder, manifest: Manifest) -> Usage:
        self.check()
        if self._check_times is not None:
            manifest = replace(manifest, times=self._check_times(self.model, setup))
        if damaged := read_contents(folder.journal_file).damaged:
            warn(f"damaged lines in the journal: {damaged}. Their samples are asked again.")
        spec = setup.spec
        change = f", {spec.transformation.name}" if spec.transformation else ""
        if spec.thinking == "default" and self.model.adapter.thinks_by_default:
            warn(
                "by its chat template the model thinks before it answers, within the "
                f"{spec.protocol.generation.max_new_tokens} tokens of an answer; "
                "--thinking off, where the template has the switch, makes it answer at once."
            )
        remaining = self.estimate(setup, plan)
        meter = UsageMeter()
        sessions, versions = len(manifest.sessions), installed_versions()

        def started(engine: Mapping[str, Any]) -> None:
            nonlocal manifest
            manifest = manifest.with_session(
                self.options.command, versions, engine, asdict(remaining)
            )
            table = manifest.to_json()
            write_json(folder.manifest_file, table)
            if moved := manifest.moved_versions():
                warn(f"since this run was started, versions changed: {', '.join(moved)}")
            self._registry.notify("vtg_run_started", folder=folder.path, manifest=table)

        with (
            Journal(folder.journal_file) as journal,
            Progress(
                f"{spec.model} on {spec.task}{change}",
                total=len(plan.asked),
                done=len(plan.asked) - remaining.samples,
                quiet=self.options.quiet,
            ) as progress,
        ):

            def keep(record: Record) -> None:
                journal.append(record)
                self._registry.notify(
                    "vtg_sample_answered", folder=folder.path, record=record.to_json()
                )
                progress.advance()
                meter.kept(record)

            self._executor.answer(
                run_questions(setup, plan.samples),
                EvaluationAssignment(folder.path, spec, versions, plan.samples),
                plan.jobs,
                started,
                keep,
                meter,
                self._spent(),
            )
        usage = meter.usage()
        if len(manifest.sessions) > sessions:  # an engine was started
            write_json(folder.manifest_file, manifest.with_usage(usage).to_json())
        keep_speed(speeds_folder(), spec, usage, self.processes)
        return usage

    @property
    def processes(self) -> int:
        """How many processes have an engine."""
        return self._executor.processes

    @property
    def decode_workers(self) -> int:
        """How many threads decode in each process."""
        return self._executor.decode_workers

    def _spent(self) -> Tokens:
        """Return the tokens of all answers so far, where there is a budget for them."""
        server = self.model.checkpoint.server
        if server is None or not server.limited:
            return Tokens()
        journals = [read_journal(RunFolder(path).journal_file) for path in self._folders]
        records = [record for journal in journals for record in journal.values()]
        return Tokens(
            sum(record.prompt_tokens for record in records),
            sum(record.completion_tokens for record in records),
        )

    def _results(self, setup: RunSetup, plan: Plan, folder: RunFolder) -> TaskResults:
        return make_results(
            setup.spec,
            plan.subset,
            setup.task,
            setup.root,
            plan.samples,
            read_journal(folder.journal_file),
            self._registry.protocols.values(),
        )

    @staticmethod
    def _outcome(folder: RunFolder, plan: Plan) -> Outcome:
        records = read_journal(folder.journal_file)
        asked = [records.get(sample.id) for sample in plan.asked]
        return Outcome(
            folder.path,
            answered=sum(record is not None and record.answered for record in asked),
            asked=len(asked),
            failed=sum(record is None or record.failed for record in asked),
        )
