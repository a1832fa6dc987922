"""Requests about clock videos, made as a run makes its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vtg_eval.adapter import Adapter
from vtg_eval.doctor.clock_videos import Trial, write
from vtg_eval.engines.base import Request
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.question import tells_times
from vtg_eval.run.requests import RequestBuilder, SampleContext, no_subtitles
from vtg_eval.types import OutputType, Sample, Target
from vtg_eval.video.decoder import Decoder
from vtg_eval.video.frames import Frames

# a rule's own limit is far higher; more frames of a clock would show nothing new
MOST_FRAMES = 64
QUERY = "the clock shows its number"


class ClockRequests:
    """Frames of clock videos for one adapter, and requests about them under one protocol.

    The videos and their frames are kept in `folder`, and may be shared by several adapters.
    """

    def __init__(
        self, adapter: Adapter, decoder: Decoder, folder: Path, protocol: ResolvedProtocol
    ) -> None:
        self._builder = RequestBuilder(adapter, decoder, folder / "frames")
        self._folder = folder
        frames = adapter.frame_rule(protocol.frames)
        most = min(frames.max_frames, MOST_FRAMES)
        least = min(frames.min_frames, most)
        self._protocol = replace(
            protocol, frames=replace(frames, max_frames=most, min_frames=least)
        )

    @property
    def listed(self) -> bool:
        """Whether the protocol's own prompt lists the frames' times."""
        return tells_times(self._asks, self._protocol.prompt)

    def frames(self, trial: Trial) -> Frames:
        """Return the chosen frames of a clock video; raises VideoError."""
        rule: FrameRule = self._protocol.frames
        if trial.rate is not None:
            rule = replace(rule, fps=trial.rate)
        frames = self._builder.frames(write(trial.clock, self._folder), (), rule)
        if not trial.odd:
            return frames
        return replace(
            frames, array=frames.array[:-1], times=frames.times[:-1], digest=f"{frames.digest}-odd"
        )

    def sample(self, trial: Trial, frames: Frames, query: str = QUERY) -> Sample:
        """Return a question about a clock, of a kind that the protocol has a prompt for."""
        return Sample(
            id=f"{trial.name}: {query}",
            video=trial.name,
            query=query,
            target=Target(),
            duration=frames.info.duration,
            options=() if self._asks is OutputType.SPANS else ("yes", "no"),
            asks=self._asks,
        )

    def request(self, sample: Sample, frames: Frames) -> Request:
        """Return the adapter's request for a sample; raises what the adapter raises."""
        return self._builder.request(sample, frames, SampleContext(self._protocol, no_subtitles))

    @property
    def _asks(self) -> OutputType:
        return OutputType.SPANS if self._protocol.prompt.text else OutputType.BOTH
