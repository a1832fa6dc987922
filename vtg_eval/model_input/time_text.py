"""The frames' times as our own text, for families whose processor does not tell them.

"header": a sentence before the question with the times of all frames. "interleaved": the frames
go to the model as images, each after its time. The times are those of the file's frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vtg_eval.adapter import TimeText
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule

# what each of them tells: the time of every frame to a tenth of a second
ENCODINGS: Mapping[TimeText, TimeEncoding] = {
    "header": TimeEncoding(
        TimeRule.STAMPS,
        resolution=0.1,
        stamp=r"(?P<seconds>\d+\.\d)",
        passage=r"(?<= frames are at these times in seconds: )[\d., ]+(?=\.\n)",
    ),
    "interleaved": TimeEncoding(
        TimeRule.STAMPS, resolution=0.1, stamp=r"(?P<seconds>\d+\.\d)s(?=\s?<)"
    ),
}


def header(times: Sequence[float], duration: float) -> str:
    """Return the sentence that tells the times (seconds) of a video's frames."""
    listed = ", ".join(f"{time:.1f}" for time in times)
    return (
        f"The video is {duration:.1f} seconds long. "
        f"Its {len(times)} frames are at these times in seconds: {listed}.\n"
    )


def stamp(time: float) -> str:
    """Return the text before the image of a frame at that time (seconds)."""
    return f"{time:.1f}s"


def interleaved(times: Sequence[float], image: str) -> str:
    """Return the frames' times (seconds), each before the text that stands for its image."""
    return "".join(f"{stamp(time)}{image}" for time in times) + "\n"
