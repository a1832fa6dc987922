"""synth_vtg: a small benchmark of real H.264 files, made on first use, with exact truth."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
from tqdm import tqdm

from vtg_eval.files.atomic import explained, write_bytes
from vtg_eval.files.links import refuse_links
from vtg_eval.task import Task, load_card
from vtg_eval.types import Group, Sample, Target

from .synth_picture import Frame, render
from .synth_scene import BENCHMARK, CLOCK, Scene, Setting, make_scene

HERE = Path(__file__).parent
CARD = load_card(HERE / "synth_vtg.toml")
RECIPE = ("synth_scene.py", "synth_picture.py", "synth_vtg.py")


class SynthVtg(Task):
    """Scenes are numbered within their split; a split's annotations need no file at all.

    settings: how hard the scenes of a split are, where they are not as hard as BENCHMARK. code:
    the files that make the videos.
    """

    card = CARD
    settings: ClassVar[Mapping[str, Setting]] = {}
    code: ClassVar[tuple[str, ...]] = RECIPE

    def scenes(self, split: str) -> Sequence[Scene]:
        """Return all scenes of a split that the card names."""
        facts = next(facts for facts in self.card.splits if facts.name == split)
        setting = self.settings.get(split, BENCHMARK)
        return [make_scene(split, number, setting) for number in range(facts.videos)]

    def scene(self, stream: str, number: int, ease: float = 0.0) -> Scene:
        """Return a scene of any endless stream of scenes, a split or not; training draws here.

        ease: 0 as hard as the benchmark, 1 a single shape in a few seconds.
        """
        hard, easy = BENCHMARK, Setting(shortest=3.0, longest=6.0, most_shapes=1)
        return make_scene(
            stream,
            number,
            Setting(
                shortest=hard.shortest + ease * (easy.shortest - hard.shortest),
                longest=hard.longest + ease * (easy.longest - hard.longest),
                most_shapes=round(hard.most_shapes + ease * (easy.most_shapes - hard.most_shapes)),
            ),
        )

    def render(self, scene: Scene, index: int) -> Frame:
        """Draw one frame of a scene, uint8 [side, side, 3] RGB."""
        return render(scene, index)

    def scene_samples(self, stream: str, scene: Scene) -> list[Sample]:
        """Return the questions of one scene as samples."""
        return scene_samples(stream, scene)

    def samples(self, root: Path, split: str) -> Sequence[Sample]:
        """Return the split's samples, scene by scene; `root` is not read."""
        return [sample for scene in self.scenes(split) for sample in scene_samples(split, scene)]

    def video_path(self, root: Path, video: str) -> Path:
        """Return where that video belongs: the folder names the code that makes it.

        Videos that another version of this code has left behind are never taken for its own.
        """
        return self.folder(root) / f"videos-{_digest(self.code)}" / f"{video}.mp4"

    def prepare(
        self, root: Path, split: str | None = None, videos: Collection[str] | None = None
    ) -> None:
        """Write the split's missing videos (a quarter of a second each).

        Raises UserError where a link leads out of `root`, or the disk refuses.
        """
        name = self.card.split(split)
        named = [(_video(name, scene), scene) for scene in self.scenes(name)]
        wanted = [pair for pair in named if videos is None or pair[0] in videos]
        missing = [(p, s) for v, s in wanted if not (p := self.video_path(root, v)).is_file()]
        for path, scene in tqdm(missing, desc="writing videos", disable=None, leave=False):
            refuse_links(root, path)
            write_video(scene, path)


def scene_samples(split: str, scene: Scene) -> list[Sample]:
    """Return the questions of one scene as samples, ids like "test-07/2"."""
    video = _video(split, scene)
    return [
        Sample(
            id=f"{video}/{k}",
            video=video,
            query=question.query,
            target=Target(spans=tuple(scene.span(interval) for interval in question.truth)),
            duration=scene.duration,
            groups=(
                Group("kind", question.kind),
                Group("frame rate", "variable" if scene.variable else "constant"),
                Group("video length", "under 20 s" if scene.duration < 20 else "20 s and more"),
            ),
        )
        for k, question in enumerate(scene.questions)
    ]


def write_video(scene: Scene, path: Path) -> None:
    """Encode a scene as H.264 in MP4, each frame at its own time; complete or not there.

    Raises UserError where the disk refuses.
    """
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        # a GOP of some seconds and B-frames, as in the wild; one thread repeats its bytes
        group = str(round(4 * scene.rate))
        options = {"crf": "20", "preset": "veryfast", "threads": "1", "g": group}
        stream = container.add_stream("libx264", rate=Fraction(scene.rate).limit_denominator(1001))
        stream.width = stream.height = scene.side
        stream.pix_fmt = "yuv420p"
        stream.options = options
        stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK)
        edges = np.append(scene.ticks, scene.end)
        for index, tick in enumerate(scene.ticks):
            frame = av.VideoFrame.from_ndarray(render(scene, index), format="rgb24")
            frame.pts, frame.time_base = int(tick), Fraction(1, CLOCK)
            frame.duration = int(edges[index + 1] - tick)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content.getvalue())


@cache
def _digest(names: tuple[str, ...]) -> str:
    code = b"".join((HERE / name).read_bytes() for name in names)
    return hashlib.sha256(code).hexdigest()[:8]


def _video(split: str, scene: Scene) -> str:
    return f"{split}-{scene.number:02d}"


TASK = SynthVtg()
