"""The two-stage baseline through the same data, engine and evaluator as BMViT."""

import json

import pytest

from slowfast.utils.ava_csv import read_groundtruth_csv

TRAINED = ["SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0"]


@pytest.fixture
def roi_config(repo_root) -> str:
    return str(repo_root / "configs/Toy/RoI_toy.yaml")


def test_it_trains_and_tests_on_annotated_boxes(run_tool, roi_config, overrides, tmp_path):
    run_tool("tools/run_net.py", "--cfg", roi_config, *overrides, *TRAINED)
    records = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [record["kind"] for record in records] == ["train", "train", "eval", "test"]
    assert "loss/action" in records[0] and "loss/actor" not in records[0]
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["person_AP"] == pytest.approx(1.0)  # the boxes are those of the ground truth


def test_proposals_are_read_filtered_and_tested(run_tool, roi_config, overrides, toy_data, tmp_path):
    """Proposals that are the annotated boxes score as the oracle does; those below the threshold are as if not there."""
    run_tool("tools/run_net.py", "--cfg", roi_config, *overrides, *TRAINED)
    oracle = json.loads((tmp_path / "run/metrics.json").read_text())
    table = read_groundtruth_csv(toy_data / "annotations/toy_val.csv")
    lines = {
        f"{table.videos[v]},{t:04d},{','.join(map(str, box))},,0.95\n"
        for v, t, box in zip(table.video, table.timestamp, table.boxes.tolist(), strict=True)
        if box[0] == box[0]
    }
    noise = f"{table.videos[table.video[0]]},{table.timestamp[0]},0.1,0.1,0.9,0.9,-1,0.5\n"
    (toy_data / "annotations/boxes.csv").write_text("".join(sorted(lines)) + noise)
    checkpoint = str(tmp_path / "run/checkpoints/checkpoint_epoch_00001.pyth")
    test_only = ["TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", checkpoint, "OUTPUT_DIR", str(tmp_path / "test")]
    boxes = ["DETECTION.BOXES", "proposals", "AVA.TEST_PREDICT_BOX_LISTS", "[boxes.csv]"]
    done = run_tool("tools/run_net.py", "--cfg", roi_config, *overrides, *test_only, *boxes)
    assert f"{len(lines)} rows score at least 0.9" in done.stdout
    found = json.loads((tmp_path / "test/metrics.json").read_text())
    assert found["mAP"] == pytest.approx(oracle["mAP"], abs=1e-6)


def test_proposals_without_files_are_an_error(run_tool, roi_config, overrides):
    done = run_tool("tools/run_net.py", "--cfg", roi_config, *overrides, "DETECTION.BOXES", "proposals", expect=1)
    assert "name files in AVA.TEST_PREDICT_BOX_LISTS" in done.stderr
