"""What `doctor time` can find wrong with the times that a model is told, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which times go wrong.

    meaning: a sentence; remedy: what to do. serious: False for a limit of the family, with which a
    run may go on.
    """

    name: str
    meaning: str
    remedy: str
    serious: bool = True


CALL = "Pass the frames' own metadata to the processor (`Request.metadata`), in every call."
ADAPTER = "Correct the adapter's `time_encoding` or what it gives the processor."

NO_INPUT = Finding(
    "no input",
    "The video, the adapter or the processor fails on a clock video.",
    "Look at the error, and correct the adapter or try another --decoder.",
)
DECODER = Finding(
    "decoder times",
    "The decoded frames are not those of the times that the decoder says.",
    "Use another --decoder.",
)
NOT_TOLD = Finding(
    "not told",
    "Nothing in the model's input tells when a frame is shown, so spans are guesses.",
    "Tell the times as text: --time-text header, or interleaved.",
)
IMAGES = Finding(
    "bare images",
    "The frames are images, and there is no time before each of them.",
    "Write each frame's time before its image: --time-text interleaved.",
)
EMPTY = Finding(
    "empty stamps",
    "The processor is expected to write time stamps, and there is none in the prompt.",
    "Pass the times under the names that the processor reads; where it has none, it is silent.",
)
METADATA = Finding(
    "metadata lost",
    "The times are those of consecutive frames at 24 a second: the processor had no metadata.",
    CALL,
)
DEFAULT_RATE = Finding(
    "default rate",
    "The times are the frames' numbers in the file at 24 a second, whatever rate the file has.",
    "Set `fps` in the metadata: the processor takes 24 where it is missing, and goes on.",
)
DEFAULT_GRID = Finding(
    "default step",
    "The seconds from one step of the grid to the next are a default (1 or 2), not the video's.",
    "Give the model the processor's seconds per grid step, and the processor the frames' rate.",
)
SAMPLED_TWICE = Finding(
    "sampled twice",
    "The model sees another number of frames than were chosen: the processor samples again.",
    "Set `do_sample_frames` to false in the metadata and in the processor's arguments.",
)
ODD_COUNT = Finding(
    "odd padding",
    "The last frame of an odd number of them is padded to a group with a wrong time.",
    "Repeat the last frame together with its own time.",
)
AVERAGE = Finding(
    "average rate",
    "The times are frame numbers divided by the average rate, though the file's rate varies.",
    "Use the presentation time of each frame.",
)
INDICES = Finding(
    "index as time",
    "The times are numbers of frames, not seconds.",
    "Give the processor the frames' numbers in the file together with the file's rate.",
)
TRUNCATED = Finding(
    "truncated",
    "Times, or seconds per grid step, are cut to whole numbers; the family can be told finer ones.",
    "Keep them as floating-point numbers up to the model.",
)
OTHER = Finding("other times", "The times are wrong in a way that has no name here.", ADAPTER)
RECORDED = Finding(
    "recorded",
    "`Request.model_times`, which the journal keeps, are not the times that the model is told.",
    ADAPTER,
)
EVEN_GRID = Finding(
    "even grid",
    "The family can be told an even grid from 0 only; this video's frames are not on one.",
    "Nothing, or tell the times as text as well: --time-text header.",
    serious=False,
)

FINDINGS = (
    METADATA,
    SAMPLED_TWICE,
    AVERAGE,
    DEFAULT_RATE,
    DEFAULT_GRID,
    TRUNCATED,
    IMAGES,
    ODD_COUNT,
    INDICES,
    EMPTY,
    NOT_TOLD,
    DECODER,
    NO_INPUT,
    OTHER,
    RECORDED,
    EVEN_GRID,
)
