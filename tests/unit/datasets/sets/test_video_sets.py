"""The builders of labelled videos: which file serves which split, what is said about it, and whose pixels are read."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from slowfast.config import get_cfg
from slowfast.datasets.annotations.videos.label_order import overlap_note
from slowfast.datasets.build import sets  # noqa: F401 (registers the data sets)
from slowfast.datasets.registry import find_dataset
from slowfast.datasets.split import VideoSplit
from slowfast.tasks.classification import Classification
from slowfast.video.pictures.frames import FRAME_LIST_HEADER, FrameFolders
from slowfast.video.pictures.images import ImageFiles
from slowfast.video.reader import VideoFiles
from tests.unit.video.video_maker import write_video


def build(name: str, split: str, folder: Path, *overrides) -> VideoSplit:
    cfg = get_cfg()
    cfg.DATA.PATH_TO_DATA_DIR = str(folder)
    cfg.TRAIN.DATASET = cfg.TEST.DATASET = name
    cfg.merge_from_list(list(overrides))
    found = find_dataset(name, "TRAIN.DATASET")(cfg, split)
    assert isinstance(found, VideoSplit)
    return found


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_kinetics_lists_of_each_split(tmp_path):
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.csv").write_text(f"{split}.mp4 1\n")
    for split in ("train", "val", "test"):
        found = build("kinetics", split, tmp_path, "DATA.PATH_PREFIX", "clips")
        assert (found.videos.names, found.notes, found.sampling, found.bgr) == ((f"{split}.mp4",), (), "time", False)
        assert isinstance(found.pixels, VideoFiles) and found.pixels.root == Path("clips")
        assert len(found.videos.class_names) == 400  # the usual number
    (tmp_path / "test.csv").unlink()
    found = build("kinetics", "test", tmp_path)
    assert found.videos.names == ("val.mp4",)
    assert found.notes == (f"{tmp_path / 'test.csv'} does not exist: val.csv is read in its place",)
    (tmp_path / "val.csv").rename(tmp_path / "test.csv")
    assert build("kinetics", "val", tmp_path).notes == (
        f"{tmp_path / 'val.csv'} does not exist: test.csv is read in its place",
    )
    (tmp_path / "test.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"test\.csv: no such file, and no val\.csv beside it"):
        build("kinetics", "test", tmp_path)
    (tmp_path / "train.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"train\.csv: no such file \(DATA\.PATH_TO_DATA_DIR\)"):
        build("kinetics", "train", tmp_path)


def test_class_names_of_kinetics_and_of_charades(tmp_path):
    names = tmp_path / "names.json"
    names.write_text(json.dumps({'"sit down"': 1, "run": 0}))
    (tmp_path / "train.csv").write_text("a b.mp4 sit down\nc.mp4 0\n")
    found = build("kinetics", "train", tmp_path, "DATA.LABEL_FILE", str(names)).videos
    assert (found.labels.tolist(), found.class_names) == ([1, 0], ("run", "sit down"))
    with pytest.raises(ValueError, match=r"MODEL\.NUM_CLASSES is 400, but DATA\.LABEL_FILE .* names 2 classes; set"):
        build("kinetics", "train", tmp_path, "DATA.LABEL_FILE", str(names), "MODEL.NUM_CLASSES", 400)
    for name in ("ssv2", "imagenet", "folder", "jhmdb_videos"):
        with pytest.raises(ValueError, match=rf"DATA\.LABEL_FILE \('x'\) is for lists .*, and {name} names its own"):
            build(name, "train", tmp_path, "DATA.LABEL_FILE", "x")


def test_ssv2_as_files_and_as_frames(tmp_path):
    (tmp_path / "labels.json").write_text('{"Closing something": "1", "Moving something up": "0"}')
    for part, number in (("train", 7), ("validation", 9)):
        (tmp_path / f"{part}.json").write_text(json.dumps([{"id": str(number), "template": "Closing [something]"}]))
    files = {split: build("ssv2", split, tmp_path) for split in ("train", "val", "test")}
    assert {split: found.videos.names for split, found in files.items()} == {
        "train": ("7",),
        "val": ("9",),
        "test": ("9",),
    }
    assert all(isinstance(found.pixels, VideoFiles) and found.bgr for found in files.values())
    assert files["train"].notes == (
        f"ssv2 train: labels of train.json, video files (there is no {tmp_path / 'train.csv'})",
    )
    cv2.imwrite(str(tmp_path / "0.png"), np.full((8, 8, 3), 77, np.uint8))
    (tmp_path / "val.csv").write_text(f'{FRAME_LIST_HEADER}\n9 0 0 0.png ""\n')
    frames = build("ssv2", "test", tmp_path, "DATA.PATH_PREFIX", str(tmp_path))
    assert isinstance(frames.pixels, FrameFolders) and (frames.sampling, frames.bgr) == ("segments", True)
    assert frames.pixels.read_frames("9", np.array([0]), center=0).frames[0, 0, 0].tolist() == [77] * 3
    assert frames.notes == (f"ssv2 test: labels of validation.json, extracted frames of {tmp_path / 'val.csv'}",)
    assert isinstance(build("ssv2", "train", tmp_path).pixels, VideoFiles)
    (tmp_path / "train.csv").write_text(f'{FRAME_LIST_HEADER}\n8 0 0 0.png ""\n')
    with pytest.raises(ValueError, match=r"1 are in train\.json only: 7; 1 are in train\.csv only: 8"):
        build("ssv2", "train", tmp_path)


def test_charades_trains_on_labels_of_frames_and_tests_on_those_of_videos(tmp_path):
    for name in ("train", "val"):
        (tmp_path / f"{name}.csv").write_text(f'{FRAME_LIST_HEADER}\n{name} 0 0 0.jpg "1"\n{name} 0 1 1.jpg "0"\n')
    change = ("MODEL.NUM_CLASSES", 2, "DATA.MULTI_LABEL", True)
    train = build("charades", "train", tmp_path, *change)
    assert train.videos.label_of(0, np.array([1])).tolist() == [True, False] and train.bgr
    for split in ("val", "test"):
        found = build("charades", split, tmp_path, *change)
        assert found.videos.names == ("val",) and found.videos.label_of(0, np.array([1])).tolist() == [True, True]
    with pytest.raises(ValueError, match=r"DATA\.MULTI_LABEL \(False\) must be True on charades"):
        build("charades", "train", tmp_path)


def test_imagenet_reads_val_in_place_of_test(tmp_path):
    touch(tmp_path, "train/n02/a.JPEG", "train/n01/a.JPEG", "val/n02/b.JPEG")
    cv2.imwrite(str(tmp_path / "val/n02/b.png"), np.zeros((5, 7, 3), np.uint8))
    found = build("imagenet", "test", tmp_path)
    assert (found.videos.names, found.videos.labels.tolist()) == (("val/n02/b.JPEG", "val/n02/b.png"), [1, 1])
    assert found.sampling == "image" and not found.bgr and isinstance(found.pixels, ImageFiles)
    assert found.notes[0].endswith("does not exist: val is read in its place")
    assert found.pixels.read_positions(found.videos.names[1], np.array([0])).shape == (1, 5, 7, 3)
    assert build("imagenet", "train", tmp_path).videos.class_names == ("n01", "n02")


def test_folder_with_and_without_split_folders(tmp_path):
    flat, split = tmp_path / "flat", tmp_path / "split"
    touch(flat, *(f"{c}/{i}.mp4" for c in "ab" for i in range(10)))
    train, test = (build("folder", name, flat, "DATA.HELD_OUT", 0.5) for name in ("train", "test"))
    assert len(train.videos.names) + len(test.videos.names) == 20
    assert overlap_note(train.videos, test.videos) == ""
    assert isinstance(train.pixels, VideoFiles) and train.pixels.path(train.videos.names[0]).is_file()
    assert len(build("folder", "test", flat, "DATA.HELD_OUT", 0.1).videos.names) < len(test.videos.names)
    touch(split, *(f"{part}/{c}/{part}.mp4" for c in "ab" for part in ("train", "test")))
    assert build("folder", "val", split).videos.names == ("test/a/test.mp4", "test/b/test.mp4")
    assert build("folder", "train", split).videos.names == ("train/a/train.mp4", "train/b/train.mp4")


def test_jhmdb_as_videos(tmp_path):
    (tmp_path / "jhmdb21_videos.csv").write_text(
        "video,frames,height,width,split1,split2,split3\na/x,1,2,3,train,test,test\nb/y,1,2,3,test,train,train\n"
    )
    change = ("JHMDB.ANNOTATION_DIR", str(tmp_path), "JHMDB.VIDEO_DIR", "clips")
    train, val, test = (build("jhmdb_videos", split, tmp_path, *change) for split in ("train", "val", "test"))
    assert (train.videos.names, val.videos.names, test.videos.names) == (("a/x",), ("b/y",), ("b/y",))
    assert train.videos.class_names == ("a", "b") and test.videos.labels.tolist() == [1]
    assert val.notes == ("JHMDB-21 has no validation part: its test part is read in its place",)
    assert (train.notes, test.notes) == ((), ()) and train.pixels.root == Path("clips")
    assert build("jhmdb_videos", "train", tmp_path, *change, "JHMDB.SPLIT", 2).videos.names == ("b/y",)


def task_of(folder: Path, class_names: list[str]) -> Classification:
    """The task of a run that only tests weights of these classes on `folder`."""
    torch.save({"model_state": {"x": torch.zeros(1)}, "class_names": class_names}, folder.parent / "w.pyth")
    cfg = get_cfg()
    cfg.DATA.PATH_TO_DATA_DIR, cfg.TEST.DATASET, cfg.TRAIN.ENABLE = str(folder), "folder", False
    cfg.TEST.CHECKPOINT_FILE_PATH = str(folder.parent / "w.pyth")
    cfg.freeze()
    return Classification(cfg)


def test_a_test_follows_the_class_order_of_its_weights(tmp_path):
    folder = tmp_path / "data"
    for name in ("run", "sit", "wave"):
        (folder / "test" / name).mkdir(parents=True)
        write_video(folder / f"test/{name}/{name}.mp4", frames=3)
    names = ["sit", "wave", "run"]
    task = task_of(folder, names)
    videos = task.test_split.videos
    assert task.known_names == videos.class_names == tuple(names)
    assert dict(zip(videos.names, videos.labels.tolist(), strict=True)) == {
        "test/run/run.mp4": 2,
        "test/sit/sit.mp4": 0,
        "test/wave/wave.mp4": 1,
    }
    assert "labels follow it by name ('run': 0 here, 2 there)" in task.test_split.notes[-1]
    # Other classes stay as they are: load_weights refuses them.
    assert task_of(folder, ["sit", "wave", "jump"]).known_names == ("run", "sit", "wave")
    assert task_of(folder, []).known_names == ("run", "sit", "wave")
