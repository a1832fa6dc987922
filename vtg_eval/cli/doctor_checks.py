"""What `vtg-eval doctor` does: make a check and print its findings."""

from __future__ import annotations

import json
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from vtg_eval.adapter import Checkpoint, InputOptions
from vtg_eval.checkpoint.profile import load_profile
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.cli.command import STANDARD_OUTPUT, write_lines
from vtg_eval.cli.doctor_text import (
    completion_json,
    completions_text,
    environment_text,
    parity_text,
    request_text,
    time_text,
)
from vtg_eval.console.streams import show
from vtg_eval.doctor.adapter_check import clock_request, report
from vtg_eval.doctor.clock_requests import ClockRequests
from vtg_eval.doctor.engine_answers import LoadedModel, answers, engine_names
from vtg_eval.doctor.environment import examine_environment
from vtg_eval.doctor.parity import compare, parity_requests
from vtg_eval.doctor.time_check import TimeCheck, examine
from vtg_eval.errors import UserError
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.registry import Registry


def run_check(args: Namespace, registry: Registry) -> int:
    """Make the check and print its findings; return 1 where something is wrong."""
    checks = {"time": _time, "parity": _parity, "adapter": _adapter, "env": _environment}
    return checks[args.check](args, registry)


def _time(args: Namespace, registry: Registry) -> int:
    checkpoint, entry = resolve(args.model, registry, _options(args), args.base)
    adapter = registry.adapter(entry.name)(checkpoint)
    with _folder() as folder:
        check = TimeCheck(registry.decoder(args.decoder)(), Path(folder))
        protocol = _protocol(args, checkpoint, registry)
        results = examine(checkpoint, adapter, protocol, check, args.trust_remote_code)
    if args.json:
        _print_json([result.to_json() for result in results])
    else:
        show(time_text(results))
    return 0 if all(result.true for result in results) else 1


def _parity(args: Namespace, registry: Registry) -> int:
    names = engine_names(args.engines or "transformers,vllm", registry)
    if len(names) != 2:
        raise UserError("--engines needs two names: --engines transformers,vllm")
    checkpoint, entry = resolve(args.model, registry, _options(args), args.base)
    adapter = registry.adapter(entry.name)(checkpoint)
    if checkpoint.path is None or not adapter.needs_frames:
        raise UserError(f"{args.model} runs on no engine. Name a checkpoint that reads frames.")
    protocol = _protocol(args, checkpoint, registry)
    model = LoadedModel(checkpoint, adapter, args.trust_remote_code)
    with _folder() as folder:
        decoder = registry.decoder(args.decoder)()
        clocks = ClockRequests(adapter, decoder, Path(folder), protocol)
        samples, requests = parity_requests(clocks)
        first, second = (answers(name, model, requests, registry) for name in names)
    rows = compare(samples, first, second, protocol)
    if args.json:
        _print_json([row.to_json() for row in rows])
    else:
        show(parity_text(rows))
    return 0 if all(row.same_input for row in rows) else 1


def _adapter(args: Namespace, registry: Registry) -> int:
    names = engine_names(args.engines, registry)
    checkpoint, entry = resolve(
        args.checkpoint, registry, _options(args), args.base, adapter=args.name
    )
    if entry.engine is not None:
        raise UserError(f"The adapter {entry.name} sees no frames, so there is nothing to show.")
    adapter = registry.adapter(entry.name)(checkpoint)
    model = LoadedModel(checkpoint, adapter, args.trust_remote_code)
    with _folder() as folder:
        clocks = ClockRequests(
            adapter,
            registry.decoder(args.decoder)(),
            Path(folder),
            _protocol(args, checkpoint, registry),
        )
        sample, request = clock_request(clocks)
        made = report(checkpoint, adapter, clocks, request, args.trust_remote_code)
        if not args.json:
            show(request_text(made))
        completions = {
            name: answers(name, model, [request], registry)[sample.id].completion for name in names
        }
    if args.json:
        engines = {name: completion_json(one) for name, one in completions.items()}
        _print_json({**made.to_json(), "engines": engines})
    else:
        show(f"\n{completions_text(completions)}")
    return 1 if any(one.error for one in completions.values()) else 0


def _environment(args: Namespace, registry: Registry) -> int:
    environment = examine_environment(registry)
    if args.json:
        _print_json(environment.to_json())
    else:
        show(environment_text(environment))
    return 0 if environment.sound else 1


def _options(args: Namespace) -> InputOptions:
    return InputOptions(args.time_text, args.thinking)


def _protocol(args: Namespace, checkpoint: Checkpoint, registry: Registry) -> ResolvedProtocol:
    protocol = registry.protocol(args.protocol).without_task
    return load_profile(checkpoint.lora, checkpoint.path).applied(protocol)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="vtg-eval-doctor-")


def _print_json(value: Any) -> None:
    write_lines(STANDARD_OUTPUT, [json.dumps(value, indent=2)])
