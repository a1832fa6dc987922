"""Another video of the split: what is put before a video, after it or in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vtg_eval.files.digests import sha256
from vtg_eval.probe.shown import shown_parts
from vtg_eval.types import SHORTEST, OutputType, Sample
from vtg_eval.video.edit_list import EditList, length

CANDIDATES = 50  # that are compared for a video
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class OtherVideo:
    """A video as its first sample shows it, and its samples that ask for a moment."""

    video: str
    parts: EditList
    samples: tuple[Sample, ...]

    @property
    def duration(self) -> float:
        """Seconds."""
        return length(self.parts)


class OtherVideos:
    """The videos of the samples. For each of them another one is chosen, by a seed.

    Of 50 that the seed draws it is the one whose queries share the fewest words with the queries
    on the video, so that the event of a query hardly happens in the other video. No query is
    asked on both.
    """

    def __init__(self, samples: Sequence[Sample], seed: int) -> None:
        self._seed = seed
        groups: dict[str, list[Sample]] = {}
        for sample in samples:
            if sample.asks is not OutputType.CHOICE and sample.duration is not None:
                groups.setdefault(sample.video, []).append(sample)
        self._videos = {
            video: OtherVideo(video, shown_parts(group[0]), tuple(group))
            for video, group in groups.items()
        }
        self._words = {
            video: frozenset(word for s in group for word in WORD.findall(s.query.lower()))
            for video, group in groups.items()
        }
        self._queries = {
            video: frozenset(" ".join(WORD.findall(s.query.lower())) for s in group)
            for video, group in groups.items()
        }
        # a closed chain in an order drawn by the seed: each video's candidates follow it
        self._chain = sorted(groups, key=lambda video: sha256(f"{seed} {video}"))
        self._place = {video: place for place, video in enumerate(self._chain)}
        self._chosen: dict[tuple[str, float], OtherVideo | None] = {}

    def other(self, video: str, seconds: float = 0.0) -> OtherVideo | None:
        """Return the other video for a video, of at least so many seconds; None without any."""
        key = (video, seconds)
        if key not in self._chosen:
            self._chosen[key] = self._choose(video, seconds)
        return self._chosen[key]

    def _choose(self, video: str, seconds: float) -> OtherVideo | None:
        place = self._place[video]
        after = (*self._chain[place + 1 :], *self._chain[:place])
        usable = (
            other
            for other in after
            if self._videos[other].duration >= max(seconds, SHORTEST)
            and not self._queries[other] & self._queries[video]
        )
        candidates = [other for other, _ in zip(usable, range(CANDIDATES), strict=False)]
        if not candidates:
            return None
        words = self._words[video]
        return self._videos[min(candidates, key=lambda other: len(words & self._words[other]))]

    def query(self, sample: Sample) -> Sample | None:
        """Return a sample of the other video to ask instead; None without another video."""
        other = self.other(sample.video)
        if other is None:
            return None
        draw = int(sha256(f"{self._seed} {sample.id}")[:8], 16)
        return other.samples[draw % len(other.samples)]
