"""Pictures of the generated benchmark's scenes, frame by frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .synth_scene import COLOURS, Scene, Shape

Frame = npt.NDArray[np.uint8]


def render(scene: Scene, index: int) -> Frame:
    """Draw frame `index` as uint8 [side, side, 3] RGB."""
    side = scene.side
    colour: tuple[int, ...] = scene.tint
    if scene.background and scene.background[1].first <= index < scene.background[1].after:
        colour = tuple(int(0.45 * v) for v in COLOURS[scene.background[0]])
    image = np.empty((side, side, 3), np.uint8)
    image[:] = colour
    for shape in scene.shapes:
        if any(i.first <= index < i.after for i in shape.visible):
            _paint(image, shape, _position(scene, shape, index))
    return image


def _position(scene: Scene, shape: Shape, index: int) -> tuple[float, float]:
    """Return the shape's centre; it moves by real time, so at even speed at any frame rate."""
    if shape.moves is None or shape.goal is None or index < shape.moves.first:
        return shape.place
    edges = np.append(scene.ticks, scene.end)
    start, end = edges[shape.moves.first], edges[shape.moves.after]
    part = min((edges[index + 1] - start) / (end - start), 1.0)
    return (
        shape.place[0] + part * (shape.goal[0] - shape.place[0]),
        shape.place[1] + part * (shape.goal[1] - shape.place[1]),
    )


def _paint(image: Frame, shape: Shape, centre: tuple[float, float]) -> None:
    """Paint the shape onto the image, in place, clipped at its edges."""
    side = image.shape[0]
    radius = shape.size * side / 2
    x, y = centre[0] * side, centre[1] * side
    left, top = max(int(x - radius), 0), max(int(y - radius), 0)
    right, bottom = min(int(x + radius) + 2, side), min(int(y + radius) + 2, side)
    across = (np.arange(left, right) + 0.5 - x) / radius
    down = (np.arange(top, bottom) + 0.5 - y) / radius
    mask = _inside(shape.form, across[None, :], down[:, None])
    image[top:bottom, left:right][mask] = COLOURS[shape.colour]


def _inside(
    form: str, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Tell which points of the square [-1, 1] x [-1, 1] lie within the form."""
    if form == "circle":
        return np.asarray(x * x + y * y <= 1)
    if form == "square":
        return np.asarray((np.abs(x) <= 0.88) & (np.abs(y) <= 0.88))
    if form == "triangle":
        return np.asarray((y <= 0.9) & (np.abs(x) <= (y + 1) / 2 * 0.95))
    return np.asarray(
        (np.minimum(np.abs(x), np.abs(y)) <= 0.32) & (np.maximum(abs(x), abs(y)) <= 1)
    )
