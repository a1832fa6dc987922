"""From a sample to the engine's request, the same for evaluation and training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vtg_eval.adapter import Adapter
from vtg_eval.annotations.subtitles import subtitle_text
from vtg_eval.console.text import error_line
from vtg_eval.engines.base import Request
from vtg_eval.errors import ContractError
from vtg_eval.protocol import FrameRule, PromptRule, ResolvedProtocol
from vtg_eval.run.frames_limit import frames_limit
from vtg_eval.run.paths import frames_folder
from vtg_eval.run.plan import VideoJob
from vtg_eval.run.prefetch import RequestStream
from vtg_eval.run.usage import UsageMeter
from vtg_eval.types import Cue, Sample, Span, Target
from vtg_eval.video.decoder import Decoder, ReadFrames, read_here
from vtg_eval.video.edited_frames import EditedFiles, edited_frames
from vtg_eval.video.frame_store import FrameStore, Sizer
from vtg_eval.video.frames import Frames, VideoInfo

PROBE_FRAMES = FrameRule(min_tokens=4, max_tokens=16)
Subtitles = Callable[[Sample], Sequence[Cue]]


@dataclass(frozen=True, slots=True)
class SampleContext:
    """The protocol and subtitles that a sample's request needs besides the sample.

    subtitles: returns a sample's cues, as `Task.subtitles` does; called only where the protocol
    shows them.
    """

    protocol: ResolvedProtocol
    subtitles: Subtitles


def no_subtitles(sample: Sample) -> Sequence[Cue]:
    """Return no cues: for samples whose video has none."""
    return ()


def probe_request(adapter: Adapter) -> Request:
    """Return the adapter's request on a black video of four seconds, to check a checkpoint with.

    Raises UserError where the checkpoint's small files do not give a request.
    """
    times = np.arange(8) / 2
    protocol = ResolvedProtocol("probe", "", "", PROBE_FRAMES, PromptRule(text="{query}"))
    size = adapter.frame_size(240, 320, len(times), protocol.frames)
    info = VideoInfo("probe", 4.0, 2.0, 240, 320, times)
    frames = Frames(np.zeros((len(times), *size, 3), np.uint8), times, "probe", "probe", info)
    return adapter.request(Sample("probe", "probe", "it is dark", Target()), frames, protocol)


class RequestBuilder:
    """Frames and requests for one adapter; decoded frames are kept on disk."""

    def __init__(
        self,
        adapter: Adapter,
        decoder: Decoder,
        cache: Path | None = None,
        limit: int | None = None,
        meter: UsageMeter | None = None,
        read: ReadFrames = read_here,
    ) -> None:
        """cache: where decoded frames are kept; None: in the user's cache.

        limit: bytes of decoded frames to keep; None: as `frames_limit` and the disk say. meter: of
        the session. read: see `FrameStore`.
        """
        self._adapter = adapter
        self._meter = meter or UsageMeter()
        folder, most = cache or frames_folder(), frames_limit(limit)
        self._store = FrameStore(decoder, folder, most, self._meter.frames, read)

    def frames(
        self,
        video: Path,
        clips: Sequence[Span],
        rule: FrameRule,
        annotated: float | None = None,
    ) -> Frames:
        """Return the frames that the rule chooses, at the adapter's size.

        clips: the parts of the video to show, as in `Sample`. annotated: its duration (seconds),
        if the annotation has one. Raises VideoError.
        """

        return self._store.frames(video, rule, self._sizer(rule), clips, annotated)

    def edited_frames(self, source: EditedFiles, rule: FrameRule) -> Frames:
        """Return the frames that the rule chooses of an edit list. Raises VideoError."""
        return edited_frames(self._store, source, rule, self._sizer(rule))

    def _sizer(self, rule: FrameRule) -> Sizer:
        def size(height: int, width: int, count: int) -> tuple[int, int]:
            return self._adapter.frame_size(height, width, count, rule)

        return size

    def request(self, sample: Sample, frames: Frames | None, context: SampleContext) -> Request:
        """Return the adapter's request, with subtitles where the protocol shows them.

        Raises DataError for a file of subtitles that cannot be read.
        """
        protocol, rule = context.protocol, context.protocol.prompt.subtitles
        if rule != "none" and frames is not None:
            text = subtitle_text(context.subtitles(sample), frames.times.tolist(), rule)
            sample = replace(sample, subtitles=text)
        request = self._adapter.request(sample, frames, protocol)
        if not isinstance(request, Request) or request.sample_id != sample.id:
            raise ContractError(
                self._adapter, f"request returned no request for the sample: {request!r:.60}"
            )
        return request

    def stream(
        self,
        jobs: Iterable[VideoJob],
        context: Callable[[Sample], SampleContext],
        explain: Callable[[BaseException], str] = error_line,
        workers: int | None = None,
    ) -> RequestStream:
        """Return the requests for all jobs, with frames decoded ahead.

        context: returns the context of a sample; all samples of a job have the same frame rule.
        explain: returns an exception as one line. workers: threads that decode; None: one a core.
        """

        def load(job: VideoJob) -> Frames:
            rule = context(job.samples[0]).protocol.frames
            if job.parts:
                size_of = job.video if job.video in job.files else job.parts[0].video
                return self.edited_frames(EditedFiles(job.parts, job.files, size_of), rule)
            return self.frames(job.path, job.clips, rule, job.duration)

        def build(sample: Sample, frames: Frames | None) -> Request:
            return self.request(sample, frames, context(sample))

        load_frames = load if self._adapter.needs_frames else None
        return RequestStream(jobs, load_frames, build, workers, explain=explain, meter=self._meter)
