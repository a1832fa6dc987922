"""Seen queries: which samples ask in words that stand in the task's own train split, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vtg_eval.errors import MissingFileError
from vtg_eval.task import Card
from vtg_eval.types import Group, Sample

GROUPING, SEEN, UNSEEN = "query", "in the train split", "not in the train split"
TRAIN = "train"


def normalised(query: str) -> str:
    """Return a query's words: case, white space and full stops at the end do not count."""
    return " ".join(query.casefold().split()).rstrip(".").rstrip()


def with_query_overlap(
    samples: Sequence[Sample], card: Card, split: str, read: Callable[[str], Sequence[Sample]]
) -> tuple[Sample, ...]:
    """Return the samples, each in a group that says whether its query stands in the train split.

    read: gives the samples of a split by its name. Without a train split, or its annotations, the
    samples are as they were. Raises what `read` raises for annotations that are malformed.
    """
    if split == TRAIN or TRAIN not in {facts.name for facts in card.splits}:
        return tuple(samples)
    try:
        words = {normalised(sample.query) for sample in read(TRAIN)}
    except MissingFileError:
        return tuple(samples)
    groups = {True: Group(GROUPING, SEEN), False: Group(GROUPING, UNSEEN)}
    return tuple(
        replace(s, groups=(*s.groups, groups[normalised(s.query) in words])) for s in samples
    )
