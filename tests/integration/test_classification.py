"""`tools/run_net.py` testing a classifier on several views of each video, and what it leaves."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.models.build import build_model

SMALL = [
    *("MODEL.MODEL_NAME", "MViT", "MODEL.NUM_CLASSES", "3", "TRAIN.ENABLE", "False", "TEST.DATASET", "kinetics"),
    *(
        "DATA.TRAIN_CROP_SIZE",
        "64",
        "DATA.TEST_CROP_SIZE",
        "64",
        "TEST.NUM_ENSEMBLE_VIEWS",
        "2",
        "TEST.NUM_SPATIAL_CROPS",
        "3",
    ),
]


@pytest.fixture
def classifier(toy_config: str, overrides: list[str], toy_data: Path, tmp_path: Path) -> list[str]:
    """Overrides for random weights, which load strictly, on a list of five toy videos and one that cannot be read."""
    torch.manual_seed(0)
    cfg = load_cfg(toy_config, [*overrides, *SMALL, "TEST.CHECKPOINT_FILE_PATH", "weights.pyth"])
    torch.save({"model_state": build_model(cfg).state_dict()}, tmp_path / "weights.pyth")
    names = sorted(path.name for path in (toy_data / "videos").iterdir())[:5]
    lines = [f"{name} {i % 3}" for i, name in enumerate(names)]
    (tmp_path / "test.csv").write_text("\n".join([*lines, "missing.mp4 1"]) + "\n")
    paths = ["DATA.PATH_TO_DATA_DIR", str(tmp_path), "DATA.PATH_PREFIX", str(toy_data / "videos")]
    return [*overrides, *SMALL, *paths, "TEST.CHECKPOINT_FILE_PATH", str(tmp_path / "weights.pyth")]


def without_the_loop(metrics: dict) -> dict:
    """metrics.json without what the test loop counted, and what made it, which no dump of scores can tell."""
    counted = {"clips", "clips_per_second", "repeated_frames", "unreadable_clips", "run"}
    assert counted <= set(metrics)
    return {name: value for name, value in metrics.items() if name not in counted}


def test_multi_view_test_and_everything_recomputed_from_its_dump(run_main, run_tool, toy_config, classifier, tmp_path):
    done = run_main("tools/run_net.py", "--cfg", toy_config, "--dump", "mine.npz", *classifier)
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert (metrics["num_videos"], metrics["views_per_video"]) == (6, 6)
    assert metrics["videos_without_views"] == ["missing.mp4"] and "missing.mp4" in done.stdout
    with np.load(tmp_path / "mine.npz") as dump:
        assert dump["scores"].shape == (6, 3) and dump["views"].tolist() == [6] * 5 + [0]
        np.testing.assert_allclose(dump["scores"][:5].sum(axis=1), 1, rtol=1e-5)
    run_main("tools/evaluate_scores.py", "mine.npz", "--json", "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == without_the_loop(metrics)

    two = [*classifier, "OUTPUT_DIR", str(tmp_path / "two")]
    run_tool("tools/run_net.py", "--cfg", toy_config, *two, processes=2)
    with np.load(tmp_path / "two/scores.npz") as shared, np.load(tmp_path / "mine.npz") as alone:
        # Each process runs smaller batches of views, so the network's own sums round otherwise.
        np.testing.assert_allclose(shared["scores"], alone["scores"], rtol=1e-5)
        assert shared["views"].tolist() == alone["views"].tolist()


def test_charades_from_frame_lists(run_main, toy_config, classifier, tmp_path):
    """Three videos as folders of frames, one without a frame: mAP of many labels, recomputed from the dump."""
    rng, rows = np.random.default_rng(0), ["original_vido_id video_id frame_id path labels"]
    for number, labels in enumerate(('"0,2"', '""', '"2"', '"1"')):
        (tmp_path / f"v{number}").mkdir()
        for k in range(9):
            rows.append(f"v{number} {number} {k} v{number}/{k}.png " + (labels if k == 4 else '""'))
            if number < 3:
                cv2.imwrite(str(tmp_path / f"v{number}/{k}.png"), rng.integers(0, 255, (70, 90, 3), np.uint8))
    (tmp_path / "val.csv").write_text("\n".join(rows) + "\n")
    change = ["TEST.DATASET", "charades", "DATA.PATH_PREFIX", str(tmp_path), "DATA.ENSEMBLE_METHOD", "max"]
    done = run_main("tools/run_net.py", "--cfg", toy_config, *classifier, *change, expect=1)
    assert "DATA.MULTI_LABEL (False) must be True on charades" in done.stderr
    run_main(
        "tools/run_net.py", "--cfg", toy_config, "--dump", "mine.npz", *classifier, *change, "DATA.MULTI_LABEL", "True"
    )
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["videos_without_views"] == ["v3"] and metrics["ensemble"] == "max_probabilities"
    with np.load(tmp_path / "mine.npz") as dump:
        scores, labels = np.nan_to_num(dump["scores"], nan=-1), dump["labels"]
        assert dump["names"].tolist() == ["v0", "v1", "v2", "v3"] and dump["views"].tolist() == [6, 6, 6, 0]
    assert labels.tolist() == [[True, False, True], [False] * 3, [False, False, True], [False, True, False]]
    assert metrics["mAP"] == pytest.approx(
        np.mean([sum_over_thresholds(s, y) for s, y in zip(scores.T, labels.T, strict=True)])
    )
    run_main("tools/evaluate_scores.py", "mine.npz", "--json", "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == without_the_loop(metrics)


def sum_over_thresholds(scores: np.ndarray, positive: np.ndarray) -> float:
    """Average precision as scikit-learn defines it: the sum of (R_n - R_(n-1)) P_n over the distinct scores."""
    recall, area = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        now = positive[chosen].sum() / positive.sum()
        area, recall = area + (now - recall) * positive[chosen].mean(), now
    return area


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["TRAIN.ENABLE", "True"], "set TRAIN.ENABLE False"),
        (["TEST.CHECKPOINT_FILE_PATH", ""], "TEST.CHECKPOINT_FILE_PATH ('') must name the weights"),
        (["DATA.PATH_TO_DATA_DIR", "nowhere"], "test.csv: no such file"),
        (["MODEL.NUM_CLASSES", "2", "MODEL.HEAD_REINIT", "True"], "class 2 is not one of 0 to 1"),
        (["DATA.STRICT", "True"], "missing.mp4"),
    ],
)
def test_what_cannot_run_says_why(run_main, toy_config, classifier, change, message):
    done = run_main("tools/run_net.py", "--cfg", toy_config, *classifier, *change, expect=1)
    assert message in done.stderr and "Traceback" not in done.stderr
