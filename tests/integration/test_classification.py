"""`tools/run_net.py` testing a classifier on several views of each video, and what it leaves."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.models.build import build_model
from tests.integration.conftest import REPORTED

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
    return [*overrides, *SMALL, *paths, "TEST.CHECKPOINT_FILE_PATH", str(tmp_path / "weights.pyth"), *REPORTED]


def without_the_loop(metrics: dict) -> dict:
    """metrics.json without what the test loop counted, and what made it, which no dump of scores can tell."""
    counted = {"clips", "clips_per_second", "repeated_frames", "unreadable_clips", "run"}
    assert counted <= set(metrics)
    return {name: value for name, value in metrics.items() if name not in counted}


def test_multi_view_test_and_everything_recomputed_from_its_dump(run_main, toy_config, classifier, tmp_path):
    done = run_main("tools/run_net.py", "--cfg", toy_config, "--dump", "mine.npz", *classifier)
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert (metrics["num_videos"], metrics["views_per_video"]) == (6, 6)
    assert metrics["videos_without_views"] == ["missing.mp4"] and "missing.mp4" in done.stdout
    with np.load(tmp_path / "mine.npz") as dump:
        assert dump["scores"].shape == (6, 3) and dump["views"].tolist() == [6] * 5 + [0]
        np.testing.assert_allclose(dump["scores"][:5].sum(axis=1), 1, rtol=1e-5)
    run_main("tools/evaluate_scores.py", "mine.npz", "--json", "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == without_the_loop(metrics)
    the_page_and_the_tables(tmp_path / "run", metrics)

    # On two processes, and as the last of several tests of one run.
    two = [*classifier, "OUTPUT_DIR", str(tmp_path / "two"), "TEST.NUM_TEMPORAL_CLIPS", "[1, 2]"]
    run_main("tools/run_net.py", "--cfg", toy_config, *two, processes=2)
    with np.load(tmp_path / "two/scores.npz") as shared, np.load(tmp_path / "mine.npz") as alone:
        # Each process runs smaller batches of views, so the network's own sums round otherwise.
        np.testing.assert_allclose(shared["scores"], alone["scores"], rtol=1e-5)
        assert shared["views"].tolist() == alone["views"].tolist()
    with np.load(tmp_path / "two/scores_1x3.npz") as first:
        assert first["views"].tolist() == [3] * 5 + [0]
    both = json.loads((tmp_path / "two/metrics.json").read_text())
    tests = both.pop("tests")
    assert (
        list(tests) == ["1x3", "2x3"]
        and tests["2x3"] | {"run": both["run"]} == both
        and tests["1x3"]["views_per_video"] == 3
    )
    assert without_the_loop(both) == without_the_loop(metrics)
    records = [json.loads(line) for line in (tmp_path / "two/log.jsonl").read_text().splitlines()]
    assert [record["top1"] for record in records if record.get("kind") == "test"] == [metrics["top1"]]


def the_page_and_the_tables(run: Path, metrics: dict) -> None:
    """What a test of a classifier leaves beside its numbers."""
    page = (run / "report.html").read_text()
    assert f'id="top1">{metrics["top1"]:.3f}<' in page and "missing.mp4" in page
    assert page.count("data:image/jpeg") == 5 and "could not be read:" not in page  # a frame of each that was tested
    assert "views <b>2 clips x 3 crops</b>" in page and (run / "report/confusion.png").is_file()
    rows = list(csv.DictReader((run / "per_class.csv").open()))
    assert [row["videos"] for row in rows] == ["2", "3", "1"]
    accuracy = {row["class"]: float(row["accuracy"]) for row in rows}
    assert accuracy == pytest.approx(metrics["accuracy"], abs=1e-6)
    cells = [row[1:] for row in list(csv.reader((run / "confusion.csv").open()))[1:]]
    assert sum(sum(map(int, row)) for row in cells) == 6 and [row[-1] for row in cells] == ["0", "1", "0"]
    wrong = sum(int(cells[i][j]) for i in range(3) for j in range(3) if i != j)
    assert sum(pair["count"] for pair in metrics["confused_pairs"]) == wrong


def test_reports_of_classifiers_are_written_later_and_compared(
    run_main, toy_config, classifier, detector_run, tmp_path
):
    """One run keeps its scores as .npz and one as .json; the page made later is that of the test."""
    for name, change in (("one", []), ("two", ["TEST.SAVE_RESULTS_PATH", "mine.json", "RNG_SEED", "3"])):
        run_main("tools/run_net.py", "--cfg", toy_config, *classifier, *change, "OUTPUT_DIR", str(tmp_path / name))
    one, two = tmp_path / "one", tmp_path / "two"
    assert json.loads((two / "mine.json").read_text())[5]["pred_score"] is None  # missing.mp4
    metrics = [without_the_loop(json.loads((run / "metrics.json").read_text())) for run in (one, two)]
    assert metrics[0] == metrics[1]
    first = (one / "report.html").read_text()
    (one / "report.html").unlink()
    assert run_main("tools/report.py", str(one)).stdout.strip() == str(one / "report.html")
    assert (one / "report.html").read_text() == first
    run_main("tools/report.py", str(one), "--compare", str(two))
    page = (one / "report_against_two.html").read_text()
    assert f"<td>top-1 accuracy</td><td>{metrics[0]['top1']:.3f}</td>" in page and "Only two is right" in page

    for arguments, message in (
        (["--compare", str(detector_run)], "runs of two kinds cannot be compared"),
        (
            ["DATA.PATH_TO_DATA_DIR", "nowhere"],
            "test.csv: no such file, and no val.csv beside it (DATA.PATH_TO_DATA_DIR)",
        ),
    ):
        done = run_main("tools/report.py", str(one), *arguments, expect=2)
        assert message in done.stderr and "Traceback" not in done.stderr
    (two / "mine.json").unlink()
    done = run_main("tools/report.py", str(two), expect=2)
    assert "two has no mine.json: it is not the OUTPUT_DIR of a run that was tested" in done.stderr
    (one / "metrics.json").write_text('{"top1": 1}')
    done = run_main("tools/report.py", str(one), expect=2)
    assert "lacks ensemble, num_videos, views_per_video: it is not the metrics.json of a classification" in done.stderr


@pytest.fixture
def detector_run(toy_config: str, overrides: list[str], tmp_path: Path) -> Path:
    """The folder of a tested detector, with as much as it takes to know it for one."""
    folder = tmp_path / "detector"
    folder.mkdir()
    (folder / "config.yaml").write_text(load_cfg(toy_config, overrides).dump())
    numbers = dict.fromkeys(("mAP", "protocol", "key_frames", "iou_threshold", "instances", "counters", "warnings"))
    (folder / "metrics.json").write_text(json.dumps(numbers))
    (folder / "detections.csv").write_text("toy_val_000,0902,0.1,0.1,0.5,0.9,1,0.5\n")
    return folder


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
    page = (tmp_path / "run/report.html").read_text()
    assert f'id="mAP">{metrics["mAP"]:.3f}<' in page and page.count("data:image/jpeg") == 3
    assert (tmp_path / "run/per_class.csv").is_file() and not (tmp_path / "run/confusion.csv").exists()


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
        (["TRAIN.ENABLE", "True"], "TRAIN.DATASET ava has people on key frames"),
        (["TEST.CHECKPOINT_FILE_PATH", ""], "TEST.CHECKPOINT_FILE_PATH ('') must name the weights"),
        (["DATA.PATH_TO_DATA_DIR", "nowhere"], "test.csv: no such file"),
        (["MODEL.NUM_CLASSES", "2", "MODEL.HEAD_REINIT", "True"], "class 2 is not one of 0 to 1"),
        (["DATA.STRICT", "True"], "missing.mp4"),
        (
            ["DATA.TEST_CROP_SIZE", "64", "TEST.NUM_SPATIAL_CROPS", "1", "DATA.TRAIN_JITTER_SCALES", "[60, 80]"],
            "raise DATA.TRAIN_J",
        ),
        (["--dump", "mine.pkl"], "mine.pkl') must end in .npz, or in .json for a list as mmaction2's DumpResults"),
    ],
)
def test_what_cannot_run_says_why(run_main, toy_config, classifier, change, message):
    done = run_main("tools/run_net.py", "--cfg", toy_config, *classifier, *change, expect=1)
    assert message in done.stderr and "Traceback" not in done.stderr
