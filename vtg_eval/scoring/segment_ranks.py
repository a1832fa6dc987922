"""DiDeMo: a ranking of segments of 5 s chunks against several annotators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vtg_eval.metrics.segment_ranks import SEGMENTS, segment_scores
from vtg_eval.parsing.answers import ParsedAnswer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.scoring.grounding import padded
from vtg_eval.scoring.table import Column, Table, in_denominator
from vtg_eval.task import Card
from vtg_eval.types import Sample, Span

CHUNK = 5.0  # seconds
CHUNKS = 6


def segment_ranks(
    card: Card,
    samples: Sequence[Sample],
    parsed_answers: Sequence[ParsedAnswer],
    protocol: ResolvedProtocol,
) -> Table:
    """Score spans (seconds, best first), each taken as the segment whose ends are nearest."""
    rule = protocol.score
    counted = in_denominator(parsed_answers, rule)
    scores = segment_scores(
        _segments([parsed.spans for parsed in parsed_answers]),
        _segments([sample.target.spans for sample in samples]),
    )
    columns = {
        "rank@1": Column(scores.rank1, counted, rule.arithmetic, rule.decimals),
        "rank@5": Column(scores.rank5, counted, rule.arithmetic, rule.decimals),
        "mIoU": Column(scores.iou, counted, rule.arithmetic, rule.decimals),
    }
    return Table(columns, "mIoU")


def _segments(rows: Sequence[Sequence[Span]]) -> npt.NDArray[np.int64]:
    """Return [N, R, 2], the first and the last chunk of each span.

    Both are -1 where there is no span, and for spans that are reversed, empty or not finite.
    """
    spans = padded([row[:SEGMENTS] for row in rows])
    usable = np.isfinite(spans).all(axis=2) & (spans[..., 0] < spans[..., 1])
    edges = np.rint(np.where(usable[..., None], spans, 0.0) / CHUNK)
    first = np.clip(edges[..., 0], 0, CHUNKS - 1)
    last = np.clip(edges[..., 1] - 1, first, CHUNKS - 1)
    return np.where(usable[..., None], np.stack([first, last], axis=2), -1).astype(np.int64)
