"""The page of blind floors, docs/floors.md: the scores of blind predictors on every task.

Run `python -m vtg_eval.report.floors_page docs/floors.md DATA_ROOT`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from vtg_eval.annotations.split import read_split
from vtg_eval.errors import MissingFileError
from vtg_eval.files.json_files import finite_metrics
from vtg_eval.registry import Registry
from vtg_eval.report.tables import metrics_table
from vtg_eval.scoring.floors import no_floors, task_floors
from vtg_eval.task import Task
from vtg_eval.types import Sample

HEAD = """# Blind floors

What predictors get that never see a video, under each task's default protocol and in percent. A
score that does not beat these says nothing about a model. They stand beside every score that
`vtg-eval` prints; this page is generated from the annotations
(`python -m vtg_eval.report.floors_page docs/floors.md DATA_ROOT`) for every split with data.

- **whole video**: from 0 to the end. **random**: two uniform times, sorted; one draw of Python's
  generator with seed 0, in the order of the annotation. **constant**: the same fractions of the
  duration everywhere, those with the best mIoU on the train split (or on the val split, where
  there is no train split), or those that the task's card names with their source; left out where
  that is the whole video.
- **majority letter**: the letter that is right most often in these very samples. **longest
  option**: the option of most characters.
- `vtg-eval --model baseline:NAME` runs the same predictors as models, with these very figures:
  `whole-video`, `random`, `constant:START:END`, `majority-letter` and `longest-option`. Where a
  task asks for a span and an option, each has its rule for both, as in the tables. Their answers
  are text, so they have no saliency, and name no option that the annotation does not hold.
"""


def floors_page(registry: Registry, root: Path) -> str:
    """Return the page, over all splits of all tasks with annotations under `root`."""
    parts = [HEAD]
    for name in sorted(registry.tasks):
        task: Task = registry.task(name)
        for split in task.card.splits:
            try:
                samples = read_split(task, root, split.name)
            except MissingFileError:
                continue
            parts.extend(_section(registry, task, root, split.name, samples))
    return "\n".join(parts)


def _section(
    registry: Registry, task: Task, root: Path, split: str, samples: Sequence[Sample]
) -> Iterator[str]:
    protocol = registry.protocol_for(task.card, split=split)
    floors = task_floors(task, root, split, samples, protocol)
    if not floors:
        yield f"## {task.card.name}, {split}\n\nNo floors: {no_floors(samples)}.\n"
        return
    videos = len({sample.video for sample in samples})
    yield f"## {task.card.name}, {split}\n"
    yield f"{len(samples):,} samples on {videos:,} videos, {protocol.name}\n"
    rows = {floor.name: finite_metrics(floor.metrics) for floor in floors}
    yield metrics_table("floor", floors[0].headline, rows) + "\n"


def main() -> None:
    """Write the page to the first argument, from the data root that is the second."""
    page, root = map(Path, sys.argv[1:3])
    page.write_text(floors_page(Registry.discover(), root), encoding="utf-8")


if __name__ == "__main__":
    main()
