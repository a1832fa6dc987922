"""What `vtg-eval doctor` prints: tables within 80 columns, and what their findings mean."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from tabulate import tabulate

from vtg_eval.doctor.adapter_check import AdapterReport
from vtg_eval.doctor.environment import Environment
from vtg_eval.doctor.parity import SampleParity
from vtg_eval.doctor.time_check import ClockResult
from vtg_eval.engines.base import Completion

WIDTH = 80
SHOWN = 11  # characters of an answer in a table
TIME_HEADERS = ("clock video", "frames", "decoded", "told", "recorded", "limit", "finding")
PARITY_HEADERS = ("sample", "tokens", "prompt", "input", "IoU", "answers")
ENGINE_HEADERS = ("engine", "finish", "prompt", "answer", "text")


def time_text(results: Sequence[ClockResult]) -> str:
    """Return the table of clock videos, what each finding means and what to do."""
    table = _table([_time_row(result) for result in results], TIME_HEADERS)
    return "\n\n".join([table, *_explanations(results)])


def parity_text(rows: Sequence[SampleParity]) -> str:
    """Return the table of samples."""
    return _table([_parity_row(row) for row in rows], PARITY_HEADERS)


def completions_text(completions: Mapping[str, Completion]) -> str:
    """Return the table of engines and their answers to one sample."""
    if not completions:
        return "no engine is installed"
    rows = [[name, *map(str, completion_json(one).values())] for name, one in completions.items()]
    return _table(rows, ENGINE_HEADERS)


def completion_json(completion: Completion) -> dict[str, object]:
    """Return an engine's answer as plain JSON values."""
    return {
        "finish": str(completion.finish),
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "text": completion.error or completion.text,
    }


def request_text(report: AdapterReport) -> str:
    """Return a request in words, the expanded prompt, and the times of its frames."""
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
        [*("-" if time is None else f"{time:.3f}" for time in (one.true, one.input, one.recorded))]
        for one in report.times
    ]
    lines = [_fact(name, text) for name, text in facts.items()]
    table = _table(rows, ("true (s)", "told", "recorded"))
    return "\n".join([*lines, "", report.prompt.rstrip(), "", table])


def environment_text(environment: Environment) -> str:
    """Return what is installed, and what of it is known to go wrong together."""
    rows = [
        ["Python", f"{environment.python}, {environment.platform}"],
        *([name, number] for name, number in environment.versions.items()),
        *([f"decoder {name}", state] for name, state in environment.decoders.items()),
        *([f"engine {name}", state] for name, state in environment.engines.items()),
        ["processors", str(environment.processors)],
        *(["GPU", line] for line in environment.gpus or ("none",)),
    ]
    lines = [_table([line for name, text in rows for line in _wrapped(name, text)], ())]
    for pair in environment.pairs:
        names = " and ".join(
            f"{one.package} {environment.versions[one.package]}" for one in pair.packages
        )
        mark = "note" if pair.harmless else "BAD"
        lines += ["", textwrap.fill(f"{mark}: {names}: {pair.effect} {pair.remedy}", WIDTH)]
    return "\n".join([*lines, "", "no bad combination" if environment.sound else "see BAD above"])


def _wrapped(name: str, text: str) -> list[list[str]]:
    first, *others = textwrap.wrap(text, WIDTH - 21) or [""]
    return [[name, first], *(["", line] for line in others)]


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
    errors = {result.finding: result.error for result in reversed(results) if result.finding}
    return [
        textwrap.fill(
            f"{one.name}: {one.meaning}{f' ({error})' if error else ''} {one.remedy}", WIDTH
        )
        for one, error in errors.items()
    ]


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


def _fact(name: str, text: str) -> str:
    return textwrap.fill(f"{name + ':':14}{text}", WIDTH, subsequent_indent=" " * 14)


def _table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    return str(tabulate(rows, headers=headers, disable_numparse=True))
