"""Check digits of rows and digests of files: they find and name accidental changes."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from vtg_eval.annotations.records import AnnotationRecord, read_csv
from vtg_eval.errors import DataError
from vtg_eval.files.atomic import write_text

CHECK = "check"
DIGESTS = "digests.csv"
HELP = "If that is intended, review the difference, then run `vtg-eval leaderboard sign`."


def row_check(row: Mapping[str, str]) -> str:
    """Return a row's check digits: the first 8 hex digits of sha256 over its values in order."""
    values = "\x1f".join(value for key, value in row.items() if key != CHECK)
    return hashlib.sha256(values.encode()).hexdigest()[:8]


def read_rows(path: Path, columns: Sequence[str]) -> tuple[AnnotationRecord, ...]:
    """Return the rows of a CSV file that has exactly these columns; raises DataError."""
    if not path.is_file():
        raise DataError(f"{path} is missing.")
    with path.open(encoding="utf-8", newline="") as file:
        header = tuple(next(csv.reader(file), ()))
    if header != tuple(columns):
        raise DataError(f"{path}: the columns must be {','.join(columns)}.")
    return tuple(read_csv(path))


def verify_row(row: AnnotationRecord, label: str) -> None:
    """Raise DataError if the row does not match its check digits; `label` describes the row."""
    digits = row_check({key: str(value) for key, value in row.table.items()})
    if row.table[CHECK] != digits:
        raise DataError(
            f"{row.where} ({label}) was changed: its check digits are "
            f"{row.table[CHECK] or 'none'}, its values give {digits}. {HELP}"
        )


def verify_files(folder: Path) -> None:
    """Raise DataError if a file of the folder is changed, missing or not signed."""
    names = {row.text("file"): row for row in read_rows(folder / DIGESTS, ("file", "sha256"))}
    paths = {name: folder / name for name in _signed_files(folder)}
    for name in sorted(names.keys() | paths.keys()):
        if name not in paths:
            raise DataError(f"{names[name].where}: {folder / name} is missing.")
        if name not in names:
            raise DataError(f"{folder / name} is not in {DIGESTS}. {HELP}")
        if names[name].text("sha256") != _file_digest(paths[name]):
            raise DataError(
                f"{folder / name} was changed: rows were added, removed or moved, or "
                f"{names[name].where} has the digest of another file. {HELP}"
            )


def sign(folder: Path) -> list[str]:
    """Write all check digits and digests again; return the names of the files that changed."""
    old = {}
    if (folder / DIGESTS).is_file():
        rows = read_rows(folder / DIGESTS, ("file", "sha256"))
        old = {row.text("file"): row.text("sha256") for row in rows}
    for name in _signed_files(folder):
        if name.endswith(".csv"):
            _write_checks(folder / name)
    new = {name: _file_digest(folder / name) for name in _signed_files(folder)}
    table = [{"file": name, "sha256": digest} for name, digest in new.items()]
    write_text(folder / DIGESTS, csv_text(("file", "sha256"), table))
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as CSV; lines end with a line feed on every platform."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _write_checks(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns, rows = tuple(reader.fieldnames or ()), list(reader)
    if CHECK in columns:
        signed = [{**row, CHECK: row_check(row)} for row in rows]
        write_text(path, csv_text(columns, signed))


def _signed_files(folder: Path) -> list[str]:
    paths = (p for p in folder.rglob("*") if p.suffix in (".csv", ".toml"))
    return sorted(p.relative_to(folder).as_posix() for p in paths if p.name != DIGESTS)


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
