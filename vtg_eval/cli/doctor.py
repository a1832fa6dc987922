"""`vtg-eval doctor CHECK`: times, engines, an adapter, the installation."""

from __future__ import annotations

import json
import tempfile
import textwrap
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from vtg_eval.adapter import Checkpoint, InputOptions
from vtg_eval.checkpoint.profile import load_profile
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.cli.command import STANDARD_OUTPUT, Command, write_lines
from vtg_eval.cli.run import add_input_options
from vtg_eval.console.streams import show
from vtg_eval.doctor.adapter_check import (
    AdapterReport,
    clock_request,
    open_checkpoint,
    report,
)
from vtg_eval.doctor.clock_requests import ClockRequests
from vtg_eval.doctor.engine_answers import LoadedModel, answers, engine_names
from vtg_eval.doctor.environment import Environment, examine_environment
from vtg_eval.doctor.parity import SampleParity, compare, parity_requests
from vtg_eval.doctor.time_check import ClockResult, TimeCheck, examine
from vtg_eval.engines.base import Completion
from vtg_eval.errors import UserError
from vtg_eval.protocol import DEFAULT_PROTOCOL, ResolvedProtocol
from vtg_eval.registry import Registry

WIDTH = 80
TIME_HEADERS = ("clock video", "frames", "decoded", "told", "recorded", "limit", "")
TIME_EPILOG = """\
Errors are in seconds: of the decoded frames' times, of the times in the model's
input (told), and of those that the journal would record. limit: how large the
error of the told times may be, by the family's way of telling them. Exit status
1 if a time is not true.
"""


PARITY_HEADERS = ("sample", "tokens", "prompt", "input", "IoU", "answers")
PARITY_EPILOG = """\
prompt: whether the prompt's tokens are the same. input: the largest difference
of the numbers that the two models get, - where an engine does not show them.
Exit status 1 if one of the two differs; answers may differ by rounding.
"""
SHOWN = 24  # characters of an answer in a table


class DoctorCommand(Command):
    """Check a model's times, two engines, an adapter or the installation."""

    def configure(self, parser: ArgumentParser) -> None:
        """Add the checks."""
        checks = parser.add_subparsers(dest="check", required=True, metavar="CHECK")
        raw = RawDescriptionHelpFormatter
        time = checks.add_parser(
            "time",
            help="check that a model gets the true times",
            epilog=TIME_EPILOG,
            formatter_class=raw,
        )
        parity = checks.add_parser(
            "parity",
            help="send the same samples through two engines",
            epilog=PARITY_EPILOG,
            formatter_class=raw,
        )
        for check in (time, parity):
            check.add_argument("model", help="a checkpoint folder or a shipped model")
        adapter = checks.add_parser("adapter", help="show what an adapter makes of a sample")
        adapter.add_argument("name", metavar="NAME", help="the adapter's name")
        adapter.add_argument("checkpoint", metavar="CHECKPOINT", help="a checkpoint folder")
        parity.add_argument("--engines", help="two, default: transformers,vllm")
        adapter.add_argument("--engines", help="default: all that are installed")
        for check in (time, parity, adapter):
            _add_common(check)
        environment = checks.add_parser("env", help="show versions and known bad combinations")
        environment.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: Namespace, registry: Registry) -> int:
        """Make the check and print its findings; return 1 where something is wrong."""
        checks = {"time": _time, "parity": _parity, "adapter": _adapter, "env": _environment}
        return checks[args.check](args, registry)


def _add_common(parser: ArgumentParser) -> None:
    parser.add_argument("--protocol", default=DEFAULT_PROTOCOL, help="default: %(default)s")
    parser.add_argument("--decoder", default="pyav", help="default: %(default)s")
    add_input_options(parser)
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="let the checkpoint run its code"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _time(args: Namespace, registry: Registry) -> int:
    checkpoint, entry = resolve(args.model, registry, _options(args))
    adapter = registry.adapter(entry.name)(checkpoint)
    with _folder() as folder:
        check = TimeCheck(registry.decoder(args.decoder)(), Path(folder))
        protocol = _protocol(args, checkpoint, registry)
        results = examine(checkpoint, adapter, protocol, check, args.trust_remote_code)
    if args.json:
        _print_json([result.to_json() for result in results])
    else:
        show(_table([_time_row(result) for result in results], TIME_HEADERS))
        for line in _explanations(results):
            show(line)
    return 0 if all(result.true for result in results) else 1


def _parity(args: Namespace, registry: Registry) -> int:
    names = engine_names(args.engines or "transformers,vllm", registry)
    if len(names) != 2:
        raise UserError("--engines needs two names: --engines transformers,vllm")
    checkpoint, entry = resolve(args.model, registry, _options(args))
    adapter = registry.adapter(entry.name)(checkpoint)
    if checkpoint.path is None or not adapter.needs_frames:
        raise UserError(f"{args.model} runs on no engine. Name a checkpoint that reads frames.")
    protocol = _protocol(args, checkpoint, registry)
    model = LoadedModel(checkpoint.path, adapter, args.trust_remote_code)
    with _folder() as folder:
        decoder = registry.decoder(args.decoder)()
        clocks = ClockRequests(adapter, decoder, Path(folder), protocol)
        samples, requests = parity_requests(clocks)
        first, second = (answers(name, model, requests, registry) for name in names)
    rows = compare(samples, first, second, protocol)
    if args.json:
        _print_json([row.to_json() for row in rows])
    else:
        show(_table([_parity_row(row) for row in rows], PARITY_HEADERS))
    return 0 if all(row.same_input for row in rows) else 1


def _adapter(args: Namespace, registry: Registry) -> int:
    names = engine_names(args.engines, registry)
    options = _options(args)
    checkpoint, adapter = open_checkpoint(args.name, args.checkpoint, registry, options)
    assert checkpoint.path is not None
    model = LoadedModel(checkpoint.path, adapter, args.trust_remote_code)
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
            show("\n".join(_report_lines(made)))
        completions = {
            name: answers(name, model, [request], registry)[sample.id].completion for name in names
        }
    if args.json:
        engines = {name: _completion(one) for name, one in completions.items()}
        _print_json({**made.to_json(), "engines": engines})
    else:
        rows = [[name, *map(str, _completion(one).values())] for name, one in completions.items()]
        headers = ("engine", "finish", "prompt", "answer", "text")
        show("\n" + (_table(rows, headers) if rows else "no engine is installed"))
    return 1 if any(one.error for one in completions.values()) else 0


def _environment(args: Namespace, registry: Registry) -> int:
    environment = examine_environment(registry)
    if args.json:
        _print_json(environment.to_json())
    else:
        show("\n".join(_environment_lines(environment)))
    return 0 if environment.sound else 1


def _options(args: Namespace) -> InputOptions:
    return InputOptions(args.time_text, args.thinking)


def _protocol(args: Namespace, checkpoint: Checkpoint, registry: Registry) -> ResolvedProtocol:
    protocol = registry.protocol(args.protocol).without_task
    return load_profile(checkpoint.path).applied(protocol)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="vtg-eval-doctor-")


def _time_row(result: ClockResult) -> list[str]:
    errors = (result.decoded, result.model_times, result.recorded, result.resolution)
    return [
        result.clock,
        str(result.frames),
        *("-" if error is None else f"{error:.3f}" for error in errors),
        "true" if result.finding is None else result.finding.name,
    ]


def _explanations(results: Sequence[ClockResult]) -> list[str]:
    """Return what each finding means and what to do, and the first error of each kind."""
    findings = {result.finding: result.error for result in reversed(results) if result.finding}
    lines = []
    for finding, error in findings.items():
        cause = f" ({error})" if error else ""
        lines += ["", f"{finding.name}: {finding.meaning}{cause} {finding.remedy}"]
    return [textwrap.fill(line, WIDTH) for line in lines]


def _parity_row(row: SampleParity) -> list[str]:
    first, second = (answer.strip()[:SHOWN] for answer in row.answers)
    return [
        row.sample.partition(":")[0],
        str(row.tokens[0]) if row.tokens[0] == row.tokens[1] else "{} {}".format(*row.tokens),
        "same" if row.ids else "DIFFERS",
        "-" if row.input is None else f"{row.input:g}",
        "-" if row.iou is None else f"{row.iou:.2f}",
        "same" if row.answers[0] == row.answers[1] else f"{first} | {second}",
    ]


def _report_lines(report: AdapterReport) -> list[str]:
    """Return the report for people, within 80 columns but for the prompt."""
    written, visual = report.placeholders
    facts = {
        "adapter": report.adapter,
        "times": report.encoding,
        "frames": f"{report.frames}, as {report.media}",
        "placeholders": f"{written} in the prompt, {visual} visual tokens in the model's input",
        "metadata": ", ".join(f"{k}={v!r:.40}" for k, v in report.metadata.items()) or "none",
        "processor": str(dict(report.processor_kwargs)),
        "tensors": ", ".join(f"{name} {form}" for name, form in report.tensors.items()),
    }
    rows = [
        [*("-" if time is None else f"{time:.3f}" for time in (one.true, one.told, one.recorded))]
        for one in report.times
    ]
    return [
        *(_fact(name, text) for name, text in facts.items()),
        "",
        report.prompt,
        "",
        _table(rows, ("true (s)", "told", "recorded")),
    ]


def _fact(name: str, text: str) -> str:
    return textwrap.fill(f"{name + ':':14}{text}", WIDTH, subsequent_indent=" " * 14)


def _completion(completion: Completion) -> dict[str, object]:
    return {
        "finish": str(completion.finish),
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "text": completion.error or completion.text,
    }


def _environment_lines(environment: Environment) -> list[str]:
    rows = [
        ["Python", f"{environment.python}, {environment.platform}"],
        *([name, number] for name, number in environment.versions.items()),
        *([f"decoder {name}", state] for name, state in environment.decoders.items()),
        *([f"engine {name}", state] for name, state in environment.engines.items()),
        ["processors", str(environment.processors)],
        *(["GPU", line] for line in environment.gpus or ("none",)),
    ]
    lines = [_table([[name, text[: WIDTH - 20]] for name, text in rows], ())]
    for pair in environment.pairs:
        names = " and ".join(
            f"{one.package} {environment.versions[one.package]}" for one in pair.packages
        )
        mark = "note" if pair.harmless else "BAD"
        lines += ["", textwrap.fill(f"{mark}: {names}: {pair.effect} {pair.remedy}", WIDTH)]
    return [*lines, "", "no bad combination" if environment.sound else "see BAD above"]


def _table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    return str(tabulate(rows, headers=headers, disable_numparse=True))


def _print_json(value: Any) -> None:
    write_lines(STANDARD_OUTPUT, [json.dumps(value, indent=2)])
