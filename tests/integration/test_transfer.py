"""From one set to the next, as docs/MODEL_ZOO.md tells: what each step's log says, and that the weights arrive.

Networks are shrunk and learn nothing (SOLVER.BASE_LR 0), so that the checkpoint of a step holds what it started from.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from slowfast.config import load_cfg
from slowfast.models.build import build_model
from tests.integration.small_classifiers import SMALL, data_of, records
from tests.rules.sources import ROOT
from tests.unit.models.foreign_names import maskfeat_pretraining, split_qkv

STILL = ["SOLVER.BASE_LR", "0", "TEST.ENABLE", "False"]
AVA = [
    *("AVA.TRAIN_GT_BOX_LISTS", "[toy_train.csv]", "AVA.GROUNDTRUTH_FILE", "toy_val.csv"),
    *("AVA.TRAIN_EXCLUSION_FILE", "toy_train_excluded_timestamps.csv"),
    *("AVA.EXCLUSION_FILE", "toy_val_excluded_timestamps.csv"),
    *("AVA.LABEL_MAP_FILE", "toy_action_list.pbtxt", "AVA.TRAIN_LABEL_MAP_FILE", "toy_action_list.pbtxt"),
    *("AVA.FIRST_SECOND", "0", "AVA.VALID_SECONDS", "[1,100000]", "DATA.NUM_FRAMES", "4"),
]


@pytest.fixture
def step(run_main, tmp_path) -> Callable[..., str]:
    """(config, name, overrides) -> what was printed; the run is left in tmp_path/name."""

    def run(config: str, name: str, *overrides: str) -> str:
        arguments = ["--cfg", str(ROOT / "configs" / config), "OUTPUT_DIR", name, *SMALL, *STILL, *overrides]
        return run_main("tools/run_net.py", *arguments).stdout

    return run


def start_from(weights: str) -> list[str]:
    return ["TRAIN.CHECKPOINT_FILE_PATH", weights]


def weights_of(run: Path) -> dict[str, Tensor]:
    return torch.load(run / "checkpoints/best.pyth", weights_only=True)["model_state"]


def line(log: str, title: str) -> int:
    """How many parameters the table of a log counts under a title."""
    return next(int(row.split()[-1]) for row in log.splitlines() if row.strip().startswith(title))


def test_images_to_kinetics_to_ssv2_to_bmvit(step, small_sets, toy_data, tmp_path):
    step("ImageNet/MVITv2_S.yaml", "in1k", *data_of(ROOT / "configs/ImageNet/MVITv2_S.yaml", small_sets))
    images = weights_of(tmp_path / "in1k")
    three_classes = [*data_of(ROOT / "configs/Kinetics/MVITv2_S_16x4.yaml", small_sets), "MODEL.NUM_CLASSES", "3"]

    log = step(
        "Kinetics/MVITv2_S_16x4.yaml",
        "k400",
        *three_classes,
        *start_from("in1k/checkpoints/best.pyth"),
        *("MODEL.HEAD_REINIT", "True"),
    )
    assert "patch_embed.proj.weight: 8x3x7x7 -> 8x3x3x7x7 (central slice)" in log
    assert "attn.rel_pos_t: zeros; an image model has no time" in log
    assert "cls_token: this image model has no class token" in log
    assert "head.projection.{weight,bias}: 2 classes in the file, 3 in the model; MODEL.HEAD_REINIT is True" in log
    clips = weights_of(tmp_path / "k400")
    assert (line(log, "loaded"), line(log, "started")) == (len(clips) - 5, 5)
    kernel = clips["patch_embed.proj.weight"]
    assert torch.equal(kernel[:, :, 1], images["patch_embed.proj.weight"].view_as(kernel[:, :, 1]))
    assert kernel[:, :, [0, 2]].abs().max() == 0 and clips["blocks.1.attn.rel_pos_t"].abs().max() == 0
    assert torch.equal(clips["blocks.1.attn.qkv.weight"], images["blocks.1.attn.qkv.weight"])

    log = step(
        "SSv2/MVITv2_S_16x4.yaml",
        "ssv2",
        *data_of(ROOT / "configs/SSv2/MVITv2_S_16x4.yaml", small_sets),
        *start_from("k400/checkpoints/best.pyth"),
        *("MODEL.HEAD_REINIT", "True"),
    )
    assert (line(log, "loaded"), line(log, "resized"), line(log, "started")) == (len(clips) - 2, 0, 2)
    assert "head.projection.{weight,bias}: 3 classes in the file, 2 in the model; MODEL.HEAD_REINIT is True" in log
    actions = weights_of(tmp_path / "ssv2")
    same = {name for name, value in clips.items() if value.shape == actions[name].shape and value.equal(actions[name])}
    assert set(clips) - same == {"head.projection.weight", "head.projection.bias"}

    folders = ["AVA.VIDEO_DIR", str(toy_data / "videos"), "AVA.ANNOTATION_DIR", str(toy_data / "annotations")]
    larger = ["DATA.TRAIN_CROP_SIZE", "48", "DATA.TEST_CROP_SIZE", "48", "TRAIN.BATCH_SIZE", "12"]
    log = step("AVA/BMViT_S.yaml", "ava", *AVA, *folders, *larger, *start_from("ssv2/checkpoints/best.pyth"))
    assert "head.projection.{weight,bias}: the classifier; this model has heads of its own" in log
    assert "attn.{rel_pos_h,rel_pos_w}: 15x8 -> 23x8 (linear)" in log
    assert "heads.box.{0,2,4}.{weight,bias}: a new head; the file is not of a detector" in log
    assert (line(log, "loaded"), line(log, "dropped"), line(log, "started")) == (len(clips) - 2, 2, 18)
    people = weights_of(tmp_path / "ava")
    changed = {name for name, value in people.items() if not is_in(actions, name.removeprefix("backbone."), value)}
    assert {name.split(".")[0] for name in changed} == {"heads", "backbone"}
    assert {name.split(".")[-1] for name in changed if name.startswith("backbone")} == {"rel_pos_h", "rel_pos_w"}


def is_in(state: dict[str, Tensor], name: str, value: Tensor) -> bool:
    return name in state and state[name].shape == value.shape and torch.equal(state[name], value)


def test_a_classifier_in_place_of_one_of_other_classes_is_asked_for(run_main, small_sets, tmp_path):
    """Without MODEL.HEAD_REINIT nothing is loaded, and the text says how."""
    config = ROOT / "configs/Kinetics/MVITv2_S_16x4.yaml"
    overrides = [*SMALL, *data_of(config, small_sets)]
    model = build_model(load_cfg(config, [*overrides, "MODEL.NUM_CLASSES", "3"]))
    torch.save({"model_state": model.state_dict()}, tmp_path / "three.pyth")
    arguments = [*overrides, *start_from("three.pyth"), "OUTPUT_DIR", "run"]
    done = run_main("tools/run_net.py", "--cfg", str(config), *arguments, expect=1)
    assert "head.projection.{weight,bias}: 3 classes in the file, 2 in the model" in done.stderr
    assert "To train a new classifier in its place, set MODEL.HEAD_REINIT True." in done.stderr


@pytest.mark.parametrize("separate", [True, False], ids=["as in the file", "joined"])
def test_fine_tuning_after_maskfeat(step, small_sets, tmp_path, separate):
    """A pre-training file under PySlowFast's names, with three projections; mean pooling, layer decay 0.75."""
    config = ROOT / "configs/Kinetics/MVITv2_S_16x4_MaskFeat_FT.yaml"
    overrides = [*SMALL, *data_of(config, small_sets), "MVIT.SEPARATE_QKV", str(separate)]
    torch.manual_seed(5)
    source = build_model(load_cfg(config, overrides)).state_dict()
    body = {name: value for name, value in source.items() if not name.startswith(("head.", "norm."))}
    body |= {"mask_token": torch.zeros(1, 1, 8), "pred_head.projections.0.weight": torch.zeros(4, 8)}
    published = maskfeat_pretraining(body if separate else split_qkv(body))
    torch.save({"model_state": published}, tmp_path / "maskfeat.pyth")

    log = step(
        "Kinetics/MVITv2_S_16x4_MaskFeat_FT.yaml",
        "ft",
        *data_of(config, small_sets),
        *("MVIT.SEPARATE_QKV", str(separate)),
        *start_from("maskfeat.pyth"),
    )
    assert "names of PySlowFast pre-training" in log
    assert "mask_token: part of the masked pre-training only" in log
    assert "head.projection.{weight,bias}: a masked pre-training has none" in log
    assert ("blocks.N.attn.q.weight + blocks.N.attn.k.weight" in log) is not separate
    tuned = weights_of(tmp_path / "ft")
    other = {name for name, value in source.items() if not torch.equal(value, tuned[name])}
    assert set(source) - other >= {name for name in source if name.startswith("blocks.")}
    assert "head.projection.weight" in other
    assert tuned["head.projection.weight"].std() < 1e-4  # MVIT.HEAD_INIT_SCALE 0.001 of 0.02
    groups = records(tmp_path / "ft", "train")[0]["lr"]
    assert {name.split(",")[0] for name in groups} == {
        *("backbone x0.421875", "backbone x0.5625", "backbone x0.75", "backbone x1", "heads x1")
    }


@pytest.fixture
def own_clips(small_sets, tmp_path) -> Path:
    """clips/CLASS/VIDEO.mp4 of three classes, two of each."""
    for label in ("clap", "golf", "jump"):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for i in range(2):
            shutil.copy(small_sets / f"videos/clip {i}.mp4", tmp_path / "clips" / label)
    return tmp_path / "clips"


def test_own_clips_from_a_published_checkpoint(step, own_clips, tmp_path):
    """README's second command: the data set is a folder, its classes are counted, and only the classifier is new."""
    config, two = "Kinetics/MVITv2_S_16x4.yaml", ["MODEL.NUM_CLASSES", "2", "DATA.NUM_FRAMES", "4"]
    published = build_model(load_cfg(ROOT / "configs" / config, [*SMALL, *two])).state_dict()
    torch.save({"model_state": published}, tmp_path / "k400.pyth")
    folder = [
        "TRAIN.DATASET",
        "folder",
        "TEST.DATASET",
        "folder",
        "DATA.PATH_TO_DATA_DIR",
        "clips",
        "DATA.NUM_FRAMES",
        "4",
    ]
    log = step(config, "own", *folder, *start_from("k400.pyth"), "MODEL.HEAD_REINIT", "True")
    assert "folder (train): 3 videos, 3 classes" in log
    assert "clips: 3 of 6 videos are held out for val and test (DATA.HELD_OUT 0.2)" in log
    assert "head.projection.{weight,bias}: 2 classes in the file, 3 in the model; MODEL.HEAD_REINIT is True" in log
    assert (line(log, "loaded"), line(log, "started")) == (len(published) - 2, 2)
    mine = weights_of(tmp_path / "own")
    assert all(is_in(published, name, value) for name, value in mine.items() if not name.startswith("head."))
    assert mine["head.projection.weight"].shape[0] == 3


def test_own_clips_from_nothing_and_on(run_main, own_clips, tmp_path):
    """README's first command, with the network that it ships on smaller crops; the same command goes on."""
    short = [
        "SOLVER.MAX_EPOCH",
        "1",
        "SOLVER.WARMUP_EPOCHS",
        "0.5",
        "TRAIN.BATCH_SIZE",
        "3",
        "TENSORBOARD.ENABLE",
        "False",
    ]
    small = ["DATA.TRAIN_CROP_SIZE", "32", "DATA.TEST_CROP_SIZE", "32", "DATA.TRAIN_JITTER_SCALES", "[36,40]", *short]
    config = str(ROOT / "configs/Folder/MViTv2_small.yaml")
    command = ["tools/run_net.py", "--cfg", config, "DATA.PATH_TO_DATA_DIR", str(own_clips), *small]
    run_main(*command)
    run = tmp_path / "runs/folder"
    assert (run / "report.html").is_file()
    assert (run / "per_class.csv").read_text().count("\n") == 4
    saved = torch.load(run / "checkpoints/best.pyth", weights_only=True)
    assert saved["class_names"] == ["clap", "golf", "jump"]
    longer = ("SOLVER.MAX_EPOCH", "2", "CHANGED_ON_PURPOSE", "[SOLVER.MAX_EPOCH]")
    again = run_main(*command, *longer, "TEST.ENABLE", "False").stdout
    assert "going on after epoch 1 from runs/folder/checkpoints/checkpoint_epoch_00001.pyth" in again
