"""slowfast.tasks.build: which task a model is made for, and what fits no task."""

import pytest

from slowfast.config import load_cfg
from slowfast.tasks.build import build_task


def cfg_of(repo_root, name: str, *overrides: str):
    return load_cfg(repo_root / "configs" / name, list(overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("TEST.DATASET", "kinetics"),
            r"TEST.DATASET kinetics has labels of whole videos, and MODEL.MODEL_NAME BMViT needs",
        ),
        (
            ("MODEL.MODEL_NAME", "BMVit"),
            r"MODEL.MODEL_NAME 'BMVit' is not registered; known: \['BMViT', 'MViT', 'MaskMViT', 'TwoStage'",
        ),
        (
            ("MODEL.MODEL_NAME", "MViT", "TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", "a.pyth"),
            "needs labels of",
        ),
        (
            ("MODEL.MODEL_NAME", "MViT"),
            "TEST.DATASET ava has people on key frames, and MODEL.MODEL_NAME MViT needs labels",
        ),
        (
            ("MODEL.MODEL_NAME", "MViT", "TRAIN.ENABLE", "False", "TEST.DATASET", "kinetics"),
            r"TEST.CHECKPOINT_FILE_PATH \(''\) must name the weights to test",
        ),
        (("MODEL.MODEL_NAME", "TwoStage"), "name files in AVA.TEST_PREDICT_BOX_LISTS"),
    ],
)
def test_what_fits_no_task_says_why(repo_root, tmp_path, toy_annotations, overrides, message):
    (tmp_path / "test.csv").write_text("a.mp4 0\n")
    cfg = cfg_of(repo_root, "Toy/BMViT_toy.yaml", *toy_annotations, "DATA.PATH_TO_DATA_DIR", str(tmp_path), *overrides)
    with pytest.raises(ValueError, match=message):
        build_task(cfg)


@pytest.fixture
def toy_annotations(tmp_path) -> list[str]:
    """A data set in AVA's format without a readable video, which no task needs to be built."""
    folder = tmp_path / "annotations"
    folder.mkdir()
    for split in ("train", "val"):
        (folder / f"toy_{split}.csv").write_text("v,0001,0.1,0.1,0.5,0.5,1,0\n")
        (folder / f"toy_{split}_excluded_timestamps.csv").write_text("v,0009\n")
    (folder / "toy_action_list.pbtxt").write_text('item { name: "stand" id: 1 }\n')
    (tmp_path / "v.mp4").write_bytes(b"")
    return [
        *("AVA.ANNOTATION_DIR", str(folder), "AVA.VIDEO_DIR", str(tmp_path), "MODEL.NUM_CLASSES", "0"),
        *("DATA.FLIP_SWAPS", "[]", "DETECTION.BOXES", "proposals"),
    ]
