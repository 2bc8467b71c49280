"""slowfast.datasets.prepared: a training of any data set compares prepared videos with their records, through read_split."""

import gzip
import json
import pickle

import numpy as np
import pytest

from slowfast.config import get_cfg
from slowfast.datasets.build import read_split
from slowfast.datasets.prepared import folder_of
from slowfast.video.pictures.frames import FRAME_LIST_HEADER
from slowfast.video.reader import VideoFiles
from slowfast.video.stored.cache import CachedVideos
from slowfast.video.stored.manifest import VideoRecord, write_record

BYTES = b"a film"


def prepare(folder, name, *, mode="encode", window=None, file="") -> None:
    """A video of a few bytes and its record; reading a split opens none."""
    path = folder / (file or f"{name}.mp4")
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "frames":
        path.mkdir(exist_ok=True)
    else:
        path.write_bytes(BYTES)
    start = 0.0 if window is None else window[0]
    done = {"mode": mode, "window": window}
    size = 0 if mode == "frames" else len(BYTES)
    write_record(
        VideoRecord(
            name, path.relative_to(folder).as_posix(), "m", 1, 1, done, start, 9, 30, 1, 8, 8, "h264", size, "", ""
        ),
        folder,
    )


def jhmdb(folder, **options):
    """One clip of training; the other part is that of the test."""
    prepare(folder, "run/a", **options)
    rows = "run/a,run,1,1,1,4,4\nsit/b,sit,1,1,1,4,4\n"
    (folder / "jhmdb21_boxes.csv.gz").write_bytes(gzip.compress(f"video,label,frame,x1,y1,x2,y2\n{rows}".encode()))
    splits = "run/a,1,8,8,train,train,train\nsit/b,1,8,8,test,test,test\n"
    (folder / "jhmdb21_videos.csv").write_text(f"video,frames,height,width,split1,split2,split3\n{splits}")
    return ["JHMDB.VIDEO_DIR", str(folder), "JHMDB.ANNOTATION_DIR", str(folder)]


def ucf24(folder, **options):
    prepare(folder, "run/a", **options)
    box = np.array([[1, 1, 1, 4, 4]], dtype=np.float64)
    content = {
        "labels": ["run", "sit"],
        "gttubes": {"run/a": {0: [box]}},
        "nframes": {"run/a": 1},
        "resolution": {"run/a": (8, 8)},
        "train_videos": [["run/a"]],
        "test_videos": [[]],
    }
    (folder / "gt.pkl").write_bytes(pickle.dumps(content))
    return ["UCF24.VIDEO_DIR", str(folder), "UCF24.ANNOTATION_FILE", str(folder / "gt.pkl")]


def ssv2(folder, **options):
    prepare(folder, "7", file="7.webm", **options)
    (folder / "labels.json").write_text('{"Closing something": "0"}')
    (folder / "train.json").write_text(json.dumps([{"id": "7", "template": "Closing [something]"}]))
    return ["DATA.PATH_TO_DATA_DIR", str(folder), "DATA.PATH_PREFIX", str(folder)]


def kinetics(folder, **options):
    prepare(folder, "run/a b", **options)
    (folder / "train.csv").write_text("run/a b.mp4 0\n")
    return ["DATA.PATH_TO_DATA_DIR", str(folder), "DATA.PATH_PREFIX", str(folder)]


def charades(folder, **options):
    prepare(folder, "v", mode="frames", file="v")
    (folder / "train.csv").write_text(f'{FRAME_LIST_HEADER}\nv 0 0 v/0.jpg "1"\n')
    more = ["MODEL.NUM_CLASSES", "2", "DATA.MULTI_LABEL", "True"]
    return ["DATA.PATH_TO_DATA_DIR", str(folder), "DATA.PATH_PREFIX", str(folder), *more]


def folder(folder, **options):
    prepare(folder, "train/run/a", **options)
    prepare(folder, "train/sit/b", **options)
    return ["DATA.PATH_TO_DATA_DIR", str(folder)]


def jhmdb_videos(folder, **options):
    return jhmdb(folder, **options)


SETS = {make.__name__: make for make in (jhmdb, ucf24, ssv2, kinetics, folder, jhmdb_videos, charades)}


def read(name, keys):
    cfg = get_cfg()
    cfg.TRAIN.DATASET = cfg.TEST.DATASET = name
    cfg.merge_from_list(keys)
    found = read_split(cfg, "train")
    return found.annotated.notes if hasattr(found, "annotated") else found.notes


@pytest.mark.parametrize("name", SETS)
def test_every_set_is_compared_with_its_records(name, tmp_path):
    keys = SETS[name](tmp_path)
    count = 2 if name == "folder" else 1
    assert f"{tmp_path}: {count} of {count} videos are as they were prepared" in read(name, keys)
    if name == "charades":
        return  # frames are files of their own, each whole or not there
    (changed, *_) = [path for path in tmp_path.rglob("*") if path.suffix in (".mp4", ".webm")]
    changed.write_bytes(b"cut")
    with pytest.raises(ValueError, match=rf"{changed.name} has 3 bytes, and had 6 .*prepare them again"):
        read(name, keys)


@pytest.mark.parametrize("name", ["jhmdb", "ucf24"])
def test_annotations_that_count_frames_refuse_a_window(name, tmp_path):
    keys = SETS[name](tmp_path, window=[2, 4])
    with pytest.raises(
        ValueError, match=r"1 videos are a window of their movies \(such as run/a\.mp4, from second 2 on\)"
    ):
        read(name, keys)
    assert read(
        "jhmdb_videos", jhmdb_videos(tmp_path, window=[2, 4])
    )  # labels are of the whole clip, whatever it shows


def test_a_set_that_was_not_prepared_says_nothing(tmp_path):
    keys = kinetics(tmp_path)
    for path in sorted((tmp_path / ".manifest").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (tmp_path / ".manifest").rmdir()
    assert read("kinetics", keys) == ()


def test_whose_folder_it_is(tmp_path):
    files = VideoFiles(tmp_path)
    assert folder_of(files) == folder_of(CachedVideos(files, tmp_path / "cache")) == tmp_path
    assert folder_of(object()) is None
