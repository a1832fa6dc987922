"""Converters of published training data to training samples.

A converter is a function from an annotation file to samples; `CONVERTERS` has them by name. Video
paths are those of the data set, below the folder that the recipe names; for a data set with ids
only they are <id>.mp4. Labels are not changed, even if they are wrong: curation drops what is not
a moment. Each converter's docstring says whether its layout was read in a real file ("seen"), or
only in the authors' loader or documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from vtg_eval.errors import UserError, suggestion

from .benchmark_layouts import (
    activitynet,
    charades_sta,
    didemo,
    hirest,
    hirest_steps,
    internvid_vtime,
    queryd,
    qvhighlights,
    tacos,
)
from .recipe_layouts import (
    conversations,
    time_r1,
    timelens2_93k,
    timelens_100k,
    timelens_filtered,
    tvg_r1_rl,
)
from .sample import TrainingSample

Converter = Callable[[Path], Iterator[TrainingSample]]

CONVERTERS: Mapping[str, Converter] = {
    "activitynet-captions": activitynet,
    "charades-sta": charades_sta,
    "conversations": conversations,
    "didemo": didemo,
    "hirest": hirest,
    "hirest-steps": hirest_steps,
    "internvid-vtime": internvid_vtime,
    "queryd": queryd,
    "qvhighlights": qvhighlights,
    "tacos": tacos,
    "time-r1": time_r1,
    "timelens-100k": timelens_100k,
    "timelens-filtered": timelens_filtered,
    "timelens2-93k": timelens2_93k,
    "tvg-r1-cold-start": conversations,
    "tvg-r1-rl": tvg_r1_rl,
}


def convert(name: str, path: Path) -> Iterator[TrainingSample]:
    """Yield the samples of an annotation file in the layout of that name.

    Raises UserError for an unknown name or a file that cannot be read, DataError for a malformed
    record.
    """
    if name not in CONVERTERS:
        raise UserError(f'There is no converter "{name}". {suggestion(name, CONVERTERS)}')
    return _read(CONVERTERS[name], path)


def _read(converter: Converter, path: Path) -> Iterator[TrainingSample]:
    try:
        yield from converter(path)
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}.") from exc
