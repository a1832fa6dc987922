"""Export of training data to ms-swift, verl and EasyR1: samples, frame rule and reward."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from vtg_eval.errors import UserError, suggestion
from vtg_eval.files.atomic import atomic_path, explained, write_text
from vtg_eval.question import wording

from ..recipe import Recipe, recipe_text
from .export_files import (
    EASYR1_FILE,
    ENVIRONMENT_FILE,
    RECIPE_FILE,
    REWARD_FILE,
    easyr1_environment,
    easyr1_settings,
    reward_text,
    swift_environment,
)
from .export_rows import (
    Exporter,
    Row,
    easyr1_rows,
    swift_rl_rows,
    swift_sft_rows,
    verl_rows,
)
from .sample import TrainingSample

Samples = Sequence[TrainingSample]
Rows = Callable[[Exporter, Iterable[TrainingSample]], Iterable[Row]]
Settings = Callable[[Exporter, Samples, Path], Mapping[str, str]]


def swift_files(exporter: Exporter, samples: Samples, out: Path) -> Mapping[str, str]:
    """Return ms-swift's settings, by the name of the file."""
    return {ENVIRONMENT_FILE: swift_environment(exporter.frames(samples), exporter.factor)}


def easyr1_files(exporter: Exporter, samples: Samples, out: Path) -> Mapping[str, str]:
    """Return EasyR1's settings, by the name of the file."""
    rule = exporter.frames(samples)
    template = exporter.chat_template(samples)
    settings = easyr1_settings(rule, exporter.factor, template, out / REWARD_FILE)
    environment = easyr1_environment(rule, exporter.factor)
    return {ENVIRONMENT_FILE: environment, EASYR1_FILE: settings}


@dataclass(frozen=True, slots=True)
class Layout:
    """One project's files: name and rows of each. clips: it can show a part of a video.

    settings: returns the texts of the files with the frame rule, by name, where the rows do not
    have it; its last argument is the folder to write to.
    """

    sft: tuple[str, Rows] | None
    rl: tuple[str, Rows]
    clips: bool = False
    settings: Settings | None = None


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "ms-swift": Layout(
            ("sft.jsonl", swift_sft_rows), ("rl.jsonl", swift_rl_rows), settings=swift_files
        ),
        "verl": Layout(None, ("rl.parquet", verl_rows), clips=True),
        "easyr1": Layout(None, ("rl.parquet", easyr1_rows), settings=easyr1_files),
    }
)


def export(
    exporter: Exporter,
    to: str,
    sft_samples: Sequence[TrainingSample],
    rl_samples: Sequence[TrainingSample],
    out: Path,
) -> Mapping[Path, int]:
    """Write the files of a project into `out`; return the number of rows of each file of samples.

    A file of samples is written for each stage that the recipe and the project have, and beside
    them the frame rule and, for RL, the reward. Raises UserError for an unknown project, an
    existing file, a video that does not exist, a part of a video where the project shows whole
    videos only, and a protocol that has no prompt for a sample, or has frame times or subtitles in
    its prompt.
    """
    if to not in LAYOUTS:
        raise UserError(f'There is no export to "{to}". {suggestion(to, LAYOUTS)}')
    layout, recipe = LAYOUTS[to], exporter.recipe
    stages = [(layout.sft, sft_samples)] if recipe.sft else []
    stages += [(layout.rl, rl_samples)] if recipe.rl else []
    files = [(out / file[0], file[1], samples) for file, samples in stages if file is not None]
    if not files:
        raise UserError(f"{recipe.name} has no stage that {to} has a file for.")
    for _, _, samples in files:
        _check(exporter, to, layout, samples)
    exported = [sample for _, _, samples in files for sample in samples]
    texts = dict(layout.settings(exporter, exported, out) if layout.settings else {})
    if recipe.rl:
        texts |= {REWARD_FILE: reward_text(to), RECIPE_FILE: recipe_text(_located(exporter))}
    for path in (*(path for path, _, _ in files), *(out / name for name in texts)):
        if path.exists():
            raise UserError(f"{path} exists already. Remove it or name another folder.")
    contents = {path: list(rows(exporter, samples)) for path, rows, samples in files}
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(out / name, text)
    return {path: _write(path, rows) for path, rows in contents.items()}


def _located(exporter: Exporter) -> Recipe:
    """Return the recipe with its checkpoint's absolute path, as a profile in it sets the parser."""
    recipe, folder = exporter.recipe, exporter.checkpoint
    if folder is None:
        return recipe
    return replace(recipe, model=replace(recipe.model, checkpoint=str(folder.resolve())))


def _check(exporter: Exporter, to: str, layout: Layout, samples: Sequence[TrainingSample]) -> None:
    if not samples:
        raise UserError("There is no sample to export.")
    exists = {path: Path(path).is_file() for path in map(exporter.path, samples)}
    missing = [path for path, is_file in exists.items() if not is_file]
    if missing:
        raise UserError(
            f"{len(missing)} videos of the samples do not exist, the first is {missing[0]}. Fetch "
            "them, or run vtg-train curate in a new folder."
        )
    for protocol, asks in dict.fromkeys((exporter.protocol(s), s.asks) for s in samples):
        template = wording(asks, protocol.prompt)
        if not template:
            raise UserError(f"The protocol {protocol.name} has no prompt that asks for {asks}.")
        if "{frame_times}" in template or protocol.prompt.subtitles != "none":
            raise UserError(
                f"{protocol.name} shows frame times or subtitles, which need the decoded frames."
            )
    parts = sum(sample.clip is not None for sample in samples)
    if parts and not layout.clips:
        raise UserError(
            f"{parts} samples show a part of a file, and {to} shows whole files only. Cut the "
            "files, or export to verl."
        )


def _write(path: Path, rows: Sequence[Row]) -> int:
    """Write a file, as a whole or not at all; return the number of rows."""
    if path.suffix == ".parquet":
        with explained(path), atomic_path(path) as part:
            _write_parquet(part, rows)
    else:
        lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
        write_text(path, "".join(lines))
    return len(rows)


def _write_parquet(path: Path, rows: Sequence[Row]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as exc:
        raise UserError('Parquet needs pyarrow, of the extra train (README, "Install").') from exc
    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)
