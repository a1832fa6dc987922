from __future__ import annotations

from dataclasses import replace

import pytest
from vtg_eval.model_adapters.baseline import BaselineAdapter

from vtg_eval.adapter import Adapter, Checkpoint
from vtg_eval.errors import UserError
from vtg_eval.parsing.answers import parse_answer
from vtg_eval.parsing.spans import strict
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.types import OutputType, Prediction, Sample, Span, Target

PROTOCOL = ResolvedProtocol("p@1", "", "")
SAMPLE = Sample("v:0", "v", "it stops", Target(), duration=30.96)


def baseline(kind: str) -> Adapter:
    return BaselineAdapter(Checkpoint(f"baseline:{kind}", None, argument=kind))


def span(kind: str, sample: Sample = SAMPLE) -> Span:
    answer = baseline(kind).request(sample, None, PROTOCOL).answer
    assert answer is not None
    (found,) = strict(answer).spans
    return found


def test_whole_video_and_constant() -> None:
    assert span("whole-video") == (0.0, 30.96)
    assert span("constant:0.25:0.5") == pytest.approx((7.74, 15.48))


def test_random_is_uniform_and_fixed_by_the_id() -> None:
    spans = [span("random", replace(SAMPLE, id=f"v:{i}", duration=1.0)) for i in range(400)]
    assert all(0 <= s.start <= s.end < 1 for s in spans)
    assert sum(s.start for s in spans) / 400 == pytest.approx(1 / 3, abs=0.05)
    assert sum(s.end for s in spans) / 400 == pytest.approx(2 / 3, abs=0.05)
    assert span("random") == span("random")


@pytest.mark.parametrize(
    "kind", ["whole", "random:1", "constant", "constant:0.5:0.2", "constant:a:b"]
)
def test_unknown_words_are_refused(kind: str) -> None:
    with pytest.raises(UserError):
        baseline(kind)


def test_a_sample_without_duration_fails_alone() -> None:
    with pytest.raises(ValueError, match="no duration"):
        baseline("random").request(replace(SAMPLE, duration=None), None, PROTOCOL)


def test_options_get_the_longest_and_both_get_both() -> None:
    asked = replace(SAMPLE, options=("a", "bbb"), asks=OutputType.CHOICE, duration=None)
    assert baseline("random").request(asked, None, PROTOCOL).answer == "B"
    both = replace(asked, asks=OutputType.BOTH, duration=10.0)
    answer = baseline("whole-video").request(both, None, PROTOCOL).answer
    assert answer == "B, 0.0 to 10.0"
    read = parse_answer(both, Prediction(both.id, text=answer), PROTOCOL)
    assert (read.letters, read.spans) == (("B",), (Span(0.0, 10.0),))
