"""The arguments of commands that run a model."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

from vtg_eval.cli.command import BASE_HELP
from vtg_eval.engines.server.options import SENDS, ServerOptions
from vtg_eval.engines.server.prices import Price
from vtg_eval.run.frames_limit import LIMIT_VARIABLE, parse_size
from vtg_eval.run.shards import Shard
from vtg_eval.types import Thinking, TimeText

# those of `EngineOptions`, which is not imported here: see `Command`
BATCH_SIZE, DTYPE, SEED = 8, "auto", 0
LARGEST_BATCH = 4096  # requests in flight hold their frames in memory
MOST_DEVICES = 1024
LARGEST_SEED = 2**32 - 1


def add_run_arguments(parser: ArgumentParser, required: bool = True) -> None:
    """Add the arguments that say what is run, and how. required: a model and tasks."""
    add = parser.add_argument
    add("--model", required=required, help="a checkpoint folder, a shipped model, …:NAME")
    add("--base", metavar="MODEL", help=BASE_HELP)
    add("--tasks", required=required, help="tasks, separated by commas")
    add("--split", help="default: the task's default split")
    add("--data-root", type=Path, help="default: $VTG_EVAL_DATA, else ./data")
    add("--protocol", help="default: the task's default, strict@2 for built-in tasks")
    add("--profile", help="a fine-tune's profile, or none; default: what its folder says")
    add("--engine", help="default: vllm where it is installed, else transformers")
    add("--out", type=Path, help="the run's folder (several tasks: a sub-folder each)")
    add("--limit", type=_positive, metavar="N", help="use the first N samples only")
    add("--allow-subset", action="store_true", help="skip samples whose videos are missing")
    add("--batch-size", type=_batch_size, default=BATCH_SIZE, metavar="N")
    add("--dtype", default=DTYPE, help="default: %(default)s")
    add("--seed", type=_seed, default=SEED, help="default: %(default)s")
    add_input_options(parser)
    add("--decoder", default="pyav", help="default: %(default)s")
    add(
        "--frames-limit",
        type=_size,
        metavar="SIZE",
        help="disk for decoded frames of all runs, as in 80GiB; 0 keeps nothing; "
        f"default: ${LIMIT_VARIABLE}, else half of what is free",
    )
    add("--trust-remote-code", action="store_true", help="let the checkpoint run its code")
    add(
        "--unchecked-times",
        action="store_true",
        help="run a model also where `vtg-eval doctor time` finds its times not true",
    )
    add(
        "--engine-arg",
        action="append",
        default=[],
        type=_assignment,
        metavar="KEY=VALUE",
        help="passed to the engine, VALUE as JSON or text; may be repeated",
    )
    _add_device_arguments(parser)
    _add_server_arguments(parser)


def add_input_options(parser: ArgumentParser) -> None:
    """Add the arguments of `InputOptions`."""
    parser.add_argument(
        "--time-text",
        choices=get_args(TimeText),
        help="tell the frames' times as text: before each frame, all at the start, or not at all; "
        "default: header for families that tell no times otherwise",
    )
    parser.add_argument(
        "--thinking",
        choices=get_args(Thinking),
        default="default",
        help="the chat template's switch; thoughts count as tokens of the answer",
    )


def _add_device_arguments(parser: ArgumentParser) -> None:
    """Add the arguments that say what of the machine is used; they change no answer."""
    add = parser.add_argument_group("several devices").add_argument
    add_devices(add)
    add(
        "--ray",
        metavar="ADDRESS",
        help="use those of a Ray cluster: HOST:PORT of its head node, auto on one of its nodes, "
        "or local; by default all of them",
    )
    add(
        "--ray-decoders",
        type=_positive,
        metavar="N",
        help="decode up to N videos at a time on processors of the cluster that no worker has; "
        "default: workers decode",
    )
    add("--workers", type=_positive, metavar="N", help="threads that decode; default: one a core")


def add_devices(add: Callable[..., object]) -> None:
    """Add the arguments of `DeviceOptions`. add: `add_argument` of a parser, or of its group."""
    add(
        "--devices",
        type=_devices,
        metavar="N",
        help="use N GPUs (auto: all), a process each; without a GPU, N processes",
    )
    add(
        "--tensor-parallel",
        type=_positive,
        default=1,
        metavar="N",
        help="GPUs that share one model, for models larger than a GPU (vLLM)",
    )


def _add_server_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of models on a server; the key is in the environment only."""
    default = ServerOptions()
    add = parser.add_argument_group("a model on a server (--model openai:NAME)").add_argument
    add("--base-url", metavar="URL", help="default: $OPENAI_BASE_URL, else OpenAI's own server")
    add(
        "--send",
        choices=SENDS,
        default=default.send,
        help="frames as images, each after its time (default), or as one video (vLLM only)",
    )
    add(
        "--request-timeout",
        type=_above_zero,
        default=default.timeout,
        metavar="SECONDS",
        help="for one answer; default: %(default)g",
    )
    add("--max-cost", type=_above_zero, metavar="USD", help="stop before the answers cost more")
    add("--max-tokens-total", type=_positive, metavar="N", help="stop before more are used")
    add(
        "--price",
        type=_price,
        metavar="PROMPT,COMPLETION",
        help="US dollars for a million tokens; default: that of the package's list",
    )


def _devices(text: str) -> int | Literal["auto"]:
    if text != "auto" and not (text.isdecimal() and 0 < int(text[:5]) <= MOST_DEVICES):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither auto nor a number from 1 to {MOST_DEVICES}"
        )
    return "auto" if text == "auto" else int(text)


def shard(text: str) -> Shard:
    """Return the shard in the value of --shard; raises ArgumentTypeError."""
    match = re.fullmatch("([0-9]{1,4})/([0-9]{1,4})", text)
    if match is None or match[2].strip("0") == "":
        raise argparse.ArgumentTypeError(f"{text!r} is not a shard, as in 2/8")
    number, of = map(int, match.groups())
    if not 1 <= number <= of:
        raise argparse.ArgumentTypeError(f"there is no shard {text}: they are 1/{of} to {of}/{of}")
    return Shard(number, of)


def _positive(text: str) -> int:
    return _whole(text, 1, sys.maxsize)


def _batch_size(text: str) -> int:
    return _whole(text, 1, LARGEST_BATCH)


def _seed(text: str) -> int:
    return _whole(text, 0, LARGEST_SEED)


def _whole(text: str, least: int, most: int) -> int:
    # the length first: Python does not read numbers of thousands of digits
    if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
    return int(text)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from None


def _above_zero(text: str) -> float:
    return _number(text, lambda value: value > 0, "a number above 0")


def _price(text: str) -> Price:
    prompt, comma, completion = text.partition(",")
    what = "two prices, as in 0.25,2"
    if not comma:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return Price(*(_number(part, lambda value: value >= 0, what) for part in (prompt, completion)))


def _number(text: str, right: Callable[[float], bool], what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and right(value)):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def _assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
