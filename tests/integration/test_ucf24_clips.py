"""`configs/UCF24/BMViT_lite.yaml` on real clips of UCF101-24, small: features, a few steps, tubes, video-mAP."""

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

VIDEOS = {"Basketball/v_Basketball_g01_c02": "train", "Fencing/v_Fencing_g01_c06": "test"}


@pytest.fixture
def clips(shared_dir: Path, tmp_path: Path) -> dict:
    """The videos under the names that the annotations give them, and these in pyannot's layout."""
    source = shared_dir / "data/videos/ucf24"
    told = json.loads((source / "annotations.json").read_text(encoding="utf-8"))
    database = {}
    for name in VIDEOS:
        video = told["videos"][name]
        (tmp_path / "videos" / name).parent.mkdir(parents=True)
        (tmp_path / f"videos/{name}.mp4").symlink_to(source / video["file"])
        annotations = [one | {"boxes": np.array(one["boxes"], dtype=np.uint16)} for one in video["annotations"]]
        database[name] = {"label": annotations[0]["label"], "numf": video["numf"], "annotations": annotations}
    content = {
        "db": database,
        "classes": told["classes"],
        "trainvideos": [name for name, part in VIDEOS.items() if part == "train"],
    }
    (tmp_path / "pyannot.pkl").write_bytes(pickle.dumps(content))
    return database


@pytest.mark.long
def test_the_recipe_runs_to_tubes(run_main, repo_root, clips, tmp_path):
    done = run_main(
        *("tools/run_net.py", "--cfg", str(repo_root / "configs/UCF24/BMViT_lite.yaml")),
        *("UCF24.VIDEO_DIR", str(tmp_path / "videos"), "UCF24.ANNOTATION_FILE", str(tmp_path / "pyannot.pkl")),
        *("UCF24.TEST_FRAME_STEP", "6", "OUTPUT_DIR", str(tmp_path / "out"), "TRAIN.CHECKPOINT_FILE_PATH", ""),
        *("DATA.FEATURE_CACHE", str(tmp_path / "features"), "DATA.FEATURE_VIEWS", "1", "TRAIN.BATCH_SIZE", "6"),
        *("DATA.TRAIN_CROP_SIZE", "[64, 64]", "DATA.TEST_CROP_SIZE", "[64, 64]", "TEST.ACTOR_THRESHOLD", "0"),
        *("MVIT.EMBED_DIM", "16", "MVIT.NUM_HEADS", "2", "MVIT.DEPTH", "1", "TENSORBOARD.ENABLE", "False"),
        *("SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0", "TEST.MAX_PEOPLE", "3"),
        *("TUBES.MIN_LENGTH", "3", "TUBES.MIN_SCORE", "0", "TUBES.MIN_BOX_SCORE", "0", "TUBES.MAX_GAP", "6"),
    )
    (annotated,) = (clips[name] for name, part in VIDEOS.items() if part == "test")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["num_key_frames"] == -(-annotated["numf"] // 6) and 0 <= metrics["mAP"] <= 1
    video = metrics["video_mAP"]
    assert video["num_videos"] == 1 and "trimmed with" in video["linking"]
    assert {name: count for name, count in video["instances"].items() if count} == {
        "Fencing": len(annotated["annotations"])
    }
    assert "video-mAP @0.2" in done.stdout and "train: features of" in done.stdout + done.stderr
    with open(tmp_path / "out/detections.csv", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert {row[0] for row in rows} == {"Fencing/v_Fencing_g01_c06"} and len(rows) >= 3 * metrics["num_key_frames"]
    losses = [json.loads(line) for line in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    assert any(one["kind"] == "train" and np.isfinite(one["loss"]) for one in losses)
