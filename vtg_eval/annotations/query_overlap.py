"""Query overlap: which samples have a query that is also in the task's train split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vtg_eval.errors import MissingFileError
from vtg_eval.task import Card
from vtg_eval.types import Group, Sample

GROUPING, IN_TRAIN, NOT_IN_TRAIN = "query", "in the train split", "not in the train split"
TRAIN = "train"


def normalised(query: str) -> str:
    """Return the query without differences of case, white space and final full stops."""
    return " ".join(query.casefold().split()).rstrip(".").rstrip()


def with_query_overlap(
    samples: Sequence[Sample], card: Card, split: str, read: Callable[[str], Sequence[Sample]]
) -> tuple[Sample, ...]:
    """Return the samples, each in a group that says whether its query is in the train split.

    read: returns the samples of a split by its name. Without a train split, or its annotations,
    the samples are unchanged. Raises what `read` raises for annotations that are malformed.
    """
    if split == TRAIN or TRAIN not in {metadata.name for metadata in card.splits}:
        return tuple(samples)
    try:
        train_queries = {normalised(sample.query) for sample in read(TRAIN)}
    except MissingFileError:
        return tuple(samples)
    groups = {True: Group(GROUPING, IN_TRAIN), False: Group(GROUPING, NOT_IN_TRAIN)}
    return tuple(
        replace(s, groups=(*s.groups, groups[normalised(s.query) in train_queries]))
        for s in samples
    )
