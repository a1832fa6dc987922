"""TempCompass: short videos and their edited twins, asked about in three forms of question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from vtg_eval.annotations.records import AnnotationRecord, read_table, shown
from vtg_eval.errors import DataError
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Group, OutputType, Sample, Target, option_letter

ORDER = "order"  # the one aspect without finer ones; a video's meta information may lack it
YES_NO = ("yes", "no")


class _Question(NamedTuple):
    """A question without its options, the options' texts, and each option as an answer has it."""

    query: str
    options: tuple[str, ...]
    answers: tuple[str, ...]


class TempCompass(Task):
    """Every text keeps its white space, so that the official prompt can be written exactly.

    The captions to be matched keep their labels ("Option 1: …", "Sentence A: …"), for the official
    script reads these in answers.
    """

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples, ids <video>/<aspect>/<k> in file order."""
        name, split_up = FORMS[split]
        meta = read_table(self.file(root, "meta_info.json"))
        return [
            _sample(f"{video}/{aspect}/{k}", video, aspect, record, split_up, meta)
            for video, aspects in read_table(self.file(root, name)).items()
            for aspect in aspects.table
            for k, record in enumerate(aspects.records(aspect))
        ]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video)


def _sample(
    name: str,
    video: str,
    aspect: str,
    record: AnnotationRecord,
    split_up: Callable[[AnnotationRecord], _Question],
    meta: Mapping[str, AnnotationRecord],
) -> Sample:
    question, answer = split_up(record), record.text("answer")
    if answer not in question.answers:
        raise DataError(f'{record.where}: "answer" is none of the options, but {answer[:60]!r}.')
    finer = aspect if aspect == ORDER else _finer_aspect(video, aspect, record, meta)
    return Sample(
        id=name,
        video=video,
        query=question.query,
        target=Target(choice=option_letter(question.answers.index(answer))),
        options=question.options,
        groups=(Group("aspect", aspect), Group("fine-grained aspect", finer)),
        asks=OutputType.CHOICE,
    )


def _finer_aspect(
    video: str, aspect: str, record: AnnotationRecord, meta: Mapping[str, AnnotationRecord]
) -> str:
    if video not in meta:
        raise DataError(f"{record.where}: meta_info.json has no video {shown(video)}.")
    return meta[video].record("eval_dim").record(aspect).text("type")


def _multi_choice(record: AnnotationRecord) -> _Question:
    """Split "question\\nA. one\\nB. two"; after the label's full stop one space may stand."""
    query, *lines = record.text("question").split("\n")
    options = []
    for index, line in enumerate(lines):
        letter = option_letter(index)
        label, stop, text = line.partition(".")
        if label.strip() != letter or not stop:
            raise DataError(f'{record.where}: "question" has no option {letter} in {line[:60]!r}.')
        options.append(text.removeprefix(" "))
    return _Question(query, tuple(options), tuple(lines))


def _yes_no(record: AnnotationRecord) -> _Question:
    return _Question(record.text("question"), YES_NO, YES_NO)


def _caption_matching(record: AnnotationRecord) -> _Question:
    """Split "question\\nOption 1: one\\nOption 2: two"; the options are the whole lines."""
    query, *lines = record.text("question").split("\n")
    if not lines or not all(": " in line for line in lines):
        raise DataError(f'{record.where}: "question" has no lines like "Option 1: …".')
    return _Question(query, tuple(lines), tuple(lines))


FORMS: Mapping[str, tuple[str, Callable[[AnnotationRecord], _Question]]] = MappingProxyType(
    {
        "multi_choice": ("multi-choice.json", _multi_choice),
        "yes_no": ("yes_no.json", _yes_no),
        "caption_matching": ("caption_matching.json", _caption_matching),
    }
)

TASK = TempCompass()
