"""The people of the toy data set: what they look like, how they move, and the box around them.

A person is drawn by the same rules whatever they do. A motion only lets time run for some of the phases: the legs and
the place of somebody who walks, the height of somebody who jumps, the free arms of somebody who waves. For everybody else
the same phases stand still where they were drawn. So the key frame (time 0) has the same distribution for every motion, and
no single key frame tells who moves.

Lengths and places are pixels of the frame, x to the right and y down; times are seconds from the key frame; angles are
radians.
"""

from dataclasses import dataclass

import cv2
import numpy as np

FRAME_HEIGHT, FRAME_WIDTH = 96, 120

STANDING_MOTIONS = ("none", "walk left", "walk right", "jump", "wave")
SITTING_MOTIONS = ("none", "wave")
WALK_DIRECTION = {"walk left": -1.0, "walk right": 1.0}

ARM_CENTRE, ARM_SWING = np.deg2rad(95.0), np.deg2rad(62.0)  # from hanging down (0) to straight up (180 degrees)
ARM_LENGTH, HAND_RADIUS = 0.31, 0.075  # of the height of the figure
LEG_SWING = np.deg2rad(27.0)

Colour = tuple[int, int, int]  # RGB

SKINS: tuple[Colour, ...] = ((255, 219, 186), (233, 184, 145), (198, 140, 100), (150, 98, 66), (106, 68, 48))
HAIRS: tuple[Colour, ...] = ((43, 33, 30), (92, 58, 38), (158, 96, 48), (214, 168, 88), (120, 120, 126))
SHIRTS: tuple[Colour, ...] = (
    (214, 72, 64), (236, 138, 46), (38, 130, 142), (44, 92, 168),
    (122, 74, 156), (60, 140, 82), (206, 76, 128), (242, 242, 236),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = ((40, 48, 76), (70, 62, 58), (52, 84, 108), (96, 58, 52), (58, 72, 56))
BALLS: tuple[Colour, ...] = ((250, 204, 44), (240, 94, 44), (92, 196, 240))


@dataclass(frozen=True)
class Colours:
    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    ball: Colour


@dataclass(frozen=True)
class Body:
    """Everything about a person but the motion and the place.

    posture:                   "stand" or "sit"
    height:                    of the standing figure
    speed:                     pixels per second, if they walk
    stride_phase, _period:     of the legs
    jump_height, _phase, _period: half the distance between the highest and the lowest point of a jump
    arm_phases (left, right), wave_period
    ball_hand:                 the hand (0 left, 1 right) that holds a ball before the chest, or None without a ball
    """

    posture: str
    height: float
    speed: float
    stride_phase: float
    stride_period: float
    jump_height: float
    jump_phase: float
    jump_period: float
    arm_phases: tuple[float, float]
    wave_period: float
    ball_hand: int | None
    colours: Colours

    @property
    def free_arms(self) -> np.ndarray:
        """(2,) whether the left and the right arm are free to wave; one with a ball is bent and still."""
        return np.arange(2) != (-1 if self.ball_hand is None else self.ball_hand)

    @property
    def motions(self) -> tuple[str, ...]:
        """What this person could be doing."""
        return STANDING_MOTIONS if self.posture == "stand" else SITTING_MOTIONS

    @property
    def motion_chances(self) -> np.ndarray:
        """How likely each of `motions` is: no motion is twice as likely as any other."""
        weights = np.array([2.0 if motion == "none" else 1.0 for motion in self.motions])
        return weights / weights.sum()


@dataclass(frozen=True)
class Person:
    """A body at the place (x, y) of its hip (at the key frame, before the jump's offset), doing one motion."""

    body: Body
    x: float
    y: float
    motion: str

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions: the posture, the ball if there is one, the motion if there is one."""
        ball = ("hold ball",) if self.body.ball_hand is not None else ()
        motion = (self.motion,) if self.motion != "none" else ()
        return (self.body.posture, *ball, *motion)


@dataclass(frozen=True)
class Pose:
    """A body at the times (...): hip (..., 2) relative to (x, y), leg (...) and arms (..., 2) as angles."""

    hip: np.ndarray
    leg: np.ndarray
    arms: np.ndarray


@dataclass(frozen=True)
class Part:
    """A stroke with round ends through points (..., k, 2), or with `filled` the area inside them as well."""

    points: np.ndarray
    radius: float
    colour: Colour
    filled: bool = False


def sample_body(rng: np.random.Generator, *, speed: float, posture: str) -> Body:
    """Draw a body; nothing here knows the motion."""
    height = FRAME_HEIGHT * rng.uniform(0.36, 0.50)
    jump_height = FRAME_HEIGHT * rng.uniform(0.12, 0.16) if posture == "stand" else 0.0
    phases = rng.uniform(0, 2 * np.pi, size=4)
    ball_hand = int(rng.integers(2))
    pick = [colours[rng.integers(len(colours))] for colours in (SKINS, HAIRS, SHIRTS, TROUSERS, BALLS)]
    return Body(
        posture=posture,
        height=float(height),
        speed=speed,
        stride_phase=float(phases[0]),
        stride_period=float(rng.uniform(0.6, 0.9)),
        jump_height=float(jump_height),
        jump_phase=float(phases[1]),
        jump_period=float(rng.uniform(0.6, 0.9)),
        arm_phases=(float(phases[2]), float(phases[3])),
        wave_period=float(rng.uniform(0.6, 0.9)),
        ball_hand=ball_hand if rng.random() < 0.35 else None,
        colours=Colours(*pick),
    )


def pose_at(body: Body, times: np.ndarray, *, motion: str) -> Pose:
    """The pose at `times` (...). Clocks that the motion does not run stay at 0, where the phases were drawn.

    Walking left is walking right with the clock turned back, so each is exactly the other played backwards.
    """
    if motion not in body.motions:
        raise ValueError(f"a person who {body.posture}s cannot do {motion!r}; possible: {list(body.motions)}")
    times = np.asarray(times, dtype=np.float64)
    walk_clock = WALK_DIRECTION.get(motion, 0.0) * times
    jump_clock = times * (motion == "jump")
    wave_clock = times * (motion == "wave")
    rise = body.jump_height * np.sin(body.jump_phase + 2 * np.pi * jump_clock / body.jump_period)
    turns = 2 * np.pi * wave_clock[..., None] * body.free_arms / body.wave_period
    return Pose(
        hip=np.stack([body.speed * walk_clock, rise], axis=-1),
        leg=LEG_SWING * np.sin(body.stride_phase + 2 * np.pi * walk_clock / body.stride_period),
        arms=ARM_CENTRE + ARM_SWING * np.sin(np.asarray(body.arm_phases) + turns),
    )


def _segment(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return np.stack(np.broadcast_arrays(start, end), axis=-2)


def _legs(body: Body, pose: Pose) -> list[Part]:
    h, colours = body.height, body.colours
    parts = []
    for side in (-1.0, 1.0):
        hip = pose.hip + h * np.array([0.05 * side, 0.0])
        if body.posture == "sit":
            knee, foot = hip + h * np.array([0.09 * side, 0.09]), hip + h * np.array([0.10 * side, 0.29])
            legs = np.stack([hip, knee, foot], axis=-2)
        else:
            swing = np.stack([np.sin(side * pose.leg), np.cos(side * pose.leg)], axis=-1)
            foot = hip + 0.42 * h * swing
            legs = _segment(hip, foot)
        parts.append(Part(legs, 0.043 * h, colours.trousers))
        parts.append(Part(foot[..., None, :], 0.047 * h, colours.hair))
    return parts


def _arms(body: Body, pose: Pose) -> np.ndarray:
    """(..., 2 arms, 3, 2): shoulder, elbow and hand of each arm."""
    h, side = body.height, np.array([-1.0, 1.0])
    shoulders = pose.hip[..., None, :] + h * np.stack([0.115 * side, np.full(2, -0.27)], axis=-1)
    direction = np.stack([side * np.sin(pose.arms), np.cos(pose.arms)], axis=-1)
    straight = shoulders[..., None, :] + ARM_LENGTH * h * np.array([0, 0.5, 1])[:, None] * direction[..., None, :]
    bent = np.stack(
        [np.zeros((2, 2)), np.stack([0.09 * side, [0.13] * 2], axis=-1), np.stack([-0.08 * side, [0.15] * 2], axis=-1)],
        axis=1,
    )
    return np.where(body.free_arms[:, None, None], straight, shoulders[..., None, :] + h * bent)


def person_parts(body: Body, pose: Pose) -> list[Part]:
    """The parts of the figure from back to front; the box is tight around exactly these."""
    h, colours = body.height, body.colours
    arms = _arms(body, pose)
    torso = h * np.array([[-0.085, -0.27], [0.085, -0.27], [0.055, -0.01], [-0.055, -0.01]])
    head = pose.hip + h * np.array([0.0, -0.43])
    parts = _legs(body, pose)
    parts.append(Part(_segment(head, head + h * np.array([0.0, 0.15])), 0.034 * h, colours.skin))
    parts.append(Part(pose.hip[..., None, :] + torso, 0.045 * h, colours.shirt, filled=True))
    for arm in (0, 1):
        parts.append(Part(arms[..., arm, :, :], 0.050 * h, colours.shirt))
        parts.append(Part(arms[..., arm, 2:, :], HAND_RADIUS * h, colours.skin))
    parts.append(Part(head[..., None, :], 0.102 * h, colours.hair))
    parts.append(Part((head + h * np.array([0.0, 0.018]))[..., None, :], 0.080 * h, colours.skin))
    return parts


def stool_parts(height: float, hip: np.ndarray, colour: Colour) -> list[Part]:
    """The stool of somebody of this height who sits with the hip (2,) there; it also stands about without anybody."""
    seat = hip + height * np.array([[-0.22, 0.06], [0.22, 0.06]])
    legs = [
        _segment(hip + height * np.array([s * 0.19, 0.06]), hip + height * np.array([s * 0.23, 0.33])) for s in (-1, 1)
    ]
    return [Part(leg, 0.025 * height, colour) for leg in legs] + [Part(seat, 0.04 * height, colour)]


def ball_parts(body: Body, pose: Pose) -> list[Part]:
    """The ball before the person's chest, an empty list without one; it lies inside the box."""
    if body.ball_hand is None:
        return []
    centre = pose.hip + body.height * np.array([0.0, -0.16])
    return plain_ball(centre[..., None, :], 0.13 * body.height, body.colours.ball)


def plain_ball(centre: np.ndarray, radius: float, colour: Colour) -> list[Part]:
    """A ball with a highlight; centre (..., 1, 2)."""
    red, green, blue = (int(c + 0.65 * (255 - c)) for c in colour)
    light = (red, green, blue)
    return [Part(centre, radius, colour), Part(centre - 0.3 * radius, 0.35 * radius, light)]


def body_boxes(body: Body, pose: Pose) -> np.ndarray:
    """Tight boxes (..., 4) xyxy in pixels around the figure, without ball and stool, relative to (x, y)."""
    parts = person_parts(body, pose)
    points = np.concatenate(
        [np.broadcast_to(p.points, (*pose.leg.shape, *p.points.shape[-2:])) for p in parts], axis=-2
    )
    radius = np.concatenate([np.full(part.points.shape[-2], part.radius) for part in parts])[:, None]
    return np.concatenate([(points - radius).min(axis=-2), (points + radius).max(axis=-2)], axis=-1)


def person_boxes(person: Person, times: np.ndarray) -> np.ndarray:
    """Tight boxes (..., 4) xyxy in pixels of the frame at `times` (...)."""
    pose = pose_at(person.body, times, motion=person.motion)
    return body_boxes(person.body, pose) + np.array([person.x, person.y, person.x, person.y])


def draw_parts(canvas: np.ndarray, parts: list[Part], *, scale: int) -> None:
    """Draw parts (points (k, 2), pixels of the frame) into a uint8 canvas `scale` times the frame's size, in place."""
    for part in parts:
        points = np.round(part.points * scale - 0.5).astype(np.int32)  # canvas pixel i covers [i, i + 1) / scale
        radius = part.radius * scale
        if len(points) == 1:
            cv2.circle(canvas, points[0].tolist(), round(radius - 0.5), part.colour, thickness=cv2.FILLED)
            continue
        if part.filled:
            cv2.fillPoly(canvas, [points], part.colour)
        cv2.polylines(canvas, [points], part.filled, part.colour, thickness=max(1, round(2 * radius)))


def draw_person(canvas: np.ndarray, person: Person, time: float, *, scale: int, stool: Colour) -> None:
    """Draw one person at one time, with ball and stool, into a uint8 canvas `scale` times the frame's size."""
    body = person.body
    moved = pose_at(body, np.asarray(time), motion=person.motion)
    pose = Pose(moved.hip + np.array([person.x, person.y]), moved.leg, moved.arms)
    seat = stool_parts(body.height, pose.hip, stool) if body.posture == "sit" else []
    draw_parts(canvas, seat + person_parts(body, pose) + ball_parts(body, pose), scale=scale)
