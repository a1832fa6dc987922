"""Files of questions with options: JSON or Parquet, options in a list or within the question."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from vtg_eval.annotations.records import AnnotationRecord, read_lines, read_list
from vtg_eval.errors import DataError, UserError
from vtg_eval.task import Task

OPTION_LINE = re.compile(r"\n\(([A-Z])\) ?")


def any_file(task: Task, root: Path, names: Sequence[str]) -> Path:
    """Return the first of these annotation files that is there.

    Raises UserError that says where the first comes from, where none is.
    """
    paths = (task.folder(root) / name for name in names)
    return next((path for path in paths if path.is_file()), None) or task.file(root, names[0])


def read_rows(path: Path) -> tuple[AnnotationRecord, ...]:
    """Return the records of a .parquet, a .jsonl or a .json file (a list); raises DataError.

    Raises UserError where a Parquet file lies there, but not the package that reads it.
    """
    if path.suffix == ".parquet":
        return _parquet_rows(path)
    return tuple(read_lines(path)) if path.suffix == ".jsonl" else read_list(path)


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    r"""Return the question and the options of a text such as "Who?\n(A) he\n(B) she".

    The lines "(A) …", "(B) …" must come in order; an option may have several lines. Written as
    such lines again they give the text back. No options: the text as it is.
    """
    marks: list[re.Match[str]] = []
    for mark in OPTION_LINE.finditer(text):
        if mark[1] == letter(len(marks)):
            marks.append(mark)
    if not marks:
        return text, ()
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    options = (text[mark.end() : end] for mark, end in zip(marks, ends, strict=True))
    return text[: marks[0].start()], tuple(options)


def unlabelled(options: Sequence[str], label: str) -> tuple[str, ...]:
    """Return the options without their labels; `label` is like "{letter}. "."""
    return tuple(
        option.removeprefix(label.replace("{letter}", letter(number)))
        for number, option in enumerate(options)
    )


def matching_letter(answer: str, options: Sequence[str]) -> str | None:
    """Return the letter of the option that is the answer: of several the last; None: none is."""
    found = [number for number, option in enumerate(options) if option == answer]
    return letter(found[-1]) if found else None


def letter_of_text(record: AnnotationRecord, key: str, options: Sequence[str]) -> str:
    """Return the letter of the first option that is the text under `key`; raises DataError."""
    text = record.text(key)
    if text not in options:
        raise DataError(f'{record.where}: "{key}" is {text[:60]!r}, which is no option.')
    return letter(options.index(text))


def right_letter(record: AnnotationRecord, key: str, options: Sequence[str]) -> str:
    """Return the letter under `key`; without options (the file has none) any capital will do.

    Raises DataError where it is no option's letter.
    """
    found = record.text(key)
    known = ascii_uppercase[: len(options)] if options else ascii_uppercase
    if found not in tuple(known):
        raise DataError(f'{record.where}: "{key}" is {found!r}, which is no option\'s letter.')
    return found


def letter(number: int) -> str:
    """Return the letter of an option by its place, from 0: "A" for the first."""
    return chr(ord("A") + number)


def _parquet_rows(path: Path) -> tuple[AnnotationRecord, ...]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as exc:
        raise UserError(
            f"{path} is a Parquet file, which pyarrow reads: install vtg-eval with the extra "
            'parquet (README, "Install").'
        ) from exc
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except (ValueError, OSError, NotImplementedError) as exc:
        raise DataError(f"{path} is not a Parquet file that can be read: {exc}") from exc
    return tuple(AnnotationRecord(f"{path}, row {number}", row) for number, row in enumerate(rows))
