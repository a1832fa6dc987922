"""MVBench: twenty kinds of questions on short videos, one file for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from vtg_eval.annotations.multiple_choice import letter_of_text
from vtg_eval.annotations.records import AnnotationRecord, read_list
from vtg_eval.task import Task, found_video, load_card
from vtg_eval.types import Group, OutputType, Sample, Span, Target

# the data set's folder, the harness's usual one, and in both a later archive of repaired files
FOLDERS = ("video", "videos", "video/data0613", "videos/data0613")


class _Source(NamedTuple):
    """The folder of a kind's videos; whether only [start, end] is shown; a suffix of the names."""

    folder: str
    clipped: bool = False
    suffix: str = ""


CHARADES = _Source("star/Charades_v1_480", clipped=True)
CLEVRER = _Source("clevrer/video_validation")
PERCEPTION = _Source("perception/videos")
# OpenGVLab/Ask-Anything, video_chat2/mvbench.ipynb: data_list, in its order
SOURCES = MappingProxyType(
    {
        "action_sequence": CHARADES,
        "action_prediction": CHARADES,
        "action_antonym": _Source("ssv2_video"),
        "fine_grained_action": _Source("Moments_in_Time_Raw/videos"),
        "unexpected_action": _Source("FunQA_test/test"),
        "object_existence": CLEVRER,
        "object_interaction": CHARADES,
        "object_shuffle": PERCEPTION,
        "moving_direction": CLEVRER,
        "action_localization": _Source("sta/sta_video", clipped=True),
        "scene_transition": _Source("scene_qa/video"),
        "action_count": PERCEPTION,
        "moving_count": CLEVRER,
        "moving_attribute": CLEVRER,
        "state_change": PERCEPTION,
        "fine_grained_pose": _Source("nturgbd"),
        "character_order": PERCEPTION,
        "egocentric_navigation": _Source("vlnqa"),
        # folders of pictures in the original; the user makes a file of each
        "episodic_reasoning": _Source("tvqa/frames_fps3_hq", clipped=True, suffix=".mp4"),
        "counterfactual_inference": CLEVRER,
    }
)


class MVBench(Task):
    """A video's id is its path below the data set's folder of videos."""

    card = load_card(Path(__file__).with_suffix(".toml"))

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return all samples, ids <task>/<k> in the order of each file, tasks in official order."""
        return [
            _sample(kind, source, k, record)
            for kind, source in SOURCES.items()
            for k, record in enumerate(read_list(self.file(root, f"{kind}.json")))
        ]

    def video_path(self, root: Path, video: str) -> Path:
        """Return the first usual path at which the video exists, else the first usual path."""
        return found_video(self.folder(root), root, video, FOLDERS, ("",))


def _sample(kind: str, source: _Source, k: int, record: AnnotationRecord) -> Sample:
    clip = Span(record.seconds("start"), record.seconds("end")) if source.clipped else None
    options = record.texts("candidates")
    return Sample(
        id=f"{kind}/{k}",
        video=f"{source.folder}/{record.text('video')}{source.suffix}",
        query=record.text("question"),
        target=Target(choice=letter_of_text(record, "answer", options)),
        duration=None if clip is None else clip.end - clip.start,
        # the notebook cuts the white space at the end of its list of options
        options=(*options[:-1], options[-1].rstrip()),
        groups=(Group("task", kind),),
        clips=() if clip is None else (clip,),
        asks=OutputType.CHOICE,
    )


TASK = MVBench()
