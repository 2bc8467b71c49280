"""Boxes between key frames by hand: who is who, where they are on the way, and where nothing is drawn."""

import cv2
import numpy as np
import pytest

from slowfast.visualization.between import KeyBoxes, between_key_frames
from slowfast.visualization.draw import (
    BETWEEN,
    DrawnClip,
    FrameBoxes,
    action_colour,
    detection_video,
    draw_detections,
    text_size,
)


def key(at, *people):
    """people: (left, name); boxes are 0.3 wide."""
    boxes = np.array([[left, 0.2, left + 0.3, 0.9] for left, _ in people]).reshape(-1, 4)
    return KeyBoxes(at, FrameBoxes(boxes, [[(name, 0.5 + at / 100)] for _, name in people]))


def drawn(keys, *moments, reach=1.0):
    found = between_key_frames(keys, np.array(moments, dtype=float), reach=reach)
    return [
        sorted(
            (round(float(box[0]), 6), label[0][0], label[0][1]) for box, label in zip(f.boxes, f.labels, strict=True)
        )
        for f in found
    ]


def test_people_move_in_straight_lines_with_the_names_of_the_nearer_key_frame():
    keys = [key(2, (0.0, "walk"), (0.6, "sit")), key(3, (0.6, "sit"), (0.1, "wave"))]
    assert drawn(keys, 2.25, 2.5, 2.75) == [
        [(0.025, "walk", 0.52), (0.6, "sit", 0.52)],
        [(0.05, "walk", 0.52), (0.6, "sit", 0.52)],
        [(0.075, "wave", 0.53), (0.6, "sit", 0.53)],
    ]
    assert drawn(keys, 2, 3) == [
        [(0.0, "walk", 0.52), (0.6, "sit", 0.52)],
        [(0.1, "wave", 0.53), (0.6, "sit", 0.53)],
    ]


def test_who_is_on_one_key_frame_only_stays_until_half_way():
    keys = [key(2, (0.0, "walk")), key(4, (0.6, "sit"))]
    assert drawn(keys, 2.9, 3.1) == [[(0.0, "walk", 0.52)], [(0.6, "sit", 0.54)]]
    nobody = [key(2, (0.0, "walk")), key(4)]
    assert drawn(nobody, 2.9, 3.1) == [[(0.0, "walk", 0.52)], []]


def test_beyond_the_key_frames_people_stay_as_far_as_it_reaches():
    keys = [key(5, (0.2, "stand"))]
    assert drawn(keys, 4.4, 4.5, 5, 5.5, 5.6, reach=0.5) == [[], *[[(0.2, "stand", 0.55)]] * 3, []]


def test_boxes_of_other_frames_are_thinner_marked_and_told_in_the_title(tmp_path, monkeypatch):
    texts = []
    write = cv2.putText
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, *rest: (texts.append(text), write(canvas, text, *rest))[1])
    frames = np.full((3, 400, 480, 3), 90, np.uint8)
    found = key(1, (0.3, "walk")).found
    clip = DrawnClip(frames, 1, "v, second 1", found.boxes, found.labels, between=[found] * 3)
    assert detection_video([clip], tmp_path / "v.mp4", fps=2, hold_seconds=0.5) == 4
    title = f"v, second 1   ~ {BETWEEN}"
    assert texts == ["~ walk 0.51", title, "walk 0.51", "v, second 1", *["~ walk 0.51", title] * 2]
    sure, guessed = (
        draw_detections(frames[:1], found.boxes, found.labels, guessed=guessed)[0] for guessed in (False, True)
    )
    colour = action_colour("walk")
    coloured = [(np.abs(picture[200].astype(int) - colour).max(axis=-1) < 40).sum() for picture in (sure, guessed)]
    assert 0 < coloured[1] < coloured[0]


@pytest.mark.parametrize("width", [400, 480, 560, 1280, 1920])
def test_letters_are_eight_pixels_high_where_a_picture_is_shown_400_wide(width):
    size = text_size(width)
    height = cv2.getTextSize("WALK", cv2.FONT_HERSHEY_SIMPLEX, size.scale, size.stroke)[0][1]
    assert height * 400 / width >= 7.5 and size.line > height
