"""Files of questions with options: JSON or Parquet, options in a list or within the question."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from vtg_eval.annotations.records import AnnotationRecord, read_lines, read_list, shown
from vtg_eval.errors import DataError, UserError
from vtg_eval.task import Task
from vtg_eval.types import option_letter

OPTION_LINE = re.compile(r"\n\(([A-Z])\) ?")


def any_file(task: Task, root: Path, names: Sequence[str]) -> Path:
    """Return the first of these annotation files that exists.

    Raises MissingFileError, with the source of the first, where none does.
    """
    paths = (task.folder(root) / name for name in names)
    return next((path for path in paths if path.is_file()), None) or task.file(root, names[0])


def read_rows(path: Path) -> tuple[AnnotationRecord, ...]:
    """Return the records of a .parquet, a .jsonl or a .json file (a list); raises DataError.

    Raises UserError for a Parquet file where the package that reads it is not installed.
    """
    if path.suffix == ".parquet":
        return _parquet_rows(path)
    return tuple(read_lines(path)) if path.suffix == ".jsonl" else read_list(path)


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    r"""Return the question and the options of a text such as "Who?\n(A) he\n(B) she".

    The lines "(A) …", "(B) …" must come in order; an option may have several lines. Joined as
    such lines they give the text back. Without options: the text as it is.
    """
    marks: list[re.Match[str]] = []
    for mark in OPTION_LINE.finditer(text):
        if mark[1] == option_letter(len(marks)):
            marks.append(mark)
    if not marks:
        return text, ()
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    options = (text[mark.end() : end] for mark, end in zip(marks, ends, strict=True))
    return text[: marks[0].start()], tuple(options)


def unlabelled(options: Sequence[str], label: str) -> tuple[str, ...]:
    """Return the options without their labels; `label` is like "{letter}. "."""
    return tuple(
        option.removeprefix(label.replace("{letter}", option_letter(index)))
        for index, option in enumerate(options)
    )


def matching_letter(answer: str, options: Sequence[str]) -> str | None:
    """Return the letter of the option that equals the answer, the last of several, or None."""
    indices = [index for index, option in enumerate(options) if option == answer]
    return option_letter(indices[-1]) if indices else None


def letter_of_text(record: AnnotationRecord, key: str, options: Sequence[str]) -> str:
    """Return the letter of the first option that is the text under `key`; raises DataError."""
    text = record.text(key)
    if text not in options:
        raise DataError(f'{record.where}: "{key}" is {text[:60]!r}, which is no option.')
    return option_letter(options.index(text))


def right_letter(record: AnnotationRecord, key: str, options: Sequence[str]) -> str:
    """Return the letter under `key`, any capital where the file has no options.

    Raises DataError where it is no option's letter.
    """
    letter = record.text(key)
    letters = ascii_uppercase[: len(options)] if options else ascii_uppercase
    if letter not in tuple(letters):
        raise DataError(
            f'{record.where}: "{key}" is "{shown(letter)}", which is no option\'s letter.'
        )
    return letter


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
