"""Answers in training: the text to learn for a sample, and the form of an answer with reasoning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from math import isclose
from zlib import crc32

from vtg_eval.errors import UserError
from vtg_eval.parsing.answers import ParsedAnswer, parse_answer
from vtg_eval.protocol import ResolvedProtocol
from vtg_eval.types import OutputType, Prediction, Sample, Span

from ..recipe import SftRule
from .sample import TrainingSample

# Wordings of one span; several spans are joined by commas. The first wording that the protocol's
# parser reads as the label is taken.
WORDINGS = ("{:.1f} - {:.1f}", "{:.1f} to {:.1f}")
FREE_FORM = "{:.1f} seconds, {:.1f}"  # a wording that a strict parser does not read
TENTH = 0.05 + 1e-9  # rounding error of a time with one decimal, in seconds
THINK, THOUGHT, TIME, TIMED = "<think>", "</think>", "<time>", "</time>"
ANSWER_OPENS = re.compile(r"</think>\s*+<answer>")
ANSWERED = "</answer>"


def target_text(sample: TrainingSample, protocol: ResolvedProtocol, rule: SftRule) -> str:
    """Return the answer to learn for a sample: its reasoning text, or its label alone.

    Times are written in seconds with one decimal, rounded to multiples of `rule.quantum` (0: not
    rounded; a moment keeps at least one quantum). Raises UserError where reasoning is to be learnt
    and the sample has none, where the protocol's parser reads no wording as the label, and where
    it reads a label in free form.
    """
    if rule.reasoning:
        if sample.reasoning is None:
            raise UserError(
                f"{sample.id} has no reasoning text to learn; filter such samples out by "
                "[curation] format, or set sft.reasoning = false."
            )
        return sample.reasoning
    question = _rounded(sample, rule.quantum).to_sample()
    if crc32(sample.id.encode()) < rule.free_form * 2**32:
        return _free_form(question, protocol)
    for text in _texts(question):
        if _means(parse_answer(question, Prediction(sample.id, text=text), protocol), question):
            return text
    raise UserError(
        f"The protocol {protocol.name} does not read any plain wording of the label of {sample.id}."
        " Take another protocol, or samples with a reasoning text."
    )


def _free_form(sample: Sample, protocol: ResolvedProtocol) -> str:
    """Return a label in words that do not have the form of an answer."""
    text = ", ".join(FREE_FORM.format(*span) for span in sample.target.spans)
    if not text or parse_answer(sample, Prediction(sample.id, text=text), protocol).spans:
        raise UserError(
            f"sft.free_form: {sample.id} has no times, or the protocol {protocol.name} reads them "
            f'in any form ("{text}"). Take other samples, or another protocol.'
        )
    return text


def _rounded(sample: TrainingSample, quantum: float) -> TrainingSample:
    if not quantum:
        return sample
    spans = []
    for start, end in sample.spans:
        first = round(start / quantum) * quantum
        spans.append(Span(first, max(round(end / quantum) * quantum, first + quantum)))
    return replace(sample, spans=tuple(spans))


def _texts(sample: Sample) -> Sequence[str]:
    spans = sample.target.spans
    timed = [", ".join(wording.format(*span) for span in spans) for wording in WORDINGS]
    match sample.asks:
        case OutputType.SPANS:
            return timed
        case OutputType.CHOICE:
            return [str(sample.target.choice)]
        case OutputType.BOTH:
            return [f"{sample.target.choice}, {text}" for text in timed]


def _means(parsed: ParsedAnswer, sample: Sample) -> bool:
    right_option = sample.asks is OutputType.SPANS or parsed.letters == (sample.target.choice,)
    if sample.asks is OutputType.CHOICE:
        return right_option
    if not parsed.spans:
        return False
    # a protocol of one span may read only the last of several
    targets = sample.target.spans[-len(parsed.spans) :]
    return right_option and bool(targets) and all(map(_near, parsed.spans, targets))


def _near(span: Span, target: Span) -> bool:
    pairs = zip(span, target, strict=True)
    return all(isclose(a, b, rel_tol=0.0, abs_tol=TENTH) for a, b in pairs)


def well_formed(text: str, form: str) -> bool:
    """Tell whether the whole text has the form.

    "think-answer": <think>…</think> <answer>…</answer> and nothing else (TimeZero).
    "think-time": <think>…</think>, then <time>…</time>, then anything (TVG-R1). "…" may be any
    text, including tags.
    """
    if form == "any":
        return True
    if not text.startswith(THINK):
        return False
    if form == "think-answer":
        opening = ANSWER_OPENS.search(text, len(THINK))
        return opening is not None and text.endswith(ANSWERED, opening.end())
    offset = 0
    for tag in (THINK, THOUGHT, TIME, TIMED):
        offset = text.find(tag, offset)
        if offset < 0:
            return False
        offset += len(tag)
    return True
