"""Check that a model is told true times: clock videos through decoder, adapter and processor.

No weights are read. The model's processor is called as the engines call it, and the times are read
from its output: from the prompt's text, or from the tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.console.text import error_line
from vtg_eval.doctor.clock_requests import ClockRequests
from vtg_eval.doctor.clock_videos import Trial, number_in, trials
from vtg_eval.doctor.diagnosis import SLACK, Judgement, Truth, judge
from vtg_eval.doctor.findings import (
    DECODER,
    NO_INPUT,
    NOT_TOLD,
    RECORDED,
    Finding,
)
from vtg_eval.doctor.input_times import (
    InputTimes,
    ModelInput,
    Reader,
    declared_encoding,
    frames_shown,
)
from vtg_eval.engines.base import Request
from vtg_eval.errors import ContractError, UserError
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.video.decoder import Decoder
from vtg_eval.video.frames import Frames

LEAST_DECODED = 1e-3  # seconds: files store times rounded to their own unit


@dataclass(frozen=True, slots=True)
class ClockResult:
    """One clock video's result. Errors are the largest ones, in seconds; None without times.

    decoded: the decoder's times against the true times of the pictures. model_times: the times in
    the processor's output against the true times. recorded: those against the adapter's
    `Request.model_times`. resolution: how large the error of the model times may be. finding: what
    is wrong, or the limit that applies; None where all is right. error: of a call that failed.
    """

    clock: str
    frames: int = 0
    decoded: float | None = None
    model_times: float | None = None
    recorded: float | None = None
    resolution: float | None = None
    finding: Finding | None = None
    error: str | None = None

    @property
    def true(self) -> bool:
        """Whether the model is told the truth, within what the family can be told."""
        return self.finding is None or not self.finding.serious

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, the finding by its name."""
        name = None if self.finding is None else self.finding.name
        return {**asdict(self), "finding": name, "true": self.true}


class TimeCheck:
    """Clock videos in a folder, and the frames and requests that are made of them.

    Several models may be checked with the same videos.
    """

    def __init__(self, decoder: Decoder, folder: Path) -> None:
        self._decoder = decoder
        self._folder = folder

    def run(
        self, adapter: Adapter, reader: Reader, processor: Any, protocol: ResolvedProtocol
    ) -> Iterator[ClockResult]:
        """Yield the result of each clock video.

        processor: transformers' for the checkpoint.
        """
        from vtg_eval.engines.model_inputs import InputBuilder

        clocks = ClockRequests(adapter, self._decoder, self._folder, protocol)
        builder = InputBuilder(processor)
        for trial in trials():
            try:
                frames = clocks.frames(trial)
                request = clocks.request(clocks.sample(trial, frames), frames)
                item = builder.build(request)
            except (UserError, ContractError, KeyboardInterrupt):
                raise
            except Exception as exc:  # a video, an adapter or a processor may fail in any way
                yield ClockResult(trial.name, finding=NO_INPUT, error=error_line(exc))
                continue
            shown = ModelInput(processor.tokenizer.decode(item.ids), item.tensors)
            yield _result(trial, frames, request, shown, reader.read(shown, clocks.listed))


def examine(
    checkpoint: Checkpoint,
    adapter: Adapter,
    protocol: ResolvedProtocol,
    check: TimeCheck,
    trust: bool = False,
) -> tuple[ClockResult, ...]:
    """Return the result of each clock video.

    protocol: as the checkpoint's profile has it. trust: whether the checkpoint may run code of its
    own. Raises UserError where the checkpoint has no processor, or its adapter does not say how
    times reach the model.
    """
    if checkpoint.path is None and adapter.needs_frames:
        raise UserError(
            f"{checkpoint.reference} is on a server, whose processor cannot be seen from here: the "
            "manifest of a run says who asserts the times. Name a checkpoint's folder."
        )
    if checkpoint.path is None or not adapter.needs_frames:
        raise UserError(
            f"{checkpoint.reference} is given no times, so there is nothing to check. Name a "
            "checkpoint that reads frames."
        )
    encoding = declared_encoding(adapter)
    if encoding is None:
        raise UserError(
            f"The adapter of {checkpoint.reference} does not say how it tells times, so they "
            "cannot be checked: give it a `time_encoding` (vtg_eval.model_input.time_encoding)."
        )
    try:
        from vtg_eval.engines.loading import load_config, load_processor
    except ImportError as exc:
        raise UserError(f'`doctor time` needs the extra hf (README, "Install"): {exc}') from exc
    reader = Reader(adapter, encoding, load_config(checkpoint.path, trust))
    processor = load_processor(checkpoint.path, trust)
    return tuple(check.run(adapter, reader, processor, protocol))


def _result(
    trial: Trial,
    frames: Frames,
    request: Request,
    item: ModelInput,
    input_times: Sequence[InputTimes],
) -> ClockResult:
    assert request.frames is not None
    numbers = np.array([number_in(picture) for picture in frames.array])
    known = numbers < len(trial.clock.times)
    true = trial.clock.times[np.where(known, numbers, 0)]
    decoded = float(np.abs(frames.times - true).max())
    result = ClockResult(trial.name, len(true), decoded)
    if not known.all() or decoded > LEAST_DECODED:
        return replace(result, finding=DECODER)
    truth = Truth(
        times=true,
        numbers=numbers.astype(np.float64),
        average=frames.info.fps,
        images=request.media == "images",
        shown=frames_shown(item, request),
    )
    if not input_times:
        return replace(result, finding=NOT_TOLD)
    judgements = [judge(one, truth) for one in input_times]
    worst = min(judgements, key=_soundness)
    recorded = _difference(input_times[0], request.model_times)
    finding = worst.finding
    if finding is None and (recorded is None or recorded > SLACK):
        finding = RECORDED
    return replace(
        result,
        model_times=worst.error,
        recorded=recorded,
        resolution=worst.allowed,
        finding=finding,
    )


def _soundness(judgement: Judgement) -> int:
    if judgement.finding is None:
        return 2
    return 0 if judgement.finding.serious else 1


def _difference(input_times: InputTimes, recorded: tuple[float, ...]) -> float | None:
    """Return the largest difference in seconds, None for another number of times."""
    if len(input_times.times) != len(recorded):
        return None
    return float(np.abs(input_times.times - np.array(recorded)).max())
