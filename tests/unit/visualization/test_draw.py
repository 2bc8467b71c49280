"""Drawn detections: where the lines are, what the strips say, and that the files hold the pictures."""

import av
import cv2
import numpy as np
import pytest

from slowfast.toy.data_set import TOY_ACTIONS
from slowfast.visualization.draw import (
    PAPER,
    READABLE_SHORT_SIDE,
    DrawnClip,
    action_colour,
    contact_sheet,
    detection_video,
    draw_detections,
    readable_scale,
    text_size,
)

LINE_HEIGHT = text_size(500).line  # of the pictures below

GREY = 90


def _grey(frames: int = 1, height: int = 400, width: int = 500) -> np.ndarray:
    return np.full((frames, height, width, 3), GREY, np.uint8)


def _is(colour: tuple[int, int, int], picture: np.ndarray) -> np.ndarray:
    return (np.abs(picture.astype(int) - colour) <= 2).all(axis=-1)


def test_a_box_lies_on_its_corners_in_the_colour_of_the_best_action():
    boxes = np.array([[0.2, 0.25, 0.6, 0.75]])
    picture = draw_detections(_grey(), boxes, [[("jump", 0.2), ("wave", 0.9)]])[0]
    for x, y in ((100, 200), (300, 200), (200, 300)):  # left, right and bottom edge of 500 x 400
        assert _is(action_colour("wave"), picture[y, x]), (x, y)
    assert (picture[200, 200] == GREY).all()  # not filled
    assert (picture[390, 490] == GREY).all()


def test_labels_are_filled_strips_best_first_with_the_score_written():
    picture = draw_detections(_grey(), np.array([[0.2, 0.25, 0.6, 0.75]]), [[("jump", 0.2), ("wave", 0.9)]])[0]
    upper, lower = picture[100 - 2 * LINE_HEIGHT : 100 - LINE_HEIGHT, 100:200], picture[100 - LINE_HEIGHT : 97, 100:200]
    assert _is(action_colour("wave"), upper).sum() > 600
    assert _is(action_colour("jump"), lower).sum() > 500
    assert (upper.max(axis=-1) < 90).sum() > 40  # dark ink on it
    other = draw_detections(_grey(), np.array([[0.2, 0.25, 0.6, 0.75]]), [[("jump", 0.2), ("wave", 0.8)]])[0]
    assert not np.array_equal(picture, other)  # the score is part of the text


def test_a_strip_stays_in_the_frame_and_off_other_strips():
    boxes = np.array([[0.0, 0.0, 0.2, 0.2], [0.9, 0.0, 1.0, 0.3], [0.0, 0.21, 0.2, 0.5]])
    labels = [[("walk left", 0.9), ("stand", 0.8)], [("walk right", 0.9)], [("wave", 0.7)]]
    picture = draw_detections(_grey(), boxes, labels)[0]
    for name, share in (("walk left", 1), ("stand", 1), ("walk right", 1), ("wave", 1)):
        assert _is(action_colour(name), picture).sum() > 700 * share, name


def test_groundtruth_is_thin_dashed_and_named_below():
    true_boxes = np.array([[0.2, 0.25, 0.6, 0.75]])
    picture = draw_detections(_grey(), np.zeros((0, 4)), [], groundtruth=(true_boxes, [["stand", "wave"]]))[0]
    edge = _is(PAPER, picture[100, 100:300])
    assert 80 < edge.sum() < 120  # half of the line is dashes
    assert not _is(PAPER, picture[99, 100:300]).any()  # one pixel thin
    assert _is(PAPER, picture[300 : 300 + LINE_HEIGHT, 100:180]).sum() > 700


def test_small_frames_are_enlarged_and_large_ones_are_not():
    assert readable_scale(96, 120) == 4
    assert readable_scale(720, 1280) == 1
    assert draw_detections(_grey(2, 96, 120), np.zeros((0, 4)), []).shape == (2, READABLE_SHORT_SIDE, 480, 3)
    assert draw_detections(_grey(1, 96, 120), np.zeros((0, 4)), [], scale=2).shape == (1, 192, 240, 3)
    assert draw_detections(_grey(0, 96, 120), np.zeros((0, 4)), []).shape == (0, 384, 480, 3)


def test_the_input_stays_as_it_is():
    frames = _grey()
    draw_detections(frames, np.array([[0.1, 0.1, 0.5, 0.5]]), [[("sit", 0.5)]], scale=1)
    assert (frames == GREY).all()


def test_the_toy_actions_have_colours_that_differ():
    colours = np.array([action_colour(name) for name in TOY_ACTIONS.names])
    distance = np.abs(colours[:, None] - colours[None]).max(axis=-1)
    assert distance[~np.eye(7, dtype=bool)].min() > 60
    assert (colours @ [0.299, 0.587, 0.114]).min() > 140  # dark text can be read on all


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: draw_detections(_grey(), np.zeros((2, 4)), [[]]),
            r"boxes must be \(n, 4\) .* got \(2, 4\) and 1 lists",
        ),
        (lambda: draw_detections(_grey(), np.zeros((1, 5)), [[]]), r"got \(1, 5\) and 1 lists"),
        (lambda: draw_detections(_grey()[0], np.zeros((0, 4)), []), r"frames must be uint8 \(T, H, W, 3\), got uint8"),
        (lambda: draw_detections(_grey() / 255, np.zeros((0, 4)), []), r"got float64"),
        (lambda: draw_detections(_grey(), np.zeros((0, 4)), [], scale=0), r"scale must be a whole number >= 1, got 0"),
        (
            lambda: draw_detections(_grey(), np.zeros((0, 4)), [], groundtruth=(np.zeros((1, 4)), [])),
            r"ground truth boxes must be \(n, 4\)",
        ),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def _clip(title: str, shade: int) -> DrawnClip:
    frames = np.full((5, 96, 120, 3), shade, np.uint8)
    box = np.array([[0.25, 0.4, 0.5, 0.9]])
    return DrawnClip(frames, 2, title, box, [[("wave", 0.75)]], true_boxes=box + 0.02, true_labels=[["stand", "wave"]])


def test_the_video_holds_the_key_frame_with_the_detections(tmp_path):
    path = tmp_path / "found" / "clips.mp4"
    written = detection_video([_clip("a", 60), _clip("b", 120)], path, fps=10, hold_seconds=0.4)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert len(frames) == written == 2 * (5 + 4)
    assert frames.shape[1:] == (384 + 24, 480, 3)
    spread = frames[:, 24:].astype(int).max(axis=(1, 2, 3)) - frames[:, 24:].min(axis=(1, 2, 3))
    assert (spread > 100).tolist() == ([False] * 2 + [True] * 4 + [False] * 3) * 2
    assert np.median(frames[0, 24:]) == pytest.approx(60, abs=3)
    assert np.median(frames[-1, 24:]) == pytest.approx(120, abs=3)


def test_the_contact_sheet_is_a_grid_of_key_frames(tmp_path):
    path = tmp_path / "sheet.png"
    clips = [_clip(str(i), 60 + 40 * i) for i in range(4)]
    sheet = contact_sheet(clips, path, columns=3, gap=8, text=1.0)
    assert sheet.shape == (2 * (408 + 8) + 8 + 24, 3 * (480 + 8) + 8, 3)
    assert np.array_equal(cv2.imread(str(path))[..., ::-1], sheet)
    first = sheet[8 + 24 : 8 + 408, 8 : 8 + 480]
    expected = draw_detections(clips[0].frames[2:3], clips[0].boxes, clips[0].labels, groundtruth=clips[0].groundtruth)
    assert np.array_equal(first, expected[0])
    assert np.median(sheet[8 + 416 + 24 : 8 + 416 + 408, 8 : 8 + 480]) == 180  # the fourth opens the second row
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="a contact sheet needs at least one clip"):
        contact_sheet([], tmp_path / "sheet.png")
    with pytest.raises(ValueError, match="a video needs at least one frame"):
        detection_video([], tmp_path / "clips.mp4", fps=10)
    assert list(tmp_path.iterdir()) == []


def test_dashed_boxes_have_gaps_and_numbers_keep_the_colour_of_the_action():
    frames, boxes, labels = (
        np.full((1, 400, 400, 3), 128, np.uint8),
        np.array([[0.25, 0.25, 0.75, 0.75]]),
        [[("wave", 0.5)]],
    )
    solid = draw_detections(frames, boxes, labels, scale=1)[0]
    dashed = draw_detections(frames, boxes, labels, dashed=[True], scale=1)[0]
    edge = dashed[110:290, 100].astype(int)
    colours = {tuple(pixel) for pixel in edge.tolist()}
    assert action_colour("wave") in colours and (28, 28, 34) in colours
    assert {tuple(pixel) for pixel in solid[110:290, 100].tolist()} == {action_colour("wave")}
    numbered = draw_detections(frames, boxes, labels, numbers=[12], scale=1)[0]
    assert not np.array_equal(numbered, solid) and np.array_equal(numbered[110:290], solid[110:290])
