"""bmvit validate-data on lists and folders of videos, JHMDB-21's CSVs and pickles of tubes: all faults, not the first."""

import gzip
import pickle

import numpy as np
import pytest

from slowfast.config.load import load_cfg
from slowfast.preparation.validation.check import validate_config
from tests.unit.video.video_maker import write_video


def checked(config, overrides, *, decode=False):
    validation = validate_config(load_cfg(config, overrides), decode=decode)
    faults = validation.faults
    return {kind: [str(fault) for fault in faults.of(kind)] for kind in faults.kinds}, validation


@pytest.fixture
def lists(tmp_path):
    """Two lists of videos, one of which is missing and one broken."""
    for name in ("a", "b", "c"):
        write_video(tmp_path / f"{name}.mp4", frames=8)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "train.csv").write_text("a.mp4 0\nb.mp4 1\n")
    (tmp_path / "val.csv").write_text("c.mp4 1\n")
    return tmp_path


@pytest.fixture
def listed(lists, repo_root):
    config = repo_root / "configs/Toy/MViT_toy_kinetics.yaml"
    keys = ["TRAIN.DATASET", "kinetics", "TEST.DATASET", "kinetics", "MODEL.NUM_CLASSES", "2"]
    keys += ["DATA.PATH_TO_DATA_DIR", str(lists), "DATA.PATH_PREFIX", str(lists), "DATA.LABEL_FILE", ""]
    return lambda **options: checked(config, keys, **options)


def test_a_clean_list_and_a_class_without_a_test_video(listed):
    kinds, validation = listed(decode=True)
    assert kinds == {"class without samples": ["test: 0"]} and validation.exit_code == 0
    assert [str(facts) for facts in validation.facts] == [
        "train: 2 videos, 2 of 2 classes",
        "test: 1 videos, 1 of 2 classes",
    ]


def test_every_wrong_line_of_a_list_is_named(lists, listed):
    (lists / "train.csv").write_text("a.mp4 0\nb.mp4\nc.mp4 7\na.mp4 1\nd.jpg 0\n")
    kinds, validation = listed()
    assert [fault.partition("train.csv")[2].split(":")[1] for fault in kinds["row"]] == ["2", "3", "4", "5"]
    for told, fault in zip(
        ("expected a path", "class 7 is not one of", "more than once", "is an image"), kinds["row"], strict=True
    ):
        assert told in fault
    assert validation.exit_code == 1


def test_missing_broken_and_shared_videos_of_a_list(lists, listed):
    (lists / "train.csv").write_text("a.mp4 0\nbroken.mp4 1\ngone.mp4 1\nc.mp4 1\n")
    kinds, validation = listed()
    assert "gone.mp4: no such file" in kinds["missing video"][0] and "broken.mp4" in kinds["broken video"][0]
    assert "1 videos are in train and in test" in kinds["shared video"][0] and validation.exit_code == 1


def test_a_set_that_only_its_builder_reads_is_refused_with_its_words(lists, repo_root):
    keys = ["TRAIN.DATASET", "folder", "TEST.DATASET", "folder", "DATA.PATH_TO_DATA_DIR", str(lists / "none")]
    kinds, _ = checked(repo_root / "configs/Toy/MViT_toy_kinetics.yaml", [*keys, "DATA.LABEL_FILE", ""])
    assert len(kinds["refused"]) == 2 and "no such folder (DATA.PATH_TO_DATA_DIR)" in kinds["refused"][0]


@pytest.fixture
def jhmdb(tmp_path, repo_root):
    """Two clips of four frames; a line number in the boxes file is that of the row."""
    rows = ["video,label,frame,x1,y1,x2,y2"]
    for name in ("run/a", "sit/b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_video(tmp_path / f"{name}.mp4", frames=4)
        rows += [f"{name},{name[:3]},{frame},10,10,40,40" for frame in range(1, 5)]
    videos = "video,frames,height,width,split1,split2,split3\nrun/a,4,48,64,train,train,train\nsit/b,4,48,64,test,test,test\n"
    (tmp_path / "jhmdb21_videos.csv").write_text(videos)
    keys = ["JHMDB.VIDEO_DIR", str(tmp_path), "JHMDB.ANNOTATION_DIR", str(tmp_path), "MODEL.NUM_CLASSES", "2"]

    def check(*more):
        text = "\n".join([*rows[:1], *(more or rows[1:])]) + "\n"
        (tmp_path / "jhmdb21_boxes.csv.gz").write_bytes(gzip.compress(text.encode()))
        return checked(repo_root / "configs/JHMDB/BMViT_small_scratch.yaml", keys)

    return check


def test_jhmdb_frames_beyond_a_clip_and_bad_boxes_are_named_with_their_lines(jhmdb):
    assert set(jhmdb()[0]) == {"class without samples"}
    kinds, validation = jhmdb(
        "run/a,run,1,10,10,40,40",
        "run/a,run,2,50,10,20,40",
        "run/a,run,9,10,10,40,40",
        "sit/b,sit,1,10,10,40,40",
        "sit/b,sit,5,10,10,40,40",
    )
    assert [fault.split(":")[1] for fault in kinds["no area"]] == ["3"]
    assert [fault.split(":")[1] for fault in kinds["beyond the video"]] == ["4", "6"]
    assert "frame 9" in kinds["beyond the video"][0] or "at 9" in kinds["beyond the video"][0]
    assert validation.exit_code == 1


def test_every_bad_tube_of_a_pickle_is_named(tmp_path, repo_root):
    good = np.array([[1, 10, 10, 40, 40], [2, 10, 10, 40, 40]], dtype=np.float64)
    outside = good + [0, 0, 0, 100, 0]
    content = {
        "labels": ["run", "sit"],
        "gttubes": {"a": {0: [good], 1: [outside]}, "b": {1: [good]}},
        "nframes": {"a": 2, "b": 2},
        "resolution": {"a": (48, 64), "b": (48, 64)},
        "train_videos": [["a"]],
        "test_videos": [["b"]],
    }
    (tmp_path / "gt.pkl").write_bytes(pickle.dumps(content))
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", frames=2)
    keys = [
        "UCF24.ANNOTATION_FILE",
        str(tmp_path / "gt.pkl"),
        "UCF24.VIDEO_DIR",
        str(tmp_path),
        "MODEL.NUM_CLASSES",
        "2",
    ]
    kinds, validation = checked(repo_root / "configs/UCF24/BMViT_S.yaml", keys)
    (fault,) = kinds["box outside"]
    assert "gt.pkl: a, frame 1: box" in fault and "must lie inside the frame" in fault
    assert validation.facts[0].classes == {"run": 2, "sit": 0} and validation.exit_code == 1
