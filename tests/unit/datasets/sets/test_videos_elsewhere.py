"""Every set of videos goes through the one door, so that its folder may be a URL or shards."""

import ast

import numpy as np
import pytest

from slowfast.config import load_cfg
from slowfast.datasets.build import read_split
from slowfast.preparation.movies.all_movies import movies_below
from slowfast.preparation.movies.shards import write_shards
from slowfast.video.pictures.frames import FrameFolders
from slowfast.video.reader import VideoFiles
from slowfast.video.remote.remote_videos import RemoteVideos
from slowfast.video.shards.sharded_videos import LocalShards
from tests.rules.sources import name_of, python_files, tree_of
from tests.unit.video.video_maker import write_video


@pytest.fixture
def lists(tmp_path):
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos/a.mp4", frames=20, fps=10)
    (tmp_path / "train.csv").write_text("a.mp4 0\n")
    (tmp_path / "empty.yaml").write_text("")
    return tmp_path


def test_a_list_of_videos_elsewhere(lists):
    write_shards(movies_below([lists / "videos"]), lists / "shards", shard_bytes=10**9)
    local = VideoFiles(lists / "videos", threads=1).read_positions("a.mp4", np.array([3, 7]))
    for root, kind in (
        ((lists / "videos").as_uri(), RemoteVideos),
        (f"{lists}/shards/shard-000000.tar", LocalShards),
    ):
        keys = ["TRAIN.DATASET", "kinetics", "DATA.PATH_TO_DATA_DIR", str(lists), "DATA.PATH_PREFIX", root]
        cfg = load_cfg(
            lists / "empty.yaml", [*keys, "DATA.REMOTE_CACHE_DIR", str(lists / "kept"), "MODEL.NUM_CLASSES", "2"]
        )
        split = read_split(cfg, "train")
        assert isinstance(split.pixels, kind) and split.pixels.threads == 1
        np.testing.assert_array_equal(split.pixels.read_positions("a.mp4", np.array([3, 7])), local)


def test_frames_are_not():
    with pytest.raises(ValueError, match=r"^s3://b/f: folders of frames are read from a disk of this machine"):
        FrameFolders("s3://b/f", fps=30)


def test_no_set_has_a_door_of_its_own():
    calls = [
        name_of(path)
        for path in python_files("slowfast/datasets")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("VideoFiles", "RemoteVideos", "LocalShards")
    ]
    assert calls == []
