"""Samples as rows of ms-swift's JSON lines, of verl's and of EasyR1's Parquet, with videos.

The layouts are those that these projects document and load: ms-swift's "Custom dataset" page and
swift/dataset/preprocessor/core.py at 05a12dc8; verl's docs/preparation/prepare_data.rst, and
verl/utils/dataset (rl_dataset.py, vision_utils.py); EasyR1's verl/utils/dataset.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError
from vtg_eval.model_input.chat_template import read_template
from vtg_eval.protocol import FrameRule, ResolvedProtocol
from vtg_eval.question import question

from ..recipe import Recipe, SftRule
from .answers import target_text
from .export_files import frame_arguments, with_system_message
from .sample import TrainingSample, sample_json

VIDEO_TAG = "<video>"
# the loaders replace each tag by a file, so tags in a data set's text are escaped
TAGS = re.compile(r"<(?=(?:image|video|audio)>)")
ABILITY = "video temporal grounding"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exporter:
    """Turns a recipe's samples into the rows of another project.

    protocol: returns the protocol of a sample. factor: side of one of the model's visual tokens,
    in px. videos: the folder of videos. checkpoint: the folder of the start checkpoint, if it is on
    the machine.
    """

    recipe: Recipe
    protocol: Callable[[TrainingSample], ResolvedProtocol]
    factor: int
    videos: Path
    checkpoint: Path | None = None

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
        """Return the sample as JSON, for the reward (`trainers.exported_reward`)."""
        return sample_json(replace(sample, reasoning=None, difficulty=None))

    def frames(self, samples: Iterable[TrainingSample]) -> FrameRule:
        """Return the frame rule of all samples; raises UserError where they have several."""
        rules = {self.protocol(sample).frames for sample in samples}
        if len(rules) > 1:
            raise UserError(
                "The samples are shown by several frame rules, and the project has one setting for "
                "all. Export to verl, whose samples have their own."
            )
        return rules.pop()

    def chat_template(self, samples: Iterable[TrainingSample]) -> str | None:
        """Return the chat template that writes the samples' system message; None: they have none.

        Raises UserError where they have several, or the checkpoint is not on the machine.
        """
        systems = {self.protocol(sample).prompt.system for sample in samples}
        if systems == {""}:
            return None
        if len(systems) > 1:
            raise UserError("The samples have several system messages. Export to verl or ms-swift.")
        if self.checkpoint is None:
            raise UserError(
                "The protocol has a system message, which EasyR1 takes by the checkpoint's chat "
                f"template, and {self.recipe.model.checkpoint} is not on this machine: fetch it, "
                "or export to verl or ms-swift."
            )
        return with_system_message(read_template(self.checkpoint)[1], systems.pop())


def swift_sft_rows(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterator[Row]:
    """Yield ms-swift's rows for supervised fine-tuning."""
    rule = exporter.recipe.sft or SftRule(steps=1)
    for sample in samples:
        answer = target_text(sample, exporter.protocol(sample), rule)
        reply = {"role": "assistant", "content": TAGS.sub("< ", answer)}
        yield {
            "messages": [*exporter.messages(sample), reply],
            "videos": [exporter.path(sample)],
        }


def swift_rl_rows(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterator[Row]:
    """Yield ms-swift's rows for GRPO; `solution` reaches the reward function."""
    for sample in samples:
        yield {
            "messages": exporter.messages(sample),
            "videos": [exporter.path(sample)],
            "solution": exporter.solution(sample),
        }


def verl_rows(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterator[Row]:
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


def easyr1_rows(exporter: Exporter, samples: Iterable[TrainingSample]) -> Iterator[Row]:
    """Yield EasyR1's rows. A system message is in the chat template of its settings."""
    for sample in samples:
        yield {
            "prompt": exporter.prompt(sample),
            "videos": [exporter.path(sample)],
            "answer": exporter.solution(sample),
        }
