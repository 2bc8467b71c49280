"""What a user of classifiers may get wrong: exit code 1, a text with value, rule and key, and nothing written."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.models.build import build_model
from slowfast.video.writing.writer import write_video
from tests.integration.small_classifiers import SMALL, data_of
from tests.rules.sources import ROOT

CONFIGS = {
    name: ROOT / f"configs/{name}/MVITv2_S{'' if name == 'ImageNet' else '_16x4'}.yaml"
    for name in ("Kinetics", "SSv2", "ImageNet")
}
FOLDER = ["TRAIN.DATASET", "folder", "TEST.DATASET", "folder", "MODEL.NUM_CLASSES", "0", "DATA.PATH_TO_DATA_DIR"]


def lists(**files: str) -> list[str]:
    """`lists/` beside the run, with a training and a test list of the small videos unless given."""
    Path("lists").mkdir()
    usual = {"train": "clip 0.mp4 0\nclip 1.mp4 1\n", "test": "clip 2.mp4 0\nclip 3.mp4 1\n"}
    for split, text in (usual | files).items():
        Path(f"lists/{split}.csv").write_text(text)
    return ["DATA.PATH_TO_DATA_DIR", "lists"]


def ssv2(sets: Path, name: str, content: object) -> list[str]:
    shutil.copytree(sets / "ssv2", "ssv2")
    Path(f"ssv2/{name}.json").write_text(json.dumps(content))
    return ["DATA.PATH_TO_DATA_DIR", "ssv2"]


def classes(*files: str, source: Path) -> str:
    """A folder with one copy of `source` at each of these places."""
    for file in files:
        Path("clips", file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, Path("clips", file))
    return "clips"


def videos(frames: int | None) -> list[str]:
    """The videos of the lists with so many frames each, or four files that are none."""
    for i in range(4):
        Path("videos").mkdir(exist_ok=True)
        if frames is None:
            Path(f"videos/clip {i}.mp4").write_bytes(b"no video")
        else:
            write_video(np.full((frames, 48, 64, 3), 40 * i, dtype=np.uint8), Path(f"videos/clip {i}.mp4"), fps=25)
    return ["DATA.PATH_PREFIX", "videos"]


VIDEO, IMAGE = "videos/clip 0.mp4", "images/train/n01/0.jpg"
CASES = {
    "a label outside": (
        "Kinetics",
        lambda sets: lists(train="a.mp4 0\nb.mp4 7\n"),
        "train.csv:2: class 7 is not one of 0 to 1 (MODEL.NUM_CLASSES)",
    ),
    "an empty list": ("Kinetics", lambda sets: lists(train="\n"), "train.csv: lists no video (DATA.PATH_TO_DATA_DIR)"),
    "no list": (
        "Kinetics",
        lambda sets: ["DATA.PATH_TO_DATA_DIR", "nowhere"],
        "nowhere/test.csv: no such file, and no val.csv beside it (DATA.PATH_TO_DATA_DIR)",
    ),
    "images in a list": (
        "Kinetics",
        lambda sets: lists(train="a.jpg 0\n"),
        "train.csv:1: 'a.jpg' is an image, and this list is of videos",
    ),
    "fewer videos than a step": (
        "Kinetics",
        lambda sets: ["TRAIN.BATCH_SIZE", "8"],
        "the training set has 4 videos, fewer than TRAIN.BATCH_SIZE (8)",
    ),
    "another folder of videos": (
        "Kinetics",
        lambda sets: ["DATA.PATH_PREFIX", "nowhere"],
        "none of the 4 videos can be read; the first: cannot read nowhere/clip 0.mp4: no such file",
    ),
    "no videos at all": (
        "Kinetics",
        lambda sets: videos(None),
        "none of the 4 videos can be read; the first: cannot read videos/clip 0.mp4: it is no video of a format that FFmpeg knows",
    ),
    "videos of one frame": (
        "Kinetics",
        lambda sets: videos(1),
        "the 4 videos that were opened have 1 frame each, and a clip needs 2 or more",
    ),
    "one class": (
        "Kinetics",
        lambda sets: [*FOLDER, classes("jump/a.mp4", "jump/b.mp4", source=sets / VIDEO)],
        "clips has one class folder, 'jump', and a classifier needs at least 2: DATA.PATH_TO_DATA_DIR",
    ),
    "images for videos": (
        "Kinetics",
        lambda sets: [*FOLDER, str(sets / "images")],
        "holds images (n01/0.jpg) and no videos: TRAIN.DATASET and TEST.DATASET imagenet",
    ),
    "videos for images": (
        "ImageNet",
        lambda sets: ["DATA.PATH_TO_DATA_DIR", classes("train/a/a.mp4", "val/a/b.mp4", source=sets / VIDEO)],
        "clips/val holds videos (a/b.mp4) and no images: TRAIN.DATASET and TEST.DATASET folder",
    ),
    "mixup of one": (
        "Kinetics",
        lambda sets: ["TRAIN.BATCH_SIZE", "1"],
        "TRAIN.BATCH_SIZE (1) must be divisible by 2: MIXUP.ENABLE mixes videos in pairs",
    ),
    "no sample": (
        "Kinetics",
        lambda sets: ["AUG.NUM_SAMPLE", "0"],
        "AUG.NUM_SAMPLE (0) must be at least 1 (command line)",
    ),
    "videos of another JSON": (
        "SSv2",
        lambda sets: ssv2(sets, "train", {"videos": [1]}),
        '"template": "Holding [something]"} as of SSv2, found an object that starts {"videos": [1]} (DATA.PATH_TO_DATA_DIR)',
    ),
    "rows of another JSON": (
        "SSv2",
        lambda sets: ssv2(sets, "train", [{"file": 3}]),
        'train.json: entry 1: expected a list of {"id"',
    ),
    "classes of another JSON": (
        "SSv2",
        lambda sets: ssv2(sets, "labels", ["a", "b"]),
        'labels.json: expected an object {"TEMPLATE": "INDEX"} as of SSv2, found a list that starts ["a", "b"] (DATA.PATH_TO_DATA_DIR)',
    ),
    "a crop that does not fit": (
        "SSv2",
        lambda sets: ["DATA.TRAIN_JITTER_SCALES", "[20,24]"],
        "a crop of 32 pixels does not fit in a short side of 20: raise DATA.TRAIN_JITTER_SCALES, or lower DATA.TRAIN_CROP_SIZE",
    ),
    "a test crop that does not fit": (
        "Kinetics",
        lambda sets: ["DATA.TRAIN_JITTER_SCALES", "[20,24]"],
        "a crop of 32 pixels (DATA.TEST_CROP_SIZE) does not fit in a short side of 20: raise DATA.TRAIN_JITTER_SCALES",
    ),
    "another policy": (
        "Kinetics",
        lambda sets: ["AUG.AA_TYPE", "augmix-m3"],
        "'augmix' in 'augmix-m3': the name must begin with 'rand' (AUG.AA_TYPE)",
    ),
    "a magnitude above 10": (
        "Kinetics",
        lambda sets: ["AUG.AA_TYPE", "rand-m12"],
        "'m12' in 'rand-m12': it is the magnitude, a whole number from 0 to 10 (AUG.AA_TYPE)",
    ),
    "no weights": (
        "Kinetics",
        lambda sets: ["TRAIN.CHECKPOINT_FILE_PATH", "no.pyth"],
        "TRAIN.CHECKPOINT_FILE_PATH: weights no.pyth do not exist",
    ),
    "no weights to test": (
        "Kinetics",
        lambda sets: ["TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", "no.pyth"],
        "TEST.CHECKPOINT_FILE_PATH: weights no.pyth do not exist",
    ),
}


@pytest.fixture
def refused(run_main, tmp_path, monkeypatch):
    """Run it, see it refused with a text, and see that nothing on disk has changed."""
    monkeypatch.chdir(tmp_path)

    def run(config: Path, arguments: list[str]) -> str:
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        done = run_main("tools/run_net.py", "--cfg", str(config), *arguments, "OUTPUT_DIR", "run", expect=1)
        assert "Traceback" not in done.stderr and not Path("run").exists()
        assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        return done.stderr

    return run


@pytest.mark.parametrize(("recipe", "change", "message"), CASES.values(), ids=CASES.keys())
def test_it_is_refused_before_anything_is_written(refused, small_sets, recipe, change, message):
    config = CONFIGS[recipe]
    assert message in refused(config, [*SMALL, *data_of(config, small_sets), *change(small_sets)])


def save_model(config: Path | str, overrides: list[str], path: str) -> None:
    torch.save({"model_state": build_model(load_cfg(config, overrides)).state_dict()}, path)


def test_a_detector_is_not_tested_as_a_classifier(refused, small_sets):
    kinetics = [*SMALL, *data_of(CONFIGS["Kinetics"], small_sets)]
    detector = [*kinetics, *("MODEL.MODEL_NAME", "BMViT", "TRAIN.ENABLE", "False", "TEST.ENABLE", "False")]
    save_model(CONFIGS["Kinetics"], detector, "detector.pyth")
    test = ["TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", "detector.pyth"]
    text = refused(CONFIGS["Kinetics"], [*kinetics, *test])
    assert "TEST.CHECKPOINT_FILE_PATH: detector.pyth does not fit the model; nothing was loaded" in text
    assert "heads.actor.{0,2,4}.{weight,bias}" in text and "It is a file of a detector: MODEL.MODEL_NAME BMViT" in text


def test_a_classifier_is_not_tested_as_a_detector(refused, toy_config, on_toy_data):
    """Its backbone fits; the heads would be tested as they were drawn."""
    save_model(toy_config, [*on_toy_data, "MODEL.MODEL_NAME", "MViT"], "classifier.pyth")
    text = refused(toy_config, [*on_toy_data, "TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", "classifier.pyth"])
    assert (
        "TEST.CHECKPOINT_FILE_PATH: classifier.pyth holds no weights for 18 parameters of MODEL.MODEL_NAME BMViT"
        in text
    )
    assert (
        "would be tested untrained" in text and "TRAIN.ENABLE True TRAIN.CHECKPOINT_FILE_PATH classifier.pyth" in text
    )


def test_lists_that_share_videos_are_told_of(run_main, small_sets, tmp_path, monkeypatch):
    """A list of the wrong split trains and tests well, and too well."""
    monkeypatch.chdir(tmp_path)
    config = CONFIGS["Kinetics"]
    arguments = [*SMALL, *data_of(config, small_sets), *lists(val="clip 1.mp4 1\nclip 2.mp4 0\n")]
    done = run_main("tools/run_net.py", "--cfg", str(config), "OUTPUT_DIR", "run", *arguments, "TEST.ENABLE", "False")
    assert (
        "1 of 2 validation videos are in the training list of 2, too: 'clip 1.mp4' (DATA.PATH_TO_DATA_DIR)"
        in done.stdout
    )
    assert "test videos are in" not in done.stdout
