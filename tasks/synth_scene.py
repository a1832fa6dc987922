"""Scenes of the generated benchmark: what happens when, and which questions follow.

A scene is a pure function of its split and number. Coloured shapes stand on a grid of cells
and are visible for a while, some twice; one may travel along the bottom row; the background may
change its colour. Every question's truth is the time of the first frame that shows the event
and of the first frame that no longer does.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vtg_eval.types import Span

COLOURS = {
    "red": (225, 40, 40),
    "green": (40, 190, 60),
    "blue": (50, 80, 230),
    "yellow": (235, 215, 50),
    "purple": (165, 60, 200),
    "white": (240, 240, 240),
}
SHAPES = ("circle", "square", "triangle", "cross")
SIZES = (128, 160, 192)  # px, the side of a video
FRAME_RATES = (10.0, 12.0, 15.0, 24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0)
CLOCK = 90_000  # ticks a second, fine enough for every rate above
CELLS = 3  # the grid is CELLS x CELLS; its bottom row belongs to the one shape that travels
SHORTEST_EVENT, LONGEST_EVENT = 1.5, 14.0  # seconds


@dataclass(frozen=True, slots=True)
class Setting:
    """How hard scenes are: seconds of a video, how many shapes stand in it at most, and whether
    some questions ask for what never comes.
    """

    shortest: float = 6.0
    longest: float = 24.0
    most_shapes: int = 3
    absentees: bool = True


BENCHMARK = Setting()


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """Frames [first, after)."""

    first: int
    after: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A coloured shape: where (fractions of the frame), how large, in which frames.

    It stands at `place`; during `moves` it travels to `goal`, and stays there.
    """

    colour: str
    form: str
    place: tuple[float, float]
    size: float
    visible: tuple[TimeInterval, ...]
    goal: tuple[float, float] | None = None
    moves: TimeInterval | None = None

    @property
    def name(self) -> str:
        """The words that single it out within its scene."""
        return f"{self.colour} {self.form}"


@dataclass(frozen=True, slots=True)
class Question:
    """A query, its kind, and the frames in which it holds (none: it never happens)."""

    query: str
    kind: str
    truth: tuple[TimeInterval, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """One video to be: `ticks` int64 [N] are the frames' times in 1 / CLOCK s, `end` the end's."""

    number: int
    side: int
    variable: bool
    rate: float
    ticks: npt.NDArray[np.int64]
    end: int
    tint: tuple[int, ...]
    background: tuple[str, TimeInterval] | None
    shapes: tuple[Shape, ...]
    questions: tuple[Question, ...]

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """The frames' presentation times, float64 [N], seconds."""
        return self.ticks / CLOCK

    @property
    def duration(self) -> float:
        """Seconds, to the end of the last frame."""
        return self.end / CLOCK

    def span(self, interval: TimeInterval) -> Span:
        """Return the interval in seconds, exact to the frame."""
        edges = np.append(self.ticks, self.end)
        return Span(float(edges[interval.first] / CLOCK), float(edges[interval.after] / CLOCK))


def make_scene(split: str, number: int, setting: Setting = BENCHMARK) -> Scene:
    """Return scene `number` of a split; the same on every machine."""
    rng = np.random.default_rng([zlib.crc32(split.encode()), number])
    ticks, end, rate, variable = _clock(rng, setting)
    planner = _ScenePlanner(rng, ticks, end, setting)
    shapes = planner.shapes()
    background = planner.background()
    return Scene(
        number=number,
        side=int(rng.choice(SIZES)),
        variable=variable,
        rate=rate,
        ticks=ticks,
        end=end,
        tint=tuple(int(v) for v in rng.integers(18, 60, size=3)),
        background=background,
        shapes=shapes,
        questions=_questions(rng, shapes, background, planner.absentee()),
    )


def _clock(
    rng: np.random.Generator, setting: Setting
) -> tuple[npt.NDArray[np.int64], int, float, bool]:
    """Return frame times in ticks, the end, the nominal rate and whether the rate varies."""
    rate = float(rng.choice(FRAME_RATES))
    variable = bool(rng.random() < 0.25)
    count = int(rng.uniform(setting.shortest, setting.longest) * rate)
    steps = np.full(count, CLOCK / rate)
    if variable:  # frames held for one to four periods, as phones and screen recorders do
        steps = steps * rng.choice([1, 1, 1, 2, 4], size=count)
        steps = steps[: max(int(np.searchsorted(np.cumsum(steps), setting.longest * CLOCK)), 2)]
    edges = np.rint(np.concatenate([[0.0], np.cumsum(steps)])).astype(np.int64)
    return edges[:-1], int(edges[-1]), rate, variable


class _ScenePlanner:
    """Draws who is visible when; no two things in a scene share a colour."""

    def __init__(
        self,
        rng: np.random.Generator,
        ticks: npt.NDArray[np.int64],
        end: int,
        setting: Setting,
    ) -> None:
        self.rng = rng
        self.setting = setting
        self.edges = np.append(ticks, end) / CLOCK
        self.duration = float(self.edges[-1])
        self.colours = [list(COLOURS)[i] for i in rng.permutation(len(COLOURS))]
        cells = [(x, y) for x in range(CELLS) for y in range(CELLS - 1)]
        self.cells = [cells[i] for i in rng.permutation(len(cells))]

    def shapes(self) -> tuple[Shape, ...]:
        """Some standing shapes, one of them perhaps twice; perhaps one that travels."""
        most = self.setting.most_shapes
        count = int(self.rng.integers(min(2, most), most + 1))
        standing = [self._standing() for _ in range(count)]
        if self.duration > 12 and self.rng.random() < 0.6:
            standing[0] = self._again(standing[0])
        travelling = [self._travelling()] if self.rng.random() < 0.7 else []
        return (*standing, *travelling)

    def background(self) -> tuple[str, TimeInterval] | None:
        """Perhaps a colour that the background takes for a while."""
        if self.rng.random() < 0.5:
            return None
        return self.colours.pop(), self._interval(0.0, self.duration)

    def absentee(self) -> str | None:
        """Perhaps a shape that never comes, of a colour that nothing else has."""
        if not self.setting.absentees or self.rng.random() < 0.4:
            return None
        return f"{self.colours.pop()} {self.rng.choice(SHAPES)}"

    def _interval(self, low: float, high: float) -> TimeInterval:
        """Draw an event within [low, high] seconds, its length log-uniform."""
        longest = min(LONGEST_EVENT, 0.6 * (high - low))
        shortest = min(SHORTEST_EVENT, longest)
        length = math.exp(self.rng.uniform(math.log(shortest), math.log(longest)))
        start = float(self.rng.uniform(low, high - length))
        first = int(np.searchsorted(self.edges[:-1], start))
        after = int(np.searchsorted(self.edges, start + length))
        last = len(self.edges) - 1
        first = min(first, last - 1)
        return TimeInterval(first, min(max(after, first + 1), last))

    def _standing(self) -> Shape:
        colour, form = self.colours.pop(), str(self.rng.choice(SHAPES))
        x, y = self.cells.pop()
        place = ((x + 0.5) / CELLS, (y + 0.5) / CELLS)
        size = float(self.rng.uniform(0.20, 0.27))
        return Shape(colour, form, place, size, (self._interval(0.0, self.duration),))

    def _again(self, shape: Shape) -> Shape:
        """Show it once more, in the longer of the gaps before and after."""
        seen = shape.visible[0]
        before, after = float(self.edges[seen.first]), float(self.edges[seen.after])
        pause = 1.5  # seconds, so that two occurrences are two
        low, high = (0.0, before - pause)
        if self.duration - after - pause > high - low:
            low, high = after + pause, self.duration
        if high - low < 2 * SHORTEST_EVENT:
            return shape
        both = sorted([seen, self._interval(low, high)], key=lambda i: i.first)
        return replace(shape, visible=tuple(both))

    def _travelling(self) -> Shape:
        colour, form = self.colours.pop(), str(self.rng.choice(SHAPES))
        margin = 0.5 / CELLS
        ends = [(margin, 1 - margin), (1 - margin, 1 - margin)]
        place, goal = ends if self.rng.random() < 0.5 else ends[::-1]
        stay = TimeInterval(0, len(self.edges) - 1)
        moves = self._interval(0.0, self.duration)
        size = float(self.rng.uniform(0.20, 0.27))
        return Shape(colour, form, place, size, (stay,), goal, moves)


def _questions(
    rng: np.random.Generator,
    shapes: Sequence[Shape],
    background: tuple[str, TimeInterval] | None,
    absentee: str | None,
) -> tuple[Question, ...]:
    """Ask once after everything that happens, and after what never does."""
    asked = []
    for shape in shapes:
        if shape.moves is not None:
            asked.append(Question(f"The {shape.name} moves.", "moves", (shape.moves,)))
        else:
            kind = "repeats" if len(shape.visible) > 1 else "appears"
            asked.append(Question(f"A {shape.name} is on screen.", kind, shape.visible))
    if background is not None:
        colour, interval = background
        asked.append(Question(f"The background is {colour}.", "background", (interval,)))
    if absentee is not None:
        asked.append(Question(f"A {absentee} is on screen.", "never", ()))
    return tuple(asked[i] for i in rng.permutation(len(asked)))
