"""A new set annotated frame by frame is one file and one registered function, from outside the package."""

from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine.run import build_inputs
from slowfast.engine.test import evaluate
from slowfast.models.build import build_model
from slowfast.tasks.build import build_task
from slowfast.tasks.localization import Localization
from slowfast.video.writing.writer import write_video

MODULE = """
import numpy as np

from slowfast.datasets.annotations.people.annotated_set import AnnotatedSet
from slowfast.datasets.annotations.people.key_frames import build_key_frames
from slowfast.datasets.clips.key_frame_clips import FrameClock
from slowfast.datasets.registry import register_dataset
from slowfast.datasets.sets.pixels import videos_or_cache
from slowfast.datasets.split import KeyFrameSplit
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap

LABELS = LabelMap((1, 2), ("sway", "stay"))


@register_dataset("swaying")
def build_swaying(cfg, split):
    frames = np.arange(1, 9, dtype=np.int32)
    table = BoxTable(
        videos=(split,),
        video=np.zeros(8, dtype=np.int32),
        timestamp=frames,
        boxes=np.tile([0.2, 0.2, 0.6, 0.9], (8, 1)),
        label=1 + frames % 2,
    )
    key_frames, _ = build_key_frames(table, LABELS, source="swaying")
    annotated = AnnotatedSet(key_frames, table, LABELS, LABELS, notes=(f"swaying {split}: 8 frames",))
    return KeyFrameSplit(annotated, videos_or_cache(cfg, cfg.DATA.PATH_PREFIX), FrameClock(), frame_by_frame=True)
"""


@pytest.fixture
def swaying(tmp_path: Path, repo_root: Path, monkeypatch):
    """The config of the toy model on the new set."""
    (tmp_path / "my_sets.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    rng = np.random.default_rng(0)
    for name in ("train", "test"):
        write_video(rng.integers(0, 255, (8, 64, 80, 3), dtype=np.uint8), tmp_path / f"{name}.mp4", 12)
    overrides = [
        *("MODEL.IMPORTS", "[my_sets]", "TRAIN.DATASET", "swaying", "TEST.DATASET", "swaying"),
        *("DATA.PATH_PREFIX", str(tmp_path), "DATA.CACHE_DIR", "", "DATA.FLIP_SWAPS", "[]", "DATA.NUM_FRAMES", "2"),
        *("MODEL.NUM_CLASSES", "0", "TEST.BATCH_SIZE", "4", "TRAIN.BATCH_SIZE", "4", "MVIT.DEPTH", "3"),
        *("MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2],[2,1,1,1]]"),
    ]
    return load_cfg(repo_root / "configs/Toy/BMViT_toy.yaml", overrides)  # the module stays: it has registered its set


def test_it_trains_tests_and_is_scored_by_its_own_rules(swaying):
    task = build_task(swaying)
    assert type(task) is Localization and task.cfg.MODEL.NUM_CLASSES == 2  # as its label map says
    assert task.class_names == ("sway", "stay")
    loader = task.train_loader()
    assert loader.steps == 2 and sum(len(batch) for batch in loader) == 8
    inputs = build_inputs(task, torch.device("cpu"))
    model = build_model(task.cfg)
    tested = evaluate(model, task.test_loader(), task.evaluator(), inputs=inputs, postprocess=task.postprocess())
    assert tested.clips == 8 and tested.result.headline.name == "mAP"
    assert tested.result.report()["convention"] == "frames every, voc_all_point AP, remaining matching"


def test_a_name_that_no_module_registers_lists_the_known_ones(swaying, repo_root):
    cfg = load_cfg(repo_root / "configs/Toy/BMViT_toy.yaml", ["MODEL.IMPORTS", "[my_sets]", "TEST.DATASET", "walking"])
    with pytest.raises(ValueError, match=r"TEST.DATASET 'walking' is not registered; known: \['ava', .*'swaying'"):
        build_task(cfg)
