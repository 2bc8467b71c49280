"""Which way up: display matrices, rotation SEIs, and what changes inside a stream."""

import logging

import numpy as np
import pytest

from slowfast.video.decoding.whole_video import WholeVideo
from slowfast.video.reader import VideoFiles, read_all, read_times
from slowfast.video.source import ClipReadError
from slowfast.video.stored.cache import CachedVideos
from slowfast.video.stream import FileSource
from tests.unit.video import hostile_files as made
from tests.unit.video.doors import check_every_door, forget


@pytest.fixture(autouse=True)
def _nothing_known():
    forget()
    yield
    forget()


@pytest.mark.parametrize("turn", made.TURNS)
def test_a_display_matrix_turns_and_mirrors(tmp_path, turn):
    matrix, by_hand = made.TURNS[turn]
    path = made.write_scenes(tmp_path / "v.mp4", range(12))
    stored = read_all(path)[0]
    made.set_matrix(path, matrix)
    check_every_door(path, tmp_path, np.stack([by_hand(frame) for frame in stored]))


@pytest.mark.parametrize(
    ("turn", "by_hand"),
    [
        ("rotate=90", lambda p: np.rot90(p, 1)),
        ("rotate=90:flip=horizontal", lambda p: np.rot90(p[:, ::-1], 1)),
        ("rotate=180:flip=vertical", lambda p: np.rot90(p[::-1], 2)),
    ],
)
def test_a_rotation_sei_holds_up_to_the_next_key_frame(tmp_path, turn, by_hand):
    """FFmpeg tells it of the key frame alone. By the standard it is mirrored first, then turned counter-clockwise."""
    groups = [made.write_scenes(tmp_path / f"{i}.mp4", range(6 * i, 6 * i + 6), gop=99) for i in range(3)]
    stored = np.concatenate([read_all(group)[0] for group in groups])
    path = made.copy_packets([(group, made.sei(turn)) for group in groups], tmp_path / "v.mp4")
    check_every_door(path, tmp_path, np.stack([by_hand(frame) for frame in stored]))


def test_a_rotation_that_changes_is_an_error_of_ours_and_never_cached(tmp_path):
    plain = made.write_scenes(tmp_path / "plain.mp4", range(12), gop=99)
    path = made.copy_packets([(plain, ""), (plain, made.sei("rotate=90"))], tmp_path / "v.mp4")
    message = r"v\.mp4.*the display rotation changes inside the video: frames are shown as \(48, 64\) \(height, width\)"
    cached = CachedVideos(VideoFiles(tmp_path), tmp_path / "cache")
    for read in (
        lambda: read_all(path),
        lambda: read_times(path, np.array([1.0, 1.4]), center=0),
        lambda: cached.read("v", np.array([0.3]), center=0),
        lambda: WholeVideo(path).read(np.array([2, 20])),
        lambda: [frame.picture() for frame in FileSource(path).frames()],
    ):
        with pytest.raises(ClipReadError, match=message):
            read()
    assert not list((tmp_path / "cache").glob("*"))
    for second, shape in ((0.5, (1, 48, 64, 3)), (2.0, (1, 64, 48, 3))):  # what a player shows then
        assert read_times(path, np.array([second]), center=0).frames.shape == shape


def test_a_rotation_that_changes_and_keeps_the_shape_is_followed(tmp_path):
    plain = made.write_scenes(tmp_path / "plain.mp4", range(12), gop=99)
    stored = read_all(plain)[0]
    path = made.copy_packets([(plain, ""), (plain, made.sei("rotate=180"))], tmp_path / "v.mp4")
    check_every_door(path, tmp_path, np.concatenate([stored, stored[:, ::-1, ::-1]]))


def test_a_free_angle_is_read_at_the_next_quarter_and_said(tmp_path, caplog):
    path = made.write_scenes(tmp_path / "v.mp4", range(4))
    stored = read_all(path)[0]
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    cos, sin = (round(f(np.radians(70)) * 65536) for f in (np.cos, np.sin))
    data[place : place + 20] = np.array([cos, sin, 0, -sin, cos], dtype=">i4").tobytes()
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING, "slowfast"):
        np.testing.assert_array_equal(read_all(path)[0], np.stack([np.rot90(frame, -1) for frame in stored]))
    assert "it is read 20 degrees off, at the next quarter turn" in caplog.text


@pytest.mark.parametrize(
    ("name", "corners"),
    [  # stored: red, green / blue, white
        ("mirror_left-right.mp4", ("green", "red", "white", "blue")),
        ("rotate_90.mp4", ("blue", "red", "white", "green")),
        ("transpose.mp4", ("red", "blue", "green", "white")),
    ],
)
def test_shared_pictures_are_the_right_way_up(shared_dir, name, corners):
    colours = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
    frame = read_times(shared_dir / "data/videos/robustness" / name, np.array([0.5]), center=0).frames[0].astype(int)
    found = (frame[2, 2], frame[2, -3], frame[-3, 2], frame[-3, -3])
    for pixel, colour in zip(found, corners, strict=True):
        assert np.abs(pixel - colours[colour]).max() < 12, (name, colour)
