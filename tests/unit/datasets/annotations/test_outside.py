"""Names that lead out of the folder of the videos are refused unless the config says so."""

import pytest

from slowfast.config.load import load_cfg
from slowfast.datasets.annotations.outside import leaves, refuse_outside
from slowfast.datasets.build import read_split
from tests.rules.sources import ROOT


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("a", False),
        ("a/b.mp4", False),
        ("a/../b", False),
        ("..b/c..", False),
        ("...", False),
        ("../a", True),
        ("a/../../b", True),
        ("..", True),
        ("/a", True),
        ("a\\..\\..\\b", True),
        ("\\\\host\\a", True),
        ("C:\\a", True),
        ("c:a", True),
    ],
)
def test_what_leaves(name, out):
    assert leaves(name) is out


def test_the_error_names_source_name_and_key():
    refuse_outside(["a", "b/c"], "kinetics, train")
    with pytest.raises(
        ValueError, match=r"kinetics, train: 2 names lead out .* '\.\./b.+nc'.* DATA\.NAMES_MAY_LEAVE True"
    ):
        refuse_outside(["a", "../b\nc", "/d"], "kinetics, train")


def test_a_list_of_videos(tmp_path):
    """Below DATA.PATH_PREFIX names stay; without it paths are taken as they are, as PySlowFast's lists have them."""
    (tmp_path / "train.csv").write_text("a.mp4 0\n/elsewhere/b.mp4 1\n")

    def names(*more: str) -> tuple[str, ...]:
        options = ["DATA.PATH_TO_DATA_DIR", str(tmp_path), "MODEL.NUM_CLASSES", "2", "DATA.LABEL_FILE", "", *more]
        return read_split(load_cfg(ROOT / "configs/Toy/MViT_toy_kinetics.yaml", options), "train").videos.names

    with pytest.raises(ValueError, match=r"kinetics, train: 1 names lead out of the folder .*'/elsewhere/b\.mp4'"):
        names("DATA.PATH_PREFIX", str(tmp_path))
    assert names("DATA.PATH_PREFIX", "") == ("a.mp4", "/elsewhere/b.mp4")
    assert names("DATA.PATH_PREFIX", str(tmp_path), "DATA.NAMES_MAY_LEAVE", "True") == ("a.mp4", "/elsewhere/b.mp4")


def test_frame_lists_of_key_frames(tmp_path):
    """The files of a frame list are names, too."""
    (tmp_path / "a.csv").write_text("v,0902,0.1,0.1,0.5,0.5,1\n")
    (tmp_path / "map.txt").write_text("1 run\n2 sit\n")
    options = [
        *("TRAIN.DATASET", "ava", "AVA.ANNOTATION_DIR", str(tmp_path), "AVA.TRAIN_GT_BOX_LISTS", "[a.csv]"),
        *("AVA.TRAIN_LABEL_MAP_FILE", "map.txt", "AVA.LABEL_MAP_FILE", "map.txt", "AVA.PIXELS", "frames"),
        *("AVA.FRAME_DIR", str(tmp_path), "AVA.FRAME_LIST_DIR", str(tmp_path), "AVA.TRAIN_LISTS", "[f.csv]"),
        *("AVA.VALID_SECONDS", "[]", "AVA.TRAIN_EXCLUSION_FILE", "", "MODEL.NUM_CLASSES", "0"),
    ]
    cfg = load_cfg(ROOT / "configs/Toy/BMViT_toy.yaml", options)
    header = "original_vido_id video_id frame_id path labels\n"
    (tmp_path / "f.csv").write_text(header + 'v 0 0 v/0.jpg ""\nv 0 1 v/1.jpg ""\n')
    assert read_split(cfg, "train").annotated.key_frames.used_videos == ("v",)
    (tmp_path / "f.csv").write_text(header + 'v 0 0 v/0.jpg ""\nv 0 1 v/../../1.jpg ""\n')
    with pytest.raises(ValueError, match=r"ava, train, frame lists: 1 names lead out .*'v/\.\./\.\./1\.jpg'"):
        read_split(cfg, "train")
