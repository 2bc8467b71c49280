"""Figures that move, grow or turn, all alike, and of which no single frame tells what they do.

A figure has four phases, each a place on a circle: left to right, top to bottom, small to large, and its angle. At any
time each is uniform on its circle whatever the figure does, because a move turns exactly one of them, at an even rate,
from a random start: so the distribution of every frame is the same for all moves. A frame has no edge either: who
leaves on one side comes in on the other, and who cannot grow further is small again. The moves come in pairs, and each
is exactly its partner played backwards.

Lengths are pixels, x to the right and y down; times are seconds from the middle of the video; angles are radians, and
grow clockwise as a viewer sees it.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from slowfast.toy.people import Colour

FPS = 12
FIGURES = 3  # in a scene, all doing the same, each from a start and at a rate of its own
FRAME_SIZE = 80  # height and width
RATE = (0.3, 0.5)  # turns of a phase per second
RADIUS = (0.12 * FRAME_SIZE, 0.36 * FRAME_SIZE)  # of the circle around a figure

# Move -> which phase it turns, and in which direction. In the order of their labels, which is that of the alphabet, so
# that readers who number folders by name agree with the lists.
X, Y, SIZE, ANGLE = range(4)
MOVES: dict[str, tuple[int, float]] = {
    "grow": (SIZE, 1.0),
    "move_down": (Y, 1.0),
    "move_left": (X, -1.0),
    "move_right": (X, 1.0),
    "move_up": (Y, -1.0),
    "shrink": (SIZE, -1.0),
    "turn_clockwise": (ANGLE, 1.0),
    "turn_counterclockwise": (ANGLE, -1.0),
}
PARTNERS = {  # played backwards, the one is the other
    move: next(other for other, found in MOVES.items() if found == (phase, -direction))
    for move, (phase, direction) in MOVES.items()
}

# What a figure is made of, from back to front: polygons inside the unit circle, and which of its two colours they have.
# None looks the same after any turn but a whole one.
_CIRCLE = [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 16, endpoint=False)]


def _disc(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    return [(x + radius * c, y + radius * s) for c, s in _CIRCLE]


SHAPES: dict[str, tuple[tuple[list[tuple[float, float]], int], ...]] = {
    "arrow": (
        ([(-0.95, -0.22), (0.2, -0.22), (0.2, 0.22), (-0.95, 0.22)], 0),
        ([(0.1, -0.7), (1.0, 0.0), (0.1, 0.7)], 1),
    ),
    "flag": (
        ([(-0.15, -0.98), (0.1, -0.98), (0.1, 0.98), (-0.15, 0.98)], 0),
        ([(0.1, -0.95), (0.85, -0.5), (0.1, 0.0)], 1),
    ),
    "comet": (([(0.3, -0.5), (0.3, 0.5), (-1.0, 0.0)], 0), (_disc(0.4, 0.0, 0.58), 1)),
    "hook": (
        ([(-0.5, -0.85), (-0.1, -0.85), (-0.1, 0.85), (-0.5, 0.85)], 0),
        ([(-0.1, 0.5), (0.7, 0.3), (0.7, 0.7), (-0.1, 0.85)], 1),
    ),
    "walker": (
        ([(-0.3, -0.3), (0.3, -0.3), (0.2, 0.35), (0.45, 0.85), (0.15, 0.95), (0.0, 0.45), (-0.15, 0.95), (-0.45, 0.85),
          (-0.2, 0.35)], 0),
        ([(0.2, -0.3), (0.25, 0.0), (0.85, -0.3), (0.75, -0.5)], 1),
        (_disc(0.0, -0.6, 0.33), 1),
    ),
}  # fmt: skip

WALLS: tuple[Colour, ...] = (
    (228, 214, 188), (188, 214, 220), (202, 216, 186), (214, 196, 220), (236, 204, 190), (150, 158, 172),
)  # fmt: skip
COLOURS: tuple[Colour, ...] = (
    (200, 40, 40), (30, 80, 190), (24, 120, 60), (110, 40, 150), (20, 20, 30), (220, 110, 10), (0, 120, 130),
    (240, 220, 60),
)  # fmt: skip

_FIXED_POINT = 6  # bits behind the point of the coordinates that OpenCV draws at


@dataclass(frozen=True)
class MovingFigure:
    """A figure; whatever it does, this is the same.

    phases:  (x, y, size, angle) in the middle of the video, each in [0, 1)
    rate:    turns per second of the phase that moves
    shape:   a name of SHAPES
    colours: of its parts
    """

    phases: tuple[float, float, float, float]
    rate: float
    shape: str
    colours: tuple[Colour, Colour]


@dataclass(frozen=True)
class MovingScene:
    """Figures from back to front, and the seed of what is behind them."""

    figures: tuple[MovingFigure, ...]
    background: int


@dataclass(frozen=True)
class FigureState:
    """Where a figure is at T times: centre (T, 2) in [0, FRAME_SIZE), radius (T,), angle (T,) in [0, 2 pi)."""

    centre: np.ndarray
    radius: np.ndarray
    angle: np.ndarray


def frame_times(frames: int) -> np.ndarray:
    """(T,) times of the frames of a video, in seconds from its middle; exactly symmetric about 0."""
    return (np.arange(frames) - (frames - 1) / 2) / FPS


def sample_scene(rng: np.random.Generator) -> MovingScene:
    """Draw a scene; nothing here knows the move."""
    return MovingScene(tuple(_sample_figure(rng) for _ in range(FIGURES)), int(rng.integers(2**31)))


def _sample_figure(rng: np.random.Generator) -> MovingFigure:
    first, second = (int(i) for i in rng.choice(len(COLOURS), size=2, replace=False))
    x, y, size, angle = (float(v) for v in rng.random(4))
    return MovingFigure(
        phases=(x, y, size, angle),
        rate=float(rng.uniform(*RATE)),
        shape=str(rng.choice(list(SHAPES))),
        colours=(COLOURS[first], COLOURS[second]),
    )


def phases_at(figure: MovingFigure, move: str, times: np.ndarray) -> np.ndarray:
    """(T, 4) phases in [0, 1) at `times` (T,). Raises ValueError on a move that is none of MOVES."""
    if move not in MOVES:
        raise ValueError(f"{move!r} is no move; possible: {list(MOVES)}")
    moving, direction = MOVES[move]
    phases = np.tile(figure.phases, (len(times), 1))
    phases[:, moving] += figure.rate * direction * np.asarray(times)
    return phases % 1.0


def state_at(figure: MovingFigure, move: str, times: np.ndarray) -> FigureState:
    """Where the figure is at `times` (T,). The logarithm of its radius is even in the phase, so it grows evenly."""
    phases = phases_at(figure, move, times)
    small, large = RADIUS
    return FigureState(
        centre=FRAME_SIZE * phases[:, :2],
        radius=small * (large / small) ** phases[:, SIZE],
        angle=2 * np.pi * phases[:, ANGLE],
    )


def render(scene: MovingScene, move: str, times: np.ndarray) -> np.ndarray:
    """The frames at `times` (T,) -> (T, FRAME_SIZE, FRAME_SIZE, 3) uint8 RGB."""
    states = [state_at(figure, move, times) for figure in scene.figures]
    frames = np.tile(_background(np.random.default_rng(scene.background)), (len(times), 1, 1, 1))
    for k, canvas in enumerate(frames):
        for figure, state in zip(scene.figures, states, strict=True):
            _draw(canvas, figure, state.centre[k], float(state.radius[k]), float(state.angle[k]))
    return frames


def _draw(canvas: np.ndarray, figure: MovingFigure, centre: np.ndarray, radius: float, angle: float) -> None:
    """Draw the figure, and the part that leaves on one side where it comes in on the other."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    # a copy one frame size away, on each axis, where the figure reaches over that edge
    shifts = [[k for k in (-1, 0, 1) if -radius < c + k * FRAME_SIZE < FRAME_SIZE + radius] for c in centre]
    for points, colour in SHAPES[figure.shape]:
        outline = centre + radius * (np.array(points) @ turn)
        for dx in shifts[0]:
            for dy in shifts[1]:
                # OpenCV's pixel i is centred at i, ours at i + 1/2
                corners = outline + FRAME_SIZE * np.array([dx, dy]) - 0.5
                fixed = np.round(corners * 2**_FIXED_POINT).astype(np.int32)
                cv2.fillPoly(canvas, [fixed], figure.colours[colour], lineType=cv2.LINE_AA, shift=_FIXED_POINT)


def _background(rng: np.random.Generator) -> np.ndarray:
    """A wall with a slope of light, a texture, and a few blocks that never move: (FRAME_SIZE, FRAME_SIZE, 3) uint8."""
    wall = np.array(WALLS[rng.integers(len(WALLS))], dtype=np.float64)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : FRAME_SIZE * 1j, -1 : 1 : FRAME_SIZE * 1j]
    light = 25 * (np.cos(angle) * x + np.sin(angle) * y)
    for cells, strength in ((4, 6.0), (10, 4.0), (FRAME_SIZE, 2.0)):
        noise = rng.normal(0, strength, (cells, cells))
        light += cv2.resize(noise, (FRAME_SIZE, FRAME_SIZE), interpolation=cv2.INTER_CUBIC)
    canvas = np.clip(wall + light[..., None], 0, 255).astype(np.uint8)
    for _ in range(rng.integers(1, 4)):
        left, top = (int(v) for v in rng.integers(0, FRAME_SIZE, size=2))
        width, height = (int(v) for v in rng.integers(4, FRAME_SIZE // 4, size=2))
        shade = float(rng.uniform(0.72, 0.9))
        part = canvas[top : top + height, left : left + width]
        part[:] = (part * shade).astype(np.uint8)
    return canvas
