"""A run's setup: one checkpoint on one task, with all names resolved and defaults filled in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from vtg_eval.adapter import Adapter, Checkpoint, InputOptions
from vtg_eval.annotations.split import read_split
from vtg_eval.checkpoint.choose_profile import choose_profile, refuse_unrunnable
from vtg_eval.checkpoint.fingerprint import checkpoint_digest
from vtg_eval.checkpoint.hub import Fetch
from vtg_eval.checkpoint.profile import load_profile
from vtg_eval.checkpoint.resolve import default_engine, resolve
from vtg_eval.console.streams import warn
from vtg_eval.engines.base import EngineOptions
from vtg_eval.engines.server.options import SERVER_ENGINE, ServerOptions, located
from vtg_eval.engines.weight_files import MERGE
from vtg_eval.errors import UserError
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.probe.transform import check_task
from vtg_eval.probe.transformation import Transformation
from vtg_eval.profile import NamedProfile
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.question import wording
from vtg_eval.registry import Registry
from vtg_eval.run.devices import Devices
from vtg_eval.run.durations import with_durations
from vtg_eval.run.gc_pause import gc_paused
from vtg_eval.run.paths import cache_folder, data_root, make_folder
from vtg_eval.run.shards import Shard
from vtg_eval.run.spec import RunSpec, annotation_digest
from vtg_eval.task import Task
from vtg_eval.types import OutputType, Sample

TENSOR_PARALLEL_ENGINE = "vllm"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The user's options as typed; None where a default applies.

    devices: how many GPUs are used by processes of their own, `tensor_parallel` each; None: one
    process. ray: the address of a Ray cluster that has these devices; None: this machine.
    decode_workers: threads that decode videos, over all processes; None: one a core. ray_decoders:
    videos that the cluster's processors decode at a time; None: workers decode.
    """

    model: str
    protocol: str | None = None
    split: str | None = None
    data_root: Path | None = None
    engine: str | None = None
    engine_options: EngineOptions = field(default_factory=EngineOptions)
    input_options: InputOptions = field(default_factory=InputOptions)
    decoder: str = "pyav"
    frames_limit: int | None = None
    limit: int | None = None
    allow_subset: bool = False
    transformation: Transformation | None = None
    quiet: bool = False
    command: tuple[str, ...] = ()
    profile: str | None = None
    server: ServerOptions = field(default_factory=ServerOptions)
    base: str | None = None
    devices: Devices | None = None
    ray: str | None = None
    tensor_parallel: int = 1
    decode_workers: int | None = None
    ray_decoders: int | None = None
    shard: Shard | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint with its adapter, its profile if it has one, and the engine that runs it."""

    checkpoint: Checkpoint
    adapter_name: str
    adapter: Adapter
    engine: str
    digest: str
    profile: NamedProfile | None = None

    @property
    def name(self) -> str:
        """The checkpoint's name, or the adapter's name and argument; never a path."""
        if self.checkpoint.name:
            return self.checkpoint.name
        return f"{self.adapter_name}:{Path(self.checkpoint.argument).name}"


@dataclass(frozen=True, slots=True)
class RunSetup:
    """A run before its plan. `samples` are the whole split, untransformed; those asked have
    durations, where the annotation or the video file gives one, while the spec's digest is of the
    annotation alone.
    """

    task: Task
    root: Path
    samples: tuple[Sample, ...]
    spec: RunSpec


def find_model(options: RunOptions, registry: Registry) -> Model:
    """Look up the checkpoint, its adapter and its engine; raises UserError.

    The engine's options and the decoder are checked first: the digest takes a while.
    """
    if options.engine:
        registry.entry("engine", options.engine)  # before a download
    fetch = Fetch(options.engine_options.trust_remote_code, options.quiet)
    try:
        checkpoint, entry = resolve(
            options.model, registry, options.input_options, options.base, fetch
        )
    except UserError:
        if options.profile is None:  # a known fine-tune's own reason says more
            refuse_unrunnable(Path(options.model).expanduser(), registry)
        raise
    profile = choose_profile(checkpoint, options.profile, options.protocol, registry)
    if entry.engine and options.engine not in (None, entry.engine):
        raise UserError(f"{entry.name} needs no engine: leave out --engine.")
    engine = entry.engine or options.engine or default_engine(registry)
    registry.entry("engine", engine)
    if options.tensor_parallel > 1 and (entry.engine or engine) != TENSOR_PARALLEL_ENGINE:
        raise UserError(
            f"--tensor-parallel needs --engine {TENSOR_PARALLEL_ENGINE}; in a recipe, "
            f'engine = "{TENSOR_PARALLEL_ENGINE}".'
        )
    checkpoint = replace(checkpoint, server=_server(options, checkpoint, engine))
    for name in ("devices", "ray"):
        if checkpoint.server is not None and getattr(options, name) is not None:
            raise UserError(f"--{name} is for models that run here: leave it out for a server's.")
    path, lora = checkpoint.path, checkpoint.lora
    if lora and not registry.engine(engine).applies_lora:
        raise UserError(f"The engine {engine} does not apply LoRA, as in {lora}. {MERGE}.")
    chosen = replace(options.engine_options, lora=lora, server=checkpoint.server)
    # else nothing need be imported
    if chosen.extra or chosen.dtype != EngineOptions().dtype or chosen.server is not None:
        registry.engine(engine).check_options(path or Path(), chosen)
    registry.decoder(options.decoder)()
    if path is None:
        digest = sha256(checkpoint.reference)
    else:
        digest = checkpoint_digest(path, cache_folder(), options.quiet)
    if lora is not None:
        parts = {"base": digest, "lora": checkpoint_digest(lora, cache_folder(), options.quiet)}
        digest = sha256(canonical(parts))
    adapter: Adapter = registry.adapter(entry.name)(checkpoint)
    _refuse_ignored(options.input_options, adapter, entry.name)
    return Model(
        checkpoint=checkpoint,
        adapter_name=entry.name,
        adapter=adapter,
        engine=engine,
        digest=digest,
        profile=profile,
    )


def _server(options: RunOptions, checkpoint: Checkpoint, engine: str) -> ServerOptions | None:
    """Return the server of a model on one, else None; raises UserError."""
    if engine == SERVER_ENGINE:
        return located(options.server, checkpoint.argument, os.environ)
    if options.server != ServerOptions():
        raise UserError(
            "--base-url, --send, --request-timeout, --max-cost, --max-tokens-total and --price are "
            "for a model on a server: --model openai:NAME."
        )
    return None


def _refuse_ignored(options: InputOptions, adapter: Adapter, name: str) -> None:
    """Raise UserError for options that the adapter does not use."""
    if options.time_text not in (None, adapter.time_text):
        raise UserError(f"The adapter {name} does not tell times as text: leave out --time-text.")
    if options.thinking != adapter.thinking:
        raise UserError(f"The adapter {name} has no switch for thinking: leave out --thinking.")


def resolve_task(
    options: RunOptions, name: str, registry: Registry
) -> tuple[Task, str, ResolvedProtocol]:
    """Return a task, its split and the protocol, as the options name them; raises UserError."""
    task: Task = registry.task(name)
    split = task.card.split(options.split)
    return task, split, registry.protocol_for(task.card, options.protocol, split)


def make_setup(options: RunOptions, model: Model, name: str, registry: Registry) -> RunSetup:
    """Return the run of a model on a task; reads the annotations. Raises UserError.

    A generated benchmark is made here, on first use.
    """
    task, split, protocol = resolve_task(options, name, registry)
    protocol, profile = _with_profile(task, split, protocol, model.profile, registry)
    protocol = load_profile(model.checkpoint.lora, model.checkpoint.path).applied(protocol)
    protocol = replace(protocol, frames=model.adapter.frame_rule(protocol.frames))
    if options.transformation is not None:
        check_task(task.card, protocol)
    root = data_root(task, options.data_root)
    if type(task).prepare is not Task.prepare:
        make_folder(task, root)
        task.prepare(root, split)
    with gc_paused():
        annotated = read_split(task, root, split)
    if model.adapter.needs_frames and not all(
        wording(output, protocol.prompt) for output in {sample.asks for sample in annotated}
    ):
        raise UserError(
            f"{protocol.name} has no prompt and only scores answers: name another --protocol."
        )
    optionless = any(s.asks is not OutputType.SPANS and not s.options for s in annotated)
    if model.adapter.needs_frames and optionless:
        raise UserError(
            f"The annotations of {name} have no options to show to a model; they can score "
            f"answers only. `vtg-eval tasks {name}` names the file that has them."
        )
    engine, server = options.engine_options, model.checkpoint.server
    spec = RunSpec(
        model=model.name,
        checkpoint=model.digest,
        commits=model.checkpoint.commits,
        adapter=model.adapter_name,
        task=name,
        task_version=task.card.version,
        split=split,
        annotations=annotation_digest(annotated),
        limit=options.limit,
        protocol=protocol,
        engine=model.engine,
        engine_args={**engine.extra, **(server.identity if server else {})},
        dtype=engine.dtype,
        seed=engine.seed,
        decoder=options.decoder if model.adapter.needs_frames else None,
        trust_remote_code=engine.trust_remote_code,
        time_text=model.adapter.time_text,
        thinking=model.adapter.thinking,
        time_quantum=model.adapter.time_quantum,
        profile=profile,
        transformation=options.transformation,
    )
    asked = with_durations(task, root, annotated[: options.limit])
    return RunSetup(task, root, (*asked, *annotated[len(asked) :]), spec)


def _with_profile(
    task: Task,
    split: str,
    protocol: ResolvedProtocol,
    profile: NamedProfile | None,
    registry: Registry,
) -> tuple[ResolvedProtocol, str]:
    """Return the protocol that the profile has for a task, and the profile's name.

    Without a profile, and where its protocol is not defined for the task, `protocol` and no name.
    """
    card = task.card
    if profile is None:
        return protocol, ""
    if registry.protocol(profile.protocol).covers(card.name, card.metric_family):
        resolved = registry.protocol_for(card, profile.protocol, split)
        return profile.applied(resolved), profile.name
    warn(
        f"{card.name}: {profile.protocol} is not defined for such tasks, so the profile "
        f"{profile.name} is left out and {protocol.name} is used."
    )
    return protocol, ""
