"""The samples of a split as all commands read them: at least one, each of them well-formed."""

from __future__ import annotations

from pathlib import Path

from vtg_eval.annotations.records import SURROGATE, shown
from vtg_eval.errors import DataError
from vtg_eval.task import CONTROL, Task, is_video_name
from vtg_eval.types import LONGEST, SHORTEST, Sample

LONGEST_ID = 255  # characters: ids are written to journals and tables
MOST_OPTIONS = 26  # letters


def read_split(task: Task, root: Path, split: str) -> tuple[Sample, ...]:
    """Return a split's samples; raises what `task.samples` raises.

    Raises DataError where there is no sample, and for the first that is malformed.
    """
    samples = tuple(task.samples(root, split))
    place = f"{task.card.name}, {split}, in {task.folder(root)}"
    if not samples:
        raise DataError(f"{place}: the annotations hold no samples. Fetch them again.")
    ids: set[str] = set()
    for sample in samples:
        fault = "has the id of another sample" if sample.id in ids else unusable(sample)
        if fault:
            raise DataError(
                f"{place}: the sample {shown(sample.id)} {fault}. Correct it, or fetch the "
                "annotations again."
            )
        ids.add(sample.id)
    return samples


def unusable(sample: Sample) -> str:
    """Return why a sample can be neither asked nor scored, "" for most."""
    if not sample.id.strip() or CONTROL.search(sample.id):
        return "has an id that is empty or has control characters"
    if len(sample.id) > LONGEST_ID:
        return f"has an id of {len(sample.id):,} characters; at most {LONGEST_ID} are allowed"
    if not is_video_name(sample.video):
        return f"names a video that cannot be a file of the data: {sample.video[:80]!r}"
    if sample.duration is not None and not SHORTEST <= sample.duration <= LONGEST:
        return f"has a duration of {sample.duration:g} s, not one from {SHORTEST:g} to {LONGEST:g}"
    if any(SURROGATE.search(text) for text in (sample.query, *sample.options)):
        return "has half a character in its query or its options"
    if len(sample.options) > MOST_OPTIONS:
        return f"has {len(sample.options)} options; there are letters for {MOST_OPTIONS}"
    return ""
