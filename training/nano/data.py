"""Endless training batches for nano: generated scenes, with evaluation's frames and prompts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import av
import numpy as np
import numpy.typing as npt
import torch
from av.video.reformatter import VideoReformatter
from torch.utils.data import IterableDataset, get_worker_info

from vtg_eval.protocol import DEFAULT_PROTOCOL
from vtg_eval.question import question
from vtg_eval.registry import Registry
from vtg_eval.types import Sample
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.sampling import choose

from .model import END, SIDE, START, TOKENS_PER_PAIR, VIDEO, VISION_END, VISION_START

Tokens: TypeAlias = npt.NDArray[np.int64]
COLOURS = ("red", "green", "blue", "yellow", "purple", "white")
TRAITS = 4 * len(COLOURS)
STREAM = "nano-train"  # scenes that are in no split of the benchmark


@dataclass(frozen=True, slots=True)
class Clip:
    """One video and its questions, ready for the model.

    frames: uint8 [T, SIDE, SIDE, 3], T even. video: the tokens up to the video's end, common to
    all questions; tails: the further tokens of each question, with its answer at the end; answers:
    the index in its tail at which each answer starts. traits: bool [T / 2, TRAITS], see `traits`;
    spans: the first and last pair of each answer, (-1, -1) without a moment.
    """

    frames: npt.NDArray[np.uint8]
    video: Tokens
    tails: tuple[Tokens, ...]
    answers: tuple[int, ...]
    traits: npt.NDArray[np.bool_]
    spans: tuple[tuple[int, int], ...]

    def asked(self, room: int, pad: int) -> list[Clip]:
        """Return a clip for each question, with `room` padding tokens instead of its answer."""
        blank = np.full(room, pad)
        return [
            Clip(self.frames, self.video, (tail,), (start,), self.traits, (span,))
            for tail, start, span in zip(
                (np.append(t[:a], blank) for t, a in zip(self.tails, self.answers, strict=True)),
                self.answers,
                self.spans,
                strict=True,
            )
        ]


class ClipMaker:
    """Turns scenes into clips: the protocol's frames, the adapter's prompt, the right answer."""

    def __init__(self, tokenizer: Any, questions: int = 6) -> None:
        registry = Registry.discover()
        self.task = registry.task("synth_vtg")
        self.protocol = registry.protocol_for(self.task.card, DEFAULT_PROTOCOL)
        self.tokenizer = tokenizer
        self.questions = questions
        self.encode, self.decode = VideoReformatter(), VideoReformatter()

    def clip(self, stream: str, number: int, ease: float = 0.0, descriptions: int = 0) -> Clip:
        """Return scene `number` of a stream as a clip, with up to `questions` questions.

        descriptions: number of further questions about what is on screen at some time.
        """
        scene = self.task.scene(stream, number, ease)
        times, duration = scene.times, scene.duration
        info = VideoInfo("", duration, len(times) / duration, scene.side, scene.side, times)
        indices = choose(info, self.protocol.frames)
        shown = {int(i): self._seen(self.task.render(scene, int(i))) for i in np.unique(indices)}
        samples = self.task.scene_samples(stream, scene)[: self.questions]
        rule = self.protocol.prompt
        asked = [question(sample, rule) for sample in samples]
        answers = [answer_text(sample) for sample in samples]
        rng = np.random.default_rng(number)
        for pair in rng.integers(len(indices) // 2, size=descriptions):
            stamp = pair_stamps(times[indices])[pair].strip("<>")
            asked.append(f"What is on screen at {stamp}?")
            answers.append(description(scene, int(indices[2 * pair + 1])))
        marks = times[indices].reshape(-1, 2)
        spans = [_pairs(sample, marks) for sample in samples]
        spans += [(-1, -1)] * (len(asked) - len(samples))
        pads = VISION_START + VIDEO * TOKENS_PER_PAIR + VISION_END
        video = "".join(stamp + pads for stamp in pair_stamps(times[indices]))
        asked = [f"{text}{END}\n{START}assistant\n" for text in asked]
        return Clip(
            np.stack([shown[int(i)] for i in indices]),
            self._tokens(f"{START}user\n{video}"),
            tuple(
                np.append(self._tokens(q), self._tokens(a + END))
                for q, a in zip(asked, answers, strict=True)
            ),
            tuple(len(self._tokens(q)) for q in asked),
            traits(scene, indices.reshape(-1, 2)),
            tuple(spans),
        )

    def batch(self, clips: list[Clip]) -> dict[str, torch.Tensor]:
        """Return clips as one batch (see `collate`)."""
        video_token = self.tokenizer.convert_tokens_to_ids(VIDEO)
        return collate(clips, self.tokenizer.pad_token_id, video_token)

    def _seen(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        coded = self.encode.reformat(frame, format="yuv420p")
        small = self.decode.reformat(
            coded, width=SIDE, height=SIDE, format="rgb24", interpolation="BICUBIC"
        )
        return np.asarray(small.to_ndarray())

    def _tokens(self, text: str) -> Tokens:
        return np.array(self.tokenizer(text)["input_ids"], dtype=np.int64)


def pair_stamps(times: npt.NDArray[np.float64]) -> list[str]:
    """Return Qwen3-VL's text stamp of each frame pair: the mean of its two times, in seconds."""
    return [f"<{value:.1f} seconds>" for value in times.reshape(-1, 2).mean(axis=1)]


def answer_text(sample: Sample) -> str:
    """Return the answer to learn: the first occurrence, or "never".

    Times are rounded to half a second, the time between frames.
    """
    if not sample.target.spans:
        return "never"
    start, end = (round(2 * value) / 2 for value in sample.target.spans[0])
    return f"{start:.1f} - {max(end, start + 0.5):.1f}"


def _pairs(sample: Sample, marks: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Return the first and last frame pair (marks: [P, 2], seconds) of the first occurrence."""
    if not sample.target.spans:
        return (-1, -1)
    start, end = sample.target.spans[0]
    inside = np.flatnonzero(((marks >= start) & (marks < end)).any(axis=1))
    return (int(inside[0]), int(inside[-1])) if len(inside) else (-1, -1)


def traits(scene: Any, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return for each frame pair [P, 2] and colour: seen, new, gone in the next, moving.

    bool [P, TRAITS]. No two things in a scene have the same colour, so a colour identifies one.
    """
    table = np.zeros((len(pairs), 4, len(COLOURS)), bool)

    def mark(kind: int, colour: str, interval: Any) -> None:
        inside = ((pairs >= interval.first) & (pairs < interval.after)).any(axis=1)
        table[:, kind, COLOURS.index(colour)] |= inside

    for shape in scene.shapes:
        for interval in shape.visible:
            mark(0, shape.colour, interval)
        if shape.moves is not None:
            mark(3, shape.colour, shape.moves)
    if scene.background is not None:
        mark(0, *scene.background)
    seen = table[:, 0]
    table[1:, 1] = seen[1:] & ~seen[:-1]
    table[:-1, 2] = seen[:-1] & ~seen[1:]
    return table.reshape(len(pairs), TRAITS)


def description(scene: Any, index: int) -> str:
    """Return the names of the shapes in a frame, in alphabetical order."""
    shown = [s.name for s in scene.shapes if any(i.first <= index < i.after for i in s.visible)]
    return ", ".join(sorted(shown)) or "nothing"


class Clips(IterableDataset):
    """Endless batches of `group` clips; each worker has scenes of its own.

    The first `ramp` clips are a curriculum: from easy scenes to all degrees of difficulty. The
    clips of one batch are equally hard, so of similar length, and need little padding.
    """

    def __init__(
        self, maker: ClipMaker, group: int, descriptions: int, ramp: int, first: int
    ) -> None:
        self.maker, self.group, self.descriptions = maker, group, descriptions
        self.ramp, self.first = ramp, first

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        offset, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        number = self.first + offset
        while True:
            clips = [
                self.maker.clip(STREAM, number + i * stride, self._ease(number), self.descriptions)
                for i in range(self.group)
            ]
            number += self.group * stride
            yield self.maker.batch(clips)

    def _ease(self, number: int) -> float:
        hardest = min(1.0, (number - self.first) / self.ramp) if self.ramp else 1.0
        return 1.0 - hardest * float(np.sqrt(np.random.default_rng(number).random()))


def collate(clips: list[Clip], pad: int, video_token: int) -> dict[str, torch.Tensor]:
    """Return each clip as one row: its video once, then every question, masked from the others.

    Returns frames uint8 [P, 2, SIDE, SIDE, 3] (all clips' frame pairs), input_ids and labels
    [C, L], positions [3, C, L] (M-RoPE), mask bool [C, 1, L, L] (what each token may attend to);
    and for `step.Teacher`: pair_rows, pair_columns [P] (the end of each frame pair in input_ids),
    traits [P, TRAITS], asked_rows, asked_columns [Q] (the token before each answer), and first,
    last [Q], indices into the pairs; questions without a moment are left out.
    """
    length = max(len(clip.video) + sum(map(len, clip.tails)) for clip in clips)
    shape = (len(clips), length)
    input_ids, labels = np.full(shape, pad), np.full(shape, -100)
    segment, positions = np.full(shape, -1), np.zeros((3, *shape), np.int64)
    pairs: list[tuple[int, int]] = []
    asked: list[tuple[int, int, int, int]] = []
    for row, clip in enumerate(clips):
        end = len(clip.video)
        ends = np.flatnonzero(clip.video == video_token)[TOKENS_PER_PAIR - 1 :: TOKENS_PER_PAIR] + 1
        offset = len(pairs)
        pairs += [(row, int(column)) for column in ends]
        input_ids[row, :end], segment[row, :end] = clip.video, 0
        positions[:, row, :end] = video_positions(clip.video, video_token)
        after = int(positions[:, row, :end].max()) + 1
        questions = zip(clip.tails, clip.answers, clip.spans, strict=True)
        for k, (tail, answer, (first, last)) in enumerate(questions, start=1):
            if first >= 0:
                asked.append((row, end + answer - 1, offset + first, offset + last))
            part = slice(end, end + len(tail))
            input_ids[row, part], segment[row, part] = tail, k
            labels[row, end + answer : end + len(tail)] = tail[answer:]
            positions[:, row, part] = after + np.arange(len(tail))
            end += len(tail)
    mask = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
    frames = np.concatenate([clip.frames for clip in clips])
    pair_table, asked_table = np.array(pairs).T, np.array(asked).reshape(-1, 4).T
    return {
        "frames": torch.from_numpy(frames.reshape(-1, 2, *frames.shape[1:])),
        "input_ids": torch.from_numpy(input_ids),
        "labels": torch.from_numpy(labels),
        "positions": torch.from_numpy(positions),
        "mask": torch.from_numpy(np.tril(mask)[:, None]),
        "traits": torch.from_numpy(np.concatenate([clip.traits for clip in clips])),
        **dict(zip(("pair_rows", "pair_columns"), map(torch.from_numpy, pair_table), strict=True)),
        **dict(
            zip(
                ("asked_rows", "asked_columns", "first", "last"),
                map(torch.from_numpy, asked_table),
                strict=True,
            )
        ),
    }


def video_positions(tokens: Tokens, video_token: int) -> npt.NDArray[np.int64]:
    """Return M-RoPE positions [3, L]: text advances by one, a frame pair by its side (2)."""
    video = (tokens == video_token).astype(np.int64)
    seen = np.cumsum(video) - video
    base = np.cumsum(1 - video) - (1 - video) + 2 * (seen // TOKENS_PER_PAIR)
    index = seen % TOKENS_PER_PAIR
    return np.stack([base, base + index // 2 * video, base + index % 2 * video])
