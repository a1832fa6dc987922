"""A file of published training data as a file of training samples (`vtg-train convert`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vtg_eval.errors import UserError
from vtg_eval.run.durations import shown_length, video_lengths
from vtg_eval.types import OutputType

from .converters import convert
from .sample import TrainingSample, require_new, write_samples


def convert_file(name: str, path: Path, out: Path, videos: Path | None) -> str:
    """Write the samples of a file in the layout of that name; return what was written.

    videos: their folder; where the file has no length of a video, it is read there. Raises
    UserError as `convert` and `write_samples` do, where `videos` is no folder, where `path` is
    one, and where no sample is in it.
    """
    if videos is not None and not videos.is_dir():
        raise UserError(f"{videos} is not a folder of videos.")
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file of annotations.")
    require_new(out)  # before lengths are read, which takes long
    samples = tuple(convert(name, path))
    if not samples:
        raise UserError(f"{path} has no sample to train on. Name the file of annotations.")
    if videos is not None:
        samples = tuple(with_lengths(samples, videos))
    write_samples(out, samples)
    unknown = sum(_lacks_length(sample) for sample in samples)
    text = f"{out}: {len(samples)} samples about {len({s.video for s in samples})} videos"
    if not unknown:
        return f"{text}."
    remedy = f"their videos in {videos} are missing or broken" if videos else "name --videos"
    return f"{text}; {unknown} have no length of their video: {remedy}."


def with_lengths(samples: Sequence[TrainingSample], videos: Path) -> Iterator[TrainingSample]:
    """Yield the samples, with the length of their video (seconds) where they had none.

    It is that of the part that is shown. Where the file cannot be read there is none.
    """
    lengths = video_lengths({s.video: videos / s.video for s in samples if _lacks_length(s)})
    for sample in samples:
        if _lacks_length(sample) and sample.video in lengths:
            clips = () if sample.clip is None else (sample.clip,)
            yield replace(sample, duration=shown_length(clips, lengths[sample.video]))
        else:
            yield sample


def _lacks_length(sample: TrainingSample) -> bool:
    return sample.duration is None and sample.asks is not OutputType.CHOICE
