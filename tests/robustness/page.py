"""The counts in docs/reliability.md; `python -m tests.robustness.page` writes them anew."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from tests.robustness.case import RIGHT_VALUE, Case

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
HEADING = "## What is broken on purpose\n"
KINDS: Mapping[str, str] = {
    "checkpoints": "test_checkpoints",
    "texts and chat templates": "test_hostile_text",
    "videos": "test_videos",
    "annotation files": "test_annotations",
    "predictions files": "test_predictions",
    "plug-ins": "test_plugins",
    "forms of answers": "test_answers",
}


def cases() -> dict[str, Sequence[Case]]:
    """Return the cases of each kind, by the kind's name on the page."""
    return {
        kind: import_module(f"tests.robustness.{module}").CASES for kind, module in KINDS.items()
    }


def counts() -> str:
    """Return the section with the counts."""
    lines = [
        HEADING,
        "Made by `python -m tests.robustness.page` from the cases in `tests/robustness/`; a test "
        "keeps it current.",
        "",
        "| kind | cases | right value | named failure or refusal |",
        "|---|---|---|---|",
    ]
    for kind, items in cases().items():
        right = sum(item.outcome == RIGHT_VALUE for item in items)
        lines.append(f"| {kind} | {len(items)} | {right} | {len(items) - right} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text[: text.index(HEADING)] + counts(), encoding="utf-8")
