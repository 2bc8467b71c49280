import copy
import io
import pickle
import zipfile
from multiprocessing.reduction import ForkingPickler

import cv2
import numpy as np
import pytest

from slowfast.video.pictures.frames import FRAME_LIST_HEADER, FrameFolders, read_frame_lists
from slowfast.video.source import ClipReadError
from tests.unit.video.video_maker import HEIGHT, WIDTH, number_in, picture


def write_frames(folder, numbers, *, name="{video}_{frame:06d}.jpg", shown=lambda n: n):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        path = folder / name.format(video=folder.name, frame=number)
        assert cv2.imwrite(str(path), picture(shown(number))[..., ::-1])


def numbers_of(pixels):
    return [number_in(frame) for frame in pixels.frames]


def write_list(path, rows):
    path.write_text(FRAME_LIST_HEADER + "\n" + "\n".join(rows) + "\n")
    return path


def test_folders_count_from_one(tmp_path):
    write_frames(tmp_path / "v", range(1, 21))
    source = FrameFolders(tmp_path, fps=10)
    clip = source.read("v", np.array([0.0, 1.0, 1.04, 1.05, -0.4, 7.0]), center=1)
    assert numbers_of(clip) == [1, 11, 11, 12, 1, 20]
    assert clip.clamped == 2 and clip.frames.shape == (6, HEIGHT, WIDTH, 3) and clip.frames.dtype == np.uint8
    assert numbers_of(source.read_frames("v", np.array([3, 3, 20]), center=0)) == [3, 3, 20]


def test_positions_count_from_the_first_frame(tmp_path):
    write_frames(tmp_path / "v", range(7, 21))
    source = FrameFolders(tmp_path, fps=10)
    length = source.length("v")
    assert len(length) == 14 and length.fps == 10 and length.times.tolist() == [i / 10 for i in range(14)]
    frames = source.read_positions("v", np.array([0, 5, 13]))
    assert [number_in(frame) for frame in frames] == [7, 12, 20] and frames.shape == (3, HEIGHT, WIDTH, 3)
    assert source.read_positions("v", np.array([1]), short_side=24).shape == (1, 24, 32, 3)
    for positions in ([14], [-1], [3, 3], []):
        with pytest.raises(IndexError, match=r"v has positions 0 to 13; asked for \[.*\], which must ascend"):
            source.read_positions("v", np.array(positions))
    (tmp_path / "v" / "v_000012.jpg").unlink()
    again = FrameFolders(tmp_path, fps=10)
    assert len(again.length("v")) == 14 and len(again.read_positions("v", np.array([4, 6]))) == 2
    with pytest.raises(ClipReadError, match="frame 12 is missing"):
        again.read_positions("v", np.array([4, 5]))


def test_colours_are_rgb(tmp_path):
    (tmp_path / "v").mkdir()
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 2] = 250  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "v" / "v_000001.jpg"), red)
    frame = FrameFolders(tmp_path, fps=1).read_frames("v", np.array([1]), center=0).frames[0]
    assert frame[..., 0].mean() > 240 and frame[..., 1:].mean() < 10


def test_other_patterns_and_sub_folders(tmp_path):
    write_frames(tmp_path / "run" / "v 1", range(0, 4), name="img_{frame:05d}.png")
    source = FrameFolders(tmp_path, fps=2, pattern="img_{frame:05d}.png", first_frame=0)
    assert numbers_of(source.read("run/v 1", np.array([0.0, 1.0]), center=0)) == [0, 2]
    with pytest.raises(ValueError, match=r"needs \{frame\} once.* got '\{video\}\.jpg'"):
        FrameFolders(tmp_path, fps=2, pattern="{video}.jpg")
    with pytest.raises(ValueError, match="must be positive, got 0"):
        FrameFolders(tmp_path, fps=0)


def test_lists_are_addressed_by_frame_id_not_by_position(tmp_path):
    """Frames 3 and 4 were lost: frame 5 must not slide into their place."""
    write_frames(tmp_path / "v", range(1, 11))
    rows = [f'v 0 {number - 1} v/v_{number:06d}.jpg ""' for number in range(1, 11) if number not in (4, 5)]
    source = FrameFolders(tmp_path, fps=1, frame_lists=write_list(tmp_path / "train.csv", rows[::-1]))
    assert numbers_of(source.read("v", np.array([0.0, 5.0, 9.0]), center=0)) == [1, 6, 10]
    with pytest.raises(ClipReadError, match=r"v at frame 5: frame 3 is missing \(the frame lists have no such id\)"):
        source.read_frames("v", np.array([3, 5]), center=1)
    clip = source.read_frames("v", np.array([-2, 0, 12]), center=1)
    assert numbers_of(clip) == [1, 1, 10] and clip.clamped == 2


def test_names_with_spaces_quotes_and_several_lists(tmp_path):
    first = write_list(
        tmp_path / "a.csv",
        ['my video 2 0 0 my video 2/f 1.jpg ""', 'my video 2 0 1 my video 2/f 2.jpg "3,4"', "x 1 7 x/a.jpg"],
    )
    second = write_list(tmp_path / "b.csv", ['"q r" 5 0 "q r/f.jpg" ""', "ünï 6 0 ünï/f.jpg 4"])
    found = read_frame_lists([first, second])
    assert {video: (f.ids.tolist(), [p.decode() for p in f.paths]) for video, f in found.items()} == {
        "my video 2": ([0, 1], ["my video 2/f 1.jpg", "my video 2/f 2.jpg"]),
        "x": ([7], ["x/a.jpg"]),
        "q r": ([0], ["q r/f.jpg"]),
        "ünï": ([0], ["ünï/f.jpg"]),
    }


def test_malformed_lists_are_named(tmp_path):
    bad = write_list(tmp_path / "bad.csv", ['v 0 0 v/1.jpg ""', "v zero 1 v/2.jpg"])
    with pytest.raises(ValueError, match=r"bad.csv:3: expected 'original_vido_id .*', found 'v zero 1 v/2.jpg'"):
        read_frame_lists([bad])
    (tmp_path / "none.csv").write_text("v 0 0 v/1.jpg\n")
    with pytest.raises(ValueError, match=r"none.csv:1: a frame list starts with 'original_vido_id"):
        read_frame_lists([tmp_path / "none.csv"])
    twice = write_list(tmp_path / "twice.csv", ["v 0 0 v/1.jpg"])
    with pytest.raises(ValueError, match="frame 0 of video 'v' is listed more than once"):
        read_frame_lists([twice, twice])


def test_key_frame_beyond_the_ends_is_an_error(tmp_path):
    write_frames(tmp_path / "v", range(1, 6))
    with pytest.raises(ClipReadError, match=r"v at frame 6: it has frames 1 to 5 only"):
        FrameFolders(tmp_path, fps=1).read("v", np.array([1.0, 5.0]), center=1)


def test_missing_and_broken_files_are_named(tmp_path):
    write_frames(tmp_path / "v", range(1, 8))
    source = FrameFolders(tmp_path, fps=1)
    (tmp_path / "v" / "v_000003.jpg").unlink()
    with pytest.raises(ClipReadError, match=r"frame 3 is missing \(no file .*v/v_000003.jpg\)"):
        source.read_frames("v", np.array([1, 3]), center=0)
    source.read_frames("v", np.array([2]), center=0)  # lists the folder
    (tmp_path / "v" / "v_000002.jpg").unlink()
    with pytest.raises(ClipReadError, match=r"v_000002.jpg: No such file"):
        source.read_frames("v", np.array([2]), center=0)
    whole = (tmp_path / "v" / "v_000004.jpg").read_bytes()
    (tmp_path / "v" / "v_000004.jpg").write_bytes(whole[: len(whole) - 200])
    with pytest.raises(ClipReadError, match=rf"v_000004.jpg: the JPEG is cut off \({len(whole) - 200} bytes"):
        source.read_frames("v", np.array([4]), center=0)
    for content in (b"", b"not a picture"):
        (tmp_path / "v" / "v_000005.jpg").write_bytes(content)
        with pytest.raises(ClipReadError, match=rf"v_000005.jpg: not a picture .*\({len(content)} bytes\)"):
            source.read_frames("v", np.array([5]), center=0)
    cv2.imwrite(str(tmp_path / "v" / "v_000006.jpg"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ClipReadError, match=r"frames \[6, 7\] differ in size"):
        source.read_frames("v", np.array([6, 7]), center=0)
    with pytest.raises(ClipReadError, match=r"no such folder; is .* the folder of the frame folders"):
        source.read("w", np.array([0.0]), center=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClipReadError, match=r"no file in it is named like empty_000001.jpg"):
        source.read("empty", np.array([0.0]), center=0)
    lists = FrameFolders(tmp_path, fps=1, frame_lists=[write_list(tmp_path / "l.csv", ["v 0 0 v/1.jpg"])])
    with pytest.raises(ClipReadError, match="the frame lists do not hold video 'w'; they hold v, "):
        lists.read("w", np.array([0.0]), center=0)


def test_a_users_real_frame_list(shared_dir, tmp_path):
    with zipfile.ZipFile(shared_dir / "data" / "ava" / "custom" / "pyslowfast_layout_escape_room.zip") as archive:
        archive.extractall(tmp_path)
    found = read_frame_lists([tmp_path / "frame_lists" / "train.csv", tmp_path / "frame_lists" / "val.csv"])
    assert set(found) == {"756026", "756027"}
    for frames in found.values():
        np.testing.assert_array_equal(frames.ids, np.arange(len(frames.ids)))
    assert found["756027"].paths[9].decode() == "G1_hazard_segment2/G1_hazard_segment2_000010.jpg"


def test_frames_before_second_0_are_told_of(tmp_path):
    """Numbered from 0, and said to start at 1: every clip would be one frame late."""
    for video in ("a", "b"):
        (tmp_path / video).mkdir()
        for number in range(3):
            cv2.imwrite(str(tmp_path / video / f"{video}_{number:06d}.jpg"), np.zeros((4, 4, 3), np.uint8))
    told = FrameFolders(tmp_path, fps=2, first_frame=1).starts_before(["a", "b"])
    assert told.startswith(
        "the frames of 2 videos start before number 1, such as a at 0: those frames are before second 0"
    )
    assert told.endswith("Then AVA.FIRST_FRAME is 0")
    found = FrameFolders(tmp_path, fps=2)
    assert found.find_first_frame(["a", "b"]) == 0 and found.starts_before(["a", "b"]) == ""


def sent(thing) -> bytes:
    """As a loader worker is sent it."""
    buffer = io.BytesIO()
    ForkingPickler(buffer, pickle.HIGHEST_PROTOCOL).dump(thing)
    return buffer.getvalue()


@pytest.fixture
def long_lists(tmp_path):
    """Two videos with 40,000 frames listed of them, three of which are there."""
    write_frames(tmp_path / "a name", [7, 8])
    write_frames(tmp_path / "v", [40_000], shown=lambda _: 9)
    rows = [f'"a name" 0 {i} "a name/a name_{i:06d}.jpg" ""' for i in range(3, 20_000)]
    rows += [f'v 1 {i} v/v_{i:06d}.jpg ""' for i in range(20_001, 40_001)]
    return FrameFolders(tmp_path, fps=10, frame_lists=write_list(tmp_path / "train.csv", rows))


def test_workers_share_long_frame_lists(long_lists):
    plain = pickle.dumps(long_lists.__dict__)
    first, second = sent(long_lists), sent(long_lists)
    assert len(first) < 10_000 < 1_000_000 < len(plain)
    for source in (pickle.loads(first), pickle.loads(second), long_lists):  # this process goes on with the same memory
        assert source.videos == ("a name", "v") and source.span("a name") == (3, 19_999)
        assert numbers_of(source.read_frames("a name", np.array([8, 7]), center=0)) == [8, 7]
        assert numbers_of(source.read_frames("v", np.array([40_000]), center=0)) == [9]
        assert next(source.listed_files(["v"])) == "v/v_020001.jpg"
        with pytest.raises(ClipReadError, match="the frame lists do not hold video 'w'"):
            source.check("w")


def test_any_other_copy_of_frame_lists_is_whole(long_lists):
    before = list(long_lists.listed_files(["a name", "v"]))
    for copied in (pickle.loads(pickle.dumps(long_lists)), copy.deepcopy(long_lists)):
        assert list(copied.listed_files(["a name", "v"])) == before
        assert copied.root == long_lists.root and copied.fps == 10


def test_names_that_the_pattern_gives_are_not_kept(tmp_path):
    write_frames(tmp_path / "v", range(1, 6))
    write_frames(tmp_path / "w", range(1, 6), name="{video}_{frame:03d}.jpg")
    source = FrameFolders(tmp_path, fps=10)
    for video in ("v", "w"):  # the second has other names, which are kept
        assert numbers_of(source.read_frames(video, np.array([2, 5]), center=0)) == [2, 5]
        assert numbers_of(pickle.loads(sent(source)).read_frames(video, np.array([2, 5]), center=0)) == [2, 5]
    assert source._videos["v"].paths is None and source._videos["w"].paths is not None
