"""`tools/run_net.py` with a frozen image network: features made once, a run that goes on, and a test of its weights."""

import gzip
import json
from pathlib import Path

import pytest

from tests.unit.video.video_maker import write_video

VIDEOS = {"wave/a_wave_u_0": "train", "wave/b_wave_u_0": "train", "run/c_run_u_0": "train", "run/d_run_u_0": "test"}


@pytest.fixture
def lite(tmp_path: Path, repo_root: Path) -> list[str]:
    """BMViT_lite, small, on four videos of six frames."""
    lines = ["video,frames,height,width,split1,split2,split3\n"]
    with gzip.open(tmp_path / "jhmdb21_boxes.csv.gz", "wt") as boxes:
        boxes.write("video,label,frame,x1,y1,x2,y2\n")
        for video, part in VIDEOS.items():
            (tmp_path / video).parent.mkdir(exist_ok=True)
            write_video(tmp_path / f"{video}.mp4", frames=6)
            lines.append(f"{video},6,48,64,{part},{part},{part}\n")
            boxes.writelines(f"{video},{video.split('/')[0]},{frame},16,12,31,35\n" for frame in range(1, 7))
    (tmp_path / "jhmdb21_videos.csv").write_text("".join(lines))
    return [
        *("--cfg", str(repo_root / "configs/JHMDB/BMViT_lite.yaml"), "OUTPUT_DIR", str(tmp_path / "out")),
        *("JHMDB.VIDEO_DIR", str(tmp_path), "JHMDB.ANNOTATION_DIR", str(tmp_path), "MODEL.NUM_CLASSES", "0"),
        *("DATA.FEATURE_CACHE", str(tmp_path / "features"), "DATA.FEATURE_VIEWS", "2", "TEST.REPORT", "False"),
        *("DATA.TRAIN_CROP_SIZE", "[64, 64]", "DATA.TEST_CROP_SIZE", "[64, 64]", "TRAIN.BATCH_SIZE", "2"),
        *("MVIT.EMBED_DIM", "16", "MVIT.NUM_HEADS", "2", "MVIT.DEPTH", "1", "TEST.ACTOR_THRESHOLD", "0"),
        *("SOLVER.WARMUP_EPOCHS", "0", "TRAIN.EVAL_PERIOD", "1", "TRAIN.CHECKPOINT_FILE_PATH", ""),
        *("TUBES.MIN_LENGTH", "1", "TENSORBOARD.ENABLE", "False"),
    ]


def test_train_go_on_and_test(run_main, lite, tmp_path):
    done = run_main("tools/run_net.py", *lite, "SOLVER.MAX_EPOCH", "1")
    assert "test: features of 1 views of videos made, 0 found" in done.stdout + done.stderr
    assert "train: features of 6 views of videos made, 0 found" in done.stdout + done.stderr
    first = json.loads((tmp_path / "out/metrics.json").read_text())
    assert first["video_mAP"] is not None and 0 <= first["mAP"] <= 1
    weights = str(tmp_path / "out/checkpoints/checkpoint_epoch_00001.pyth")

    # Tested on its own, from features of the same weights, and from pixels: the same numbers up to float16 features.
    only = ["TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", weights, "OUTPUT_DIR", str(tmp_path / "again")]
    done = run_main("tools/run_net.py", *lite, *only)
    assert "test: features of 0 views of videos made, 1 found" in done.stdout + done.stderr
    assert json.loads((tmp_path / "again/metrics.json").read_text())["mAP"] == pytest.approx(first["mAP"])
    only[-1] = str(tmp_path / "pixels")
    run_main(
        "tools/run_net.py", *lite, *only, "DATA.FEATURE_VIEWS", "0", "MODEL.FREEZE", "[]", "CHANGED_ON_PURPOSE", "[]"
    )
    assert json.loads((tmp_path / "pixels/metrics.json").read_text())["mAP"] == pytest.approx(first["mAP"], abs=0.05)

    done = run_main(*("tools/run_net.py", *lite, "SOLVER.MAX_EPOCH", "2", "CHANGED_ON_PURPOSE", "['SOLVER.MAX_EPOCH']"))
    assert "going on after epoch 1" in done.stdout + done.stderr
    assert "train: features of 0 views of videos made, 6 found" in done.stdout + done.stderr


def test_the_image_network_may_learn_too(run_main, lite):
    """Without features the whole network trains, layers of the image network slower than the blocks."""
    rates = ["SOLVER.LAYER_DECAY", "0.8", "MODEL.FREEZE", "[]", "DATA.FEATURE_VIEWS", "0"]
    done = run_main("tools/run_net.py", *lite, "SOLVER.MAX_EPOCH", "1", *rates)
    assert "features of" not in done.stdout + done.stderr
