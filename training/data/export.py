"""Export of training data: ms-swift's JSON lines, verl's and EasyR1's Parquet, with videos.

The layouts are those that these projects document and load: ms-swift's "Custom dataset" page and
swift/dataset/preprocessor/core.py at 05a12dc8; verl's docs/preparation/prepare_data.rst, and
verl/utils/dataset (rl_dataset.py, vision_utils.py); EasyR1's verl/utils/dataset.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vtg_eval.errors import UserError, suggestion
from vtg_eval.files.atomic import atomic_path, explained, write_text
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.question import question, wording

from ..recipe import Recipe, SftRule
from .answers import target_text
from .sample import TrainingSample

VIDEO_TAG = "<video>"
# the loaders replace each tag by a file, so tags in a data set's text are escaped
TAGS = re.compile(r"<(?=(?:image|video|audio)>)")
ABILITY = "video temporal grounding"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exporter:
    """Turns a recipe's samples into the rows of another project.

    protocol: returns the protocol of a sample. factor: side of one of the model's visual tokens,
    in px. videos: the folder of videos.
    """

    recipe: Recipe
    protocol: Callable[[TrainingSample], ResolvedProtocol]
    factor: int
    videos: Path

    def prompt(self, sample: TrainingSample) -> str:
        """Return the user's message with one tag, at the position of the video."""
        rule = self.protocol(sample).prompt
        text = question(sample.to_sample(), rule, (), lambda t: TAGS.sub("< ", t))
        return f"{VIDEO_TAG}{text}" if rule.layout == "video-first" else f"{text}{VIDEO_TAG}"

    def messages(self, sample: TrainingSample) -> list[dict[str, str]]:
        """Return the messages that ask the sample."""
        system = self.protocol(sample).prompt.system
        system_message = [{"role": "system", "content": system}] if system else []
        return [*system_message, {"role": "user", "content": self.prompt(sample)}]

    def path(self, sample: TrainingSample) -> str:
        """Return the video's absolute path."""
        return str((self.videos / sample.video).resolve())

    def solution(self, sample: TrainingSample) -> str:
        """Return the label as JSON, for the reward. Times are seconds."""
        label = {
            "id": sample.id,
            "spans": [list(span) for span in sample.spans],
            "choice": sample.choice,
            "duration": sample.duration,
        }
        return json.dumps(label, ensure_ascii=False, allow_nan=False)


def swift_sft_rows(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterable[Row]:
    """Yield ms-swift's rows for supervised fine-tuning."""
    rule = exporter.recipe.sft or SftRule(steps=1)
    for sample in samples:
        answer = target_text(sample, exporter.protocol(sample), rule.reasoning, rule.quantum)
        reply = {"role": "assistant", "content": TAGS.sub("< ", answer)}
        yield {
            "messages": [*exporter.messages(sample), reply],
            "videos": [exporter.path(sample)],
        }


def swift_rl_rows(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterable[Row]:
    """Yield ms-swift's rows for GRPO; `solution` reaches the reward function."""
    for sample in samples:
        yield {
            "messages": exporter.messages(sample),
            "videos": [exporter.path(sample)],
            "solution": exporter.solution(sample),
        }


def verl_rows(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterable[Row]:
    """Yield verl's rows; a video has the arguments of qwen-vl-utils for the protocol's frames."""
    for index, sample in enumerate(samples):
        start, end = (None, None) if sample.clip is None else sample.clip
        yield {
            "data_source": sample.source,
            "prompt": exporter.messages(sample),
            "videos": [
                {
                    "type": "video",
                    "video": f"file://{exporter.path(sample)}",
                    "video_start": start,
                    "video_end": end,
                    **frame_arguments(exporter.protocol(sample).frames, exporter.factor),
                }
            ],
            "ability": ABILITY,
            "reward_model": {"style": "rule", "ground_truth": exporter.solution(sample)},
            "extra_info": {"split": "train", "index": index, "id": sample.id},
        }


def easyr1_rows(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterable[Row]:
    """Yield EasyR1's rows. Raises UserError where the protocol has a system message."""
    for sample in samples:
        protocol = exporter.protocol(sample)
        if protocol.prompt.system:
            raise UserError(
                f"The protocol {protocol.name} has a system message, which EasyR1's data cannot "
                "have. Export to verl or ms-swift."
            )
        yield {
            "prompt": exporter.prompt(sample),
            "videos": [exporter.path(sample)],
            "answer": exporter.solution(sample),
        }


def frame_arguments(rule: FrameRule, factor: int) -> dict[str, float]:
    """Return the rule as arguments of qwen-vl-utils; raises UserError for a policy it lacks.

    Its bounds on sizes are in px; its bound on the whole video also counts pairs of frames.
    """
    if rule.policy == "uniform":
        raise UserError(
            'qwen-vl-utils does not have the frame policy "uniform"; use another protocol.'
        )
    area = factor * factor
    return {
        "fps": rule.fps,
        "min_frames": rule.min_frames,
        "max_frames": rule.max_frames,
        "min_pixels": rule.min_tokens * area,
        "max_pixels": rule.max_tokens * area,
        "total_pixels": rule.total_tokens * area,
    }


Rows = Callable[[Exporter, Iterable[TrainingSample]], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Layout:
    """One project's files: name and rows of each. clips: it can show a part of a video."""

    sft: tuple[str, Rows] | None
    rl: tuple[str, Rows]
    clips: bool = False


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "ms-swift": Layout(("sft.jsonl", swift_sft_rows), ("rl.jsonl", swift_rl_rows)),
        "verl": Layout(None, ("rl.parquet", verl_rows), clips=True),
        "easyr1": Layout(None, ("rl.parquet", easyr1_rows)),
    }
)


def export(
    exporter: Exporter,
    to: str,
    sft_samples: Sequence[TrainingSample],
    rl_samples: Sequence[TrainingSample],
    out: Path,
) -> Mapping[Path, int]:
    """Write the files of a project into `out`; return the number of rows of each.

    A file is written for each stage that the recipe and the project have. Raises UserError for an
    unknown project, an existing file, a part of a video where the project shows whole videos only,
    and a protocol that has no prompt for a sample, or has frame times or subtitles in its prompt.
    """
    if to not in LAYOUTS:
        raise UserError(f'There is no export to "{to}". {suggestion(to, LAYOUTS)}')
    layout, recipe = LAYOUTS[to], exporter.recipe
    stages = [(layout.sft, sft_samples)] if recipe.sft else []
    stages += [(layout.rl, rl_samples)] if recipe.rl else []
    files = [(out / file[0], file[1], samples) for file, samples in stages if file is not None]
    if not files:
        raise UserError(f"{recipe.name} has no stage that {to} has a file for.")
    for path, _, samples in files:
        _check(exporter, to, layout, samples)
        if path.exists():
            raise UserError(f"{path} exists already. Remove it or name another folder.")
    out.mkdir(parents=True, exist_ok=True)
    return {path: _write(path, list(rows(exporter, samples))) for path, rows, samples in files}


def _check(exporter: Exporter, to: str, layout: Layout, samples: Sequence[TrainingSample]) -> None:
    if not samples:
        raise UserError("There is no sample to export.")
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
