"""What a downloaded checkpoint's folder says of itself: its names, and what it was made from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from vtg_eval.files.json_files import checkpoint_table

CARD_FILE = "README.md"
CARD_HEAD = 1 << 16  # characters of a model card that are searched
CACHED = "models--"  # the hub's cache keeps ORG/NAME in models--ORG--NAME/snapshots/REVISION
ORIGINS = (
    ("config.json", "_name_or_path"),
    ("adapter_config.json", "base_model_name_or_path"),
)
FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
BASE_MODEL = re.compile(r"^base_model:[ \t]*(.*)\n?((?:[ \t]*- .*(?:\n|\Z))*)", re.MULTILINE)
ITEM = re.compile(r"- (.*)")
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


class Statement(NamedTuple):
    """One value, and in words where it stands."""

    place: str
    value: str

    def __str__(self) -> str:
        return f'{self.place} is "{self.value}"'


def own_names(folder: Path) -> Iterator[Statement]:
    """Yield what the folder calls itself: its name in the hub's cache, the title of its card."""
    snapshots = folder.resolve().parent
    repository = snapshots.parent.name
    if snapshots.name == "snapshots" and repository.startswith(CACHED):
        yield Statement("its name on the hub", repository.removeprefix(CACHED).replace("--", "/"))
    card = _card(folder)
    body = FRONT_MATTER.sub("", card, count=1) if card.startswith("---\n") else card
    if title := TITLE.search(FENCED.sub("", body)):
        yield Statement(f"the title of its {CARD_FILE}", title[1].strip())


def origins(folder: Path) -> Iterator[Statement]:
    """Yield the checkpoints from which the folder says that it was made."""
    for file, key in ORIGINS:
        value = checkpoint_table(folder / file).get(key)
        if isinstance(value, str) and value:
            yield Statement(f"{key} in its {file}", value)
    front = FRONT_MATTER.match(_card(folder))
    for line, items in BASE_MODEL.findall(front[1] if front else ""):
        for value in (line, *ITEM.findall(items)):
            if name := value.strip().strip("\"'"):
                yield Statement(f"base_model in its {CARD_FILE}", name)


def _card(folder: Path) -> str:
    """Return the beginning of the model card, empty where there is none to read."""
    try:
        with (folder / CARD_FILE).open(encoding="utf-8-sig", errors="replace") as file:
            return file.read(CARD_HEAD)
    except OSError:
        return ""
