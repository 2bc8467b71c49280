"""An explanation as pictures: what a token looked at on the key frame, and over the time of its clip."""

from collections.abc import Sequence

import numpy as np

from slowfast.structures.outputs.explanation import Explanation, PersonExplanation
from slowfast.structures.outputs.moment import Box
from slowfast.visualization.draw import draw_detections
from slowfast.visualization.heat_map import draw_cell, draw_heat, smooth_heat

STRIP_SIDE = 128  # pixels of the short side of a picture in a strip, about
TEXT = 1.5  # letters for pictures that are shown side by side


def key_picture(explained: Explanation, person: PersonExplanation, *, actions: int = 2) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the key frame under the attention of the token that claimed the person.

    The person's box bears its likeliest `actions`; the small white square is the cell of the token.
    """
    heat = smooth_heat(person.box_attention)
    picture = explained.pictures[explained.key_slice]
    drawn = draw_heat(picture, heat[explained.key_slice], peak=float(heat.max()))
    box = np.array([_in_region(person.person.box, explained.region)])
    labels = [[(told.name, told.score) for told in person.person.actions[:actions]]]
    drawn = draw_detections(drawn[None], box, labels, numbers=[person.person.track], scale=1, text=TEXT)[0]
    draw_cell(drawn, _in_region(person.cell_box, explained.region))
    return drawn


def plain_picture(explained: Explanation, people: Sequence[PersonExplanation], *, actions: int = 2) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the key frame with the box of each person and the cell of its token."""
    picture = explained.pictures[explained.key_slice]
    boxes = np.array([_in_region(one.person.box, explained.region) for one in people]).reshape(-1, 4)
    labels = [[(told.name, told.score) for told in one.person.actions[:actions]] for one in people]
    numbers = [one.person.track for one in people]
    drawn: np.ndarray = draw_detections(picture[None], boxes, labels, numbers=numbers, text=TEXT)[0]
    for one in people:
        draw_cell(drawn, _in_region(one.cell_box, explained.region))
    return drawn


def strip(explained: Explanation, attention: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the time slices of a clip side by side under `attention`, (t, h, w), on one scale of heat.

    The frame of the key frame has a white edge.
    """
    height, width = explained.pictures.shape[1:3]
    scale = max(1, round(STRIP_SIDE / min(height, width)))
    gap = 4
    attention = smooth_heat(attention)
    tiles = []
    for number, (picture, heat) in enumerate(zip(explained.pictures, attention, strict=True)):
        drawn = draw_heat(picture, heat, peak=float(attention.max()), scale=scale)
        edge = 255 if number == explained.key_slice else 0
        tiles.append(np.pad(drawn, ((gap, gap), (gap, gap), (0, 0)), constant_values=edge))
    return np.concatenate(tiles, axis=1)


def _in_region(box: Box, region: Box) -> Box:
    """xyxy in [0, 1] of the original frame -> in [0, 1] of the part that pictures show."""
    x1, y1, x2, y2 = region
    width, height = x2 - x1, y2 - y1
    return ((box[0] - x1) / width, (box[1] - y1) / height, (box[2] - x1) / width, (box[3] - y1) / height)
