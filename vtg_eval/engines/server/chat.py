"""A conversation for a server, which applies the model's chat template itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Chat:
    """A system message (empty: none) and the parts of one user message.

    parts: text, or the index of a frame of `Request.frames`. video: neighbouring frames travel as
    one video and not as images.
    """

    system: str
    parts: tuple[str | int, ...]
    video: bool = False

    def __str__(self) -> str:
        """Return the conversation as readable text, with a mark for each frame or video."""
        system = ["<system>", self.system] if self.system else []
        return "\n".join([*system, "<user>", *map(_mark, self.grouped())])

    def grouped(self) -> Iterator[str | tuple[int, ...]]:
        """Yield the texts, and the frames of each image or video."""
        for kind, group in groupby(self.parts, type):
            if kind is str:
                yield from (str(part) for part in group)
            else:
                frames = tuple(int(part) for part in group)
                yield from [frames] if self.video else [(frame,) for frame in frames]


def _mark(part: str | tuple[int, ...]) -> str:
    match part:
        case str():
            return part
        case (frame,):
            return f"<frame {frame}>"
        case _:
            return f"<video of frames {', '.join(map(str, part))}>"
