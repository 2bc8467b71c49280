"""AVA's builder with data of one's own: frames numbered from 0 or 1, other names, lists of the test; keys in messages."""

import cv2
import numpy as np
import pytest

from slowfast.config import get_cfg
from slowfast.datasets.build import build_clips
from slowfast.datasets.clips.key_frame_clips import ClipShape
from slowfast.datasets.registry import find_dataset
from slowfast.video.pictures.frames import FRAME_LIST_HEADER
from tests.unit.video.video_maker import number_in, picture

FPS = 5
SHAPE = ClipShape(num_frames=3, sampling_rate=1)


@pytest.fixture
def folder(tmp_path):
    """Annotations of second 10 of two videos; time 0 of their frames is second 9."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "people.csv").write_text("v,0010,0.1,0.1,0.5,0.5,1,0\nw,0010,0.1,0.1,0.5,0.5,2,0\n")
    (tmp_path / "annotations" / "classes.pbtxt").write_text('item { name: "a" id: 1 }\nitem { name: "b" id: 2 }\n')
    return tmp_path


def write_frames(folder, first, *, names=("v", "w"), pattern="{video}_{frame:06d}.jpg"):
    """Picture n of a video is shown at n / FPS seconds, whatever its number in the name."""
    for name in names:
        (folder / "frames" / name).mkdir(parents=True, exist_ok=True)
        for n in range(12):
            path = folder / "frames" / name / pattern.format(video=name, frame=first + n)
            assert cv2.imwrite(str(path), picture(n)[..., ::-1])


def build(folder, *overrides, split="test"):
    cfg = get_cfg()
    keys = {
        **dict.fromkeys(("TRAIN_LABEL_MAP_FILE", "LABEL_MAP_FILE"), "classes.pbtxt"),
        **{"GROUNDTRUTH_FILE": "people.csv", "TRAIN_GT_BOX_LISTS": ["people.csv"], "FIRST_SECOND": 9},
        **{"EXCLUSION_FILE": "", "TRAIN_EXCLUSION_FILE": "", "VALID_SECONDS": [], "PIXELS": "frames"},
        **{"ANNOTATION_DIR": str(folder / "annotations"), "FRAME_LIST_DIR": str(folder / "annotations")},
        **{"FRAME_DIR": str(folder / "frames"), "VIDEO_DIR": str(folder / "videos")},
    }
    for key, value in keys.items():
        cfg.AVA[key] = value
    cfg.DATA.TARGET_FPS = float(FPS)
    cfg.merge_from_list(list(overrides))
    return find_dataset("ava", "TEST.DATASET")(cfg, split)


def shown(split, video="v"):
    """Which pictures the clip of second 10 shows; right are those around second 1 of the frames."""
    return [number_in(frame) for frame in split.clock.read(split.pixels, video, 10, SHAPE).frames]


RIGHT = [4, 5, 6]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("pattern", ["{video}_{frame:06d}.jpg", "frame-{frame:05d}.png"])
def test_folders_that_count_from_0_and_from_1(folder, first, pattern):
    write_frames(folder, first, pattern=pattern)
    split = build(folder, "AVA.FRAME_PATTERN", pattern)
    assert shown(split) == shown(split, "w") == RIGHT
    assert f"number {first} is second 9 (AVA.FIRST_FRAME, AVA.FIRST_SECOND)" in split.annotated.notes[-1]


@pytest.mark.parametrize("first", [0, 1])
def test_lists_that_count_from_0_and_from_1(folder, first):
    write_frames(folder, 1)
    rows = [f'{video} 0 {first + n} {video}/{video}_{1 + n:06d}.jpg ""' for video in "vw" for n in range(12)]
    (folder / "annotations" / "list.csv").write_text("\n".join([FRAME_LIST_HEADER, *rows]) + "\n")
    assert shown(build(folder, "AVA.TEST_LISTS", ["list.csv"])) == RIGHT
    assert shown(build(folder, "AVA.TRAIN_LISTS", ["list.csv"], split="train")) == RIGHT
    # No lists for the test: those of the training. The folders are named otherwise, so they cannot be what is read.
    write_frames(folder, 7, names=("x",))
    split = build(folder, "AVA.TRAIN_LISTS", ["list.csv"], "AVA.FRAME_PATTERN", "none-{frame}.jpg")
    assert shown(split) == RIGHT and split.pixels.videos == ("v", "w")


def test_a_lost_first_frame_moves_nothing(folder):
    write_frames(folder, 1)
    (folder / "frames" / "v" / "v_000001.jpg").unlink()
    assert shown(build(folder)) == RIGHT


def test_what_is_not_known_is_asked_for(folder):
    write_frames(folder, 0, names=("v",))
    write_frames(folder, 1, names=("w",))
    with pytest.raises(
        ValueError, match=r"of 1 videos start at 0 \(such as v\) and those of 1 at 1 \(such as w\).*FIRST_F"
    ):
        build(folder)
    assert shown(build(folder, "AVA.FIRST_FRAME", 0)) == RIGHT
    for path in (folder / "frames").glob("*/*_00000[01].jpg"):
        path.unlink()
    with pytest.raises(
        ValueError, match=r"no video has a frame 0 or 1, they start later \(v at 2, w at 2\).*AVA.FIRST_F"
    ):
        build(folder)
    assert shown(build(folder, "AVA.FIRST_FRAME", 1), "w") == RIGHT


def test_videos_without_frames_are_named_at_the_start(folder):
    write_frames(folder, 1, names=("v",))
    (folder / "frames" / "w").mkdir()
    message = (
        r"1 of 2 annotated videos have no frames:\n(?s:.*)named like w_000001.jpg; it is empty \(AVA.FRAME_PATTERN\)"
    )
    with pytest.raises(FileNotFoundError, match=message + r"\nCorrect AVA.FRAME_DIR, or set AVA.IGNORE_MISSING_VIDEOS"):
        build(folder)
    split = build(folder, "AVA.IGNORE_MISSING_VIDEOS", True)
    assert split.annotated.key_frames.used_videos == ("v",) and shown(split) == RIGHT
    (folder / "frames" / "v" / "v_1.jpg").write_bytes((folder / "frames" / "v" / "v_000001.jpg").read_bytes())
    with pytest.raises(Exception, match=r"frame 1 is there twice: v_000001\.jpg and v_1\.jpg"):
        shown(build(folder, "AVA.IGNORE_MISSING_VIDEOS", True))


@pytest.mark.parametrize(
    ("key", "value", "split"),
    [
        ("GROUNDTRUTH_FILE", "gone", "test"),
        ("TRAIN_GT_BOX_LISTS", ["gone"], "train"),
        ("LABEL_MAP_FILE", "gone", "test"),
        ("TRAIN_LABEL_MAP_FILE", "gone", "train"),
        ("EXCLUSION_FILE", "gone", "test"),
        ("TRAIN_EXCLUSION_FILE", "gone", "train"),
        ("TRAIN_PREDICT_BOX_LISTS", ["gone"], "train"),
        ("TEST_PREDICT_BOX_LISTS", ["gone"], "test"),
    ],
)
def test_a_missing_annotation_file_names_its_key(folder, key, value, split):
    with pytest.raises(FileNotFoundError, match=rf"gone: no such file \(AVA.{key} in AVA.ANNOTATION_DIR\)"):
        build(folder, f"AVA.{key}", value, split=split)


def test_missing_lists_and_folders_in_place_of_files(folder):
    with pytest.raises(FileNotFoundError, match=r"gone.csv: no such file \(AVA.TEST_LISTS in AVA.FRAME_LIST_DIR\)"):
        build(folder, "AVA.TEST_LISTS", ["gone.csv"])
    (folder / "annotations" / "sub").mkdir()
    with pytest.raises(FileNotFoundError, match=r"sub: is a folder, and a file is needed \(AVA.LABEL_MAP_FILE"):
        build(folder, "AVA.LABEL_MAP_FILE", "sub")


@pytest.mark.parametrize("pattern", ["{video}.jpg", "{frame}{frame}.jpg", "{frame:q}.jpg", "{number}.jpg", "{frame"])
def test_a_pattern_that_cannot_be_names_its_key(folder, pattern):
    write_frames(folder, 1)
    with pytest.raises(ValueError, match=r"frame file pattern .*\(AVA.FRAME_PATTERN\)"):
        build(folder, "AVA.FRAME_PATTERN", pattern)


def test_seconds_outside_those_of_ava_say_which_keys(folder):
    (folder / "annotations" / "people.csv").write_text("v,3,0.1,0.1,0.5,0.5,1,0\nv,17,0.1,0.1,0.5,0.5,2,0\n")
    message = (
        r"people.csv: no key frame is left to use; its seconds are 3 to 17, and AVA.VALID_SECONDS is \[902, 1798\]"
    )
    with pytest.raises(ValueError, match=message + r".* set AVA.VALID_SECONDS \[\] .*AVA.FIRST_SECOND to the second"):
        build(folder, "AVA.VALID_SECONDS", [902, 1798])


def test_an_unknown_class_says_which_keys(folder):
    (folder / "annotations" / "people.csv").write_text("v,3,0.1,0.1,0.5,0.5,7,0\n")
    with pytest.raises(
        ValueError, match=r"ids \[7\].*\(AVA.TRAIN_LABEL_MAP_FILE, AVA.LABEL_MAP_FILE\).*\(AVA.CLASSES\)"
    ):
        build(folder)


def test_pictures_are_read_whole(folder):
    write_frames(folder, 1, pattern="{frame}.png")
    path = folder / "frames" / "v" / "6.png"
    path.write_bytes(path.read_bytes() + b"notes of a camera" * 100)
    split = build(folder, "AVA.FRAME_PATTERN", "{frame}.png")
    assert shown(split) == RIGHT
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(Exception, match=r"6.png: the PNG is cut off \(100 bytes, no end chunk\)"):
        shown(split)
    np.testing.assert_array_equal(shown(split, "w"), RIGHT)


def test_classes_by_name_and_pairs_of_the_label_map_reach_the_clips(folder):
    write_frames(folder, 0)
    (folder / "annotations" / "classes.txt").write_text("a\nb\na <-> b\n")
    maps = ("AVA.TRAIN_LABEL_MAP_FILE", "classes.txt", "AVA.LABEL_MAP_FILE", "classes.txt")
    split = build(folder, *maps, split="train")
    assert split.annotated.notes[1] == "a mirrored clip exchanges a and b (the label map)"
    cfg = get_cfg()
    cfg.DATA.FLIP_SWAPS = []
    assert build_clips(cfg, "train", split).preset.augmentation.swap_actions == ((0, 1),)
    alone = build(folder, *maps, "AVA.CLASSES", "['b']", split="train").annotated.notes[1]
    assert alone.startswith(
        "a mirrored clip of b shows a, left out by AVA.CLASSES, and keeps its label: name both or set"
    )
    named = build(folder, *maps, "AVA.CLASSES", ["b"], split="train").annotated
    assert named.label_map.ids == named.eval_label_map.ids == (2,) and named.label_map.swaps == ()
    with pytest.raises(ValueError, match=r"classes.txt: 'c' is no class of the label map; it has a, b \(AVA.CLASSES\)"):
        build(folder, *maps, "AVA.CLASSES", ["c"], split="train")
