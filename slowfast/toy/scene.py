"""Two seconds of the toy data set: who stands where, in front of what; the key frame is the middle.

The layout of a scene never looks at the motions: it keeps people in the frame and apart for every motion they could be
doing, and the motions are drawn afterwards. So place and neighbours tell nothing about the motion either.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from slowfast.toy.people import (
    BALLS,
    FRAME_HEIGHT,
    FRAME_WIDTH,
    WALK_DIRECTION,
    Body,
    Colour,
    Part,
    Person,
    Pose,
    body_boxes,
    draw_parts,
    draw_person,
    person_boxes,
    plain_ball,
    pose_at,
    sample_body,
    stool_parts,
)

FPS = 12
SCENE_SECONDS = 2  # between two cuts; the key frame is in the middle
FRAME_TIMES = np.arange(-FPS, FPS) / FPS  # seconds from the key frame
WINDOW_TIMES = np.arange(-8, 9) / FPS  # the part around the key frame in which people stay in the frame, apart

MAX_IOU = 0.1
PLACEMENT_TRIES = 40  # for one person
LAYOUT_TRIES = 3  # for a scene; the one with most people is taken
PEOPLE_PROBABILITY = (0.05, 0.20, 0.40, 0.35)  # of 0, 1, 2, 3 people wanted; not all find a free place
SIT_PROBABILITY = 0.2
SPEED = (0.18 * FRAME_WIDTH, 0.25 * FRAME_WIDTH)  # pixels per second
SUPERSAMPLING = 4

WALLS: tuple[tuple[Colour, Colour], ...] = (
    ((244, 232, 210), (222, 196, 164)),
    ((214, 232, 236), (166, 198, 206)),
    ((226, 236, 214), (182, 202, 166)),
    ((236, 222, 236), (198, 178, 206)),
    ((250, 224, 212), (226, 184, 172)),
    ((224, 226, 232), (180, 184, 196)),
)
WOODS: tuple[Colour, ...] = ((150, 106, 70), (186, 142, 96), (112, 84, 66))
THINGS: tuple[Colour, ...] = ((168, 112, 88), (98, 132, 140), (140, 150, 104), (176, 152, 112), (128, 112, 144))


@dataclass(frozen=True)
class Scene:
    """People from back to front, and the seed of what is behind them."""

    people: tuple[Person, ...]
    background_seed: int


@dataclass(frozen=True)
class Placed:
    """A body with its place, and its boxes (motions, times, 4) for everything it could be doing in the window."""

    body: Body
    x: float
    y: float
    boxes: np.ndarray


def sample_scene(rng: np.random.Generator, *, people: int | None = None) -> Scene:
    """Draw a scene. `people` asks for a number (fewer come when no free place is found), None draws 0 to 3."""
    if people is None:
        people = int(rng.choice(len(PEOPLE_PROBABILITY), p=PEOPLE_PROBABILITY))
    speed = float(rng.uniform(*SPEED))  # one per scene: those who walk the same way keep their distance
    placed: list[Placed] = []
    for _ in range(LAYOUT_TRIES):
        placed = max(placed, place_people(rng, people, speed=speed), key=len)
        if len(placed) == people:
            break
    motions = draw_motions(rng, placed)
    cast = (Person(p.body, p.x, p.y, motion) for p, motion in zip(placed, motions, strict=True))
    return Scene(tuple(sorted(cast, key=lambda person: person.body.height)), int(rng.integers(2**31)))


def place_people(rng: np.random.Generator, people: int, *, speed: float) -> list[Placed]:
    """Place one after another, until `people` are there or no place is free for the next."""
    placed: list[Placed] = []
    for _ in range(people):
        newcomer = _find_place(rng, placed, speed=speed)
        if newcomer is None:
            break
        placed.append(newcomer)
    return placed


def _find_place(rng: np.random.Generator, placed: list[Placed], *, speed: float) -> Placed | None:
    """A person who stays in the frame whatever they do, and apart from everybody whatever those do, but for walking in
    opposite directions; None when no free place turns up."""
    posture = "sit" if rng.random() < SIT_PROBABILITY else "stand"
    for _ in range(PLACEMENT_TRIES):
        body = sample_body(rng, speed=speed, posture=posture)
        poses = [pose_at(body, WINDOW_TIMES, motion=motion) for motion in body.motions]
        boxes = body_boxes(body, Pose(*(np.stack([getattr(p, f) for p in poses]) for f in ("hip", "leg", "arms"))))
        low = 1 - boxes[..., :2].min(axis=(0, 1))
        high = np.array([FRAME_WIDTH, FRAME_HEIGHT]) - 1 - boxes[..., 2:].max(axis=(0, 1))
        if (low > high).any():
            continue
        x, y = (float(v) for v in rng.uniform(low, high))
        person = Placed(body, x, y, boxes + np.array([x, y, x, y]))
        meetings = (_meetings(person, other) for other in placed)
        if all((iou[~opposite] < MAX_IOU).all() for iou, opposite in meetings):
            return person
    return None


def _meetings(a: Placed, b: Placed) -> tuple[np.ndarray, np.ndarray]:
    """For each motion of a and each motion of b: the largest IoU at any one time of the window (A, B), and whether the
    two walk in opposite directions (A, B)."""
    boxes_a, boxes_b = a.boxes[:, None], b.boxes[None]
    size = (np.minimum(boxes_a[..., 2:], boxes_b[..., 2:]) - np.maximum(boxes_a[..., :2], boxes_b[..., :2])).clip(min=0)
    shared = size.prod(axis=-1)
    area_a, area_b = ((boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (boxes_a, boxes_b))
    direction_a, direction_b = (np.array([WALK_DIRECTION.get(m, 0.0) for m in p.body.motions]) for p in (a, b))
    return (shared / (area_a + area_b - shared)).max(axis=-1), np.outer(direction_a, direction_b) < 0


def draw_motions(rng: np.random.Generator, placed: list[Placed]) -> list[str]:
    """One motion a person, with the chances of that person whatever the layout.

    People who would meet when they walk in opposite directions form a group, whose walkers all go the same way, left or
    right with equal chance; that leaves the chances of each person as they are.
    """
    group = np.arange(len(placed))
    for i, person in enumerate(placed):
        for j, other in enumerate(placed[:i]):
            iou, opposite = _meetings(person, other)
            if (iou[opposite] >= MAX_IOU).any():
                group[group == group[j]] = group[i]
    left = rng.random(len(group)) < 0.5  # by group number
    motions = []
    for i, person in enumerate(placed):
        motion = str(rng.choice(person.body.motions, p=person.body.motion_chances))
        if motion in WALK_DIRECTION:
            motion = "walk left" if left[group[i]] else "walk right"
        motions.append(motion)
    return motions


def key_boxes(scene: Scene) -> np.ndarray:
    """Tight boxes (n, 4) xyxy in pixels of the people at the key frame."""
    return np.array([person_boxes(person, np.asarray(0.0)) for person in scene.people]).reshape(-1, 4)


def render_scene(scene: Scene, *, times: np.ndarray = FRAME_TIMES) -> np.ndarray:
    """The frames at `times` (T,), seconds from the key frame -> (T, 96, 120, 3) uint8 RGB."""
    rng = np.random.default_rng(scene.background_seed)
    background = _background(rng, key_boxes(scene))
    stool = WOODS[rng.integers(len(WOODS))]
    frames = []
    for time in times:
        canvas = background.copy()
        for person in scene.people:
            draw_person(canvas, person, float(time), scale=SUPERSAMPLING, stool=stool)
        frames.append(cv2.resize(canvas, (FRAME_WIDTH, FRAME_HEIGHT), interpolation=cv2.INTER_AREA))
    return np.stack(frames)


def _background(rng: np.random.Generator, taken: np.ndarray) -> np.ndarray:
    """A wall with a gradient, a texture and things that are not people, supersampled; taken (n, 4): boxes of people."""
    height, width = FRAME_HEIGHT * SUPERSAMPLING, FRAME_WIDTH * SUPERSAMPLING
    light, dark = (np.array(colour, dtype=np.float32) for colour in WALLS[rng.integers(len(WALLS))])
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope = ((np.cos(angle) * x + np.sin(angle) * y) / 2.8 + 0.5)[..., None]
    texture = np.zeros((height, width))
    for rows, sigma in ((4, 5.0), (12, 3.0), (48, 2.5)):
        noise = rng.normal(0, sigma, (rows, rows * 5 // 4))
        texture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    canvas = np.clip(light * (1 - slope) + dark * slope + texture[..., None], 0, 255).astype(np.uint8)
    for _ in range(rng.integers(2, 6)):
        kind = rng.choice(["panel", "pole", "crate", "stool", "ball"])
        draw_parts(canvas, _thing(rng, str(kind), light, taken), scale=SUPERSAMPLING)
    return canvas


def _thing(rng: np.random.Generator, kind: str, wall: np.ndarray, taken: np.ndarray) -> list[Part]:
    """One thing in the background; balls and stools keep away from people, where they would look like theirs."""
    x, y = rng.uniform([0, 0], [FRAME_WIDTH, FRAME_HEIGHT])
    colour = THINGS[rng.integers(len(THINGS))]
    if kind == "pole":
        return [Part(np.array([[x, -5.0], [x, FRAME_HEIGHT + 5.0]]), rng.uniform(1.0, 2.5), colour)]
    if kind == "panel":
        w, h = rng.uniform(10, 22, size=2)
        red, green, blue = (int(v) for v in np.clip(wall + rng.uniform(-24, 8), 0, 255))
        return [_rectangle(x, y, w, h, colour), _rectangle(x, y, w - 2, h - 2, (red, green, blue))]
    if kind == "crate":
        w, h = rng.uniform(5, 11, size=2)
        red, green, blue = (int(0.72 * c) for c in colour)
        edge = (red, green, blue)
        cross = [Part(np.array([[x - w, y - s * h], [x + w, y + s * h]]), 0.6, edge) for s in (-1, 1)]
        return [_rectangle(x, y, w, h, colour), *cross]
    near = (taken[:, :2] - 12 < [x, y]).all(axis=1) & ([x, y] < taken[:, 2:] + 12).all(axis=1)
    if near.any():
        return []
    if kind == "stool":
        return stool_parts(rng.uniform(36, 54), np.array([x, y]), WOODS[rng.integers(len(WOODS))])
    return plain_ball(np.array([[x, y]]), rng.uniform(4.8, 6.8), BALLS[rng.integers(len(BALLS))])


def _rectangle(x: float, y: float, half_width: float, half_height: float, colour: Colour) -> Part:
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    return Part(np.array([x, y]) + corners * [half_width, half_height], 0.5, colour, filled=True)
