"""The system learns: one clip by heart, and on a recorded checkpoint it is time that tells the motions apart."""

import json
from pathlib import Path

import pytest
import torch

from slowfast.engine.run import run
from slowfast.structures.annotations.label_map import write_label_map
from slowfast.toy.data_set import (
    APPEARANCE_ACTIONS,
    MOTION_ACTIONS,
    TOY_ACTIONS,
    annotation_rows,
    is_held_out,
    video_name,
    video_scenes,
)
from slowfast.toy.demo import SEED, VIDEOS, Demo
from slowfast.toy.scene import FPS, render_scene
from slowfast.video.writing.writer import write_video
from tests.once import Once

RECORDED = Path(__file__).parents[1] / "golden/toy/bmvit_toy.pyth"
RECORDED_SECONDS = 8  # of each video, the default of make_toy_ava


def write_toy(root: Path, indices: list[int], *, seconds: int, seed: int) -> None:
    """The videos of `indices` and their annotations, as both splits."""
    rows = []
    for index in indices:
        scenes = video_scenes(index, seed=seed, seconds=seconds)
        write_video(
            (f for scene in scenes for f in render_scene(scene)), root / "videos" / f"{video_name(index)}.mp4", FPS
        )
        rows += annotation_rows(video_name(index), scenes)
    folder = root / "annotations"
    folder.mkdir(parents=True)
    for split in ("train", "val"):
        (folder / f"toy_{split}.csv").write_text("\n".join(rows) + "\n")
        (folder / f"toy_{split}_excluded_timestamps.csv").write_text(f"{video_name(indices[0])},0000\n")
    write_label_map(TOY_ACTIONS, folder / "toy_action_list.pbtxt")


def where(root: Path, out: Path) -> list[str]:
    return [
        *("OUTPUT_DIR", str(out), "DATA.CACHE_DIR", str(out / "cache"), "TENSORBOARD.ENABLE", "False"),
        *(
            "AVA.VIDEO_DIR",
            str(root / "videos"),
            "AVA.ANNOTATION_DIR",
            str(root / "annotations"),
            "TEST.REPORT",
            "False",
        ),
    ]


def test_one_clip_is_learned_by_heart(toy_config, tmp_path):
    from slowfast.config import load_cfg

    write_toy(tmp_path, [3], seconds=2, seed=5)
    people = {tuple(row.split(",")[2:6]) for row in (tmp_path / "annotations/toy_val.csv").read_text().splitlines()}
    assert len(people) >= 2, "choose a seed with at least two people: one is too easy"
    cfg = load_cfg(
        toy_config,
        [
            *where(tmp_path, tmp_path / "run"),
            *(
                "TRAIN.BATCH_SIZE",
                "1",
                "SOLVER.MAX_EPOCH",
                "150",
                "TRAIN.EVAL_PERIOD",
                "150",
                "TRAIN.CHECKPOINT_PERIOD",
                "150",
            ),
            *("DATA.CROP", "none", "DATA.RANDOM_FLIP", "False", "DATA.COLOR_JITTER", "0", "MVIT.DROPPATH_RATE", "0"),
            *("MVIT.EMBED_DIM", "24", "MVIT.DEPTH", "3", "MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2],[2,1,1,1]]"),
        ],
    )
    run(cfg, torch.device("cpu"))
    assert json.loads((tmp_path / "run/metrics.json").read_text())["mAP"] == 1.0


@pytest.fixture(scope="module")
def controls(once: Once, repo_root: Path) -> dict[str, dict[str, float]]:
    """The table that `make demo` prints, for the recorded checkpoint on the demo's held-out videos."""

    def build(folder: Path) -> None:
        held_out = [index for index in range(VIDEOS) if is_held_out(index, VIDEOS)]
        write_toy(folder, held_out, seconds=RECORDED_SECONDS, seed=SEED)
        demo = Demo(repo_root / "configs/Toy/BMViT_toy.yaml", where(folder, folder / "out"), folder / "out")
        (folder / "out").mkdir()
        demo.ask_whether_it_uses_time(RECORDED)
        (folder / "table.json").write_text(json.dumps(demo.table))

    return json.loads((once.folder("recorded", build) / "table.json").read_text())


def test_the_recorded_demo_learned_every_action_without_nms(controls):
    assert controls["forward"]["mAP"] >= 0.9
    for action in (*MOTION_ACTIONS, *APPEARANCE_ACTIONS):
        assert controls["forward"][f"AP/{action}"] > 0.8, action


def test_played_backwards_the_walking_directions_are_lost(controls):
    for action in ("walk left", "walk right"):
        assert controls["forward"][f"AP/{action}"] > 0.6
        assert controls["reversed"][f"AP/{action}"] < 0.15


def test_a_frozen_frame_leaves_motion_to_chance_and_appearance_untouched(controls):
    for action in MOTION_ACTIONS:
        assert controls["frozen"][f"AP/{action}"] < controls["chance"][f"AP/{action}"] + 0.15
        assert controls["frozen"][f"AP/{action}"] < 0.25 * controls["forward"][f"AP/{action}"]
    for action in APPEARANCE_ACTIONS:
        assert controls["frozen"][f"AP/{action}"] > controls["forward"][f"AP/{action}"] - 0.1
