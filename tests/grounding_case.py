"""A small hand-made grounding task for tests of scoring."""

from typing import Any

from vtg_eval.protocol import AnswerRule, ResolvedProtocol, ScoreRule
from vtg_eval.task import Card, SplitMetadata
from vtg_eval.types import Prediction, Sample, Span, Target

CARD = Card(
    name="tiny",
    title="tiny",
    version="1-A",
    paper="none",
    home="none",
    licence="none",
    metric_family="grounding",
    default_split="test",
    splits=(SplitMetadata("test", 2, 3),),
    sample_ids="v/k",
    videos="none",
)


def sample(name: str, *spans: tuple[float, float], duration: float | None = 20.0) -> Sample:
    target = Target(spans=tuple(Span(*span) for span in spans))
    return Sample(id=name, video=name[0], query="q", target=target, duration=duration)


def spans(name: str, *pairs: tuple[float, float]) -> Prediction:
    return Prediction(name, spans=tuple(Span(*pair) for pair in pairs))


def protocol(answer: AnswerRule | None = None, **score: Any) -> ResolvedProtocol:
    return ResolvedProtocol(
        "test@1", "a test", "here", answer=answer or AnswerRule(), score=ScoreRule(**score)
    )


SAMPLES = (sample("a/0", (0, 10)), sample("a/1", (5, 10), (15, 20)), sample("b/0"))
