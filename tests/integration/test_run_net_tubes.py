"""`tools/run_net.py` on a set annotated frame by frame: toy videos annotated as UCF101-24 is."""

import json
import pickle
from pathlib import Path

import av
import numpy as np
import pytest

from tests.integration.conftest import REPORTED


@pytest.fixture(scope="module")
def annotations(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the toy videos for training; the second half second of each is annotated, with a box that stays."""
    names = sorted(path.stem for path in (toy_data / "videos").iterdir())
    database = {}
    for number, name in enumerate(names):
        with av.open(str(toy_data / "videos" / f"{name}.mp4")) as video:
            frames = sum(1 for _ in video.decode(video=0))
        boxes = np.tile(np.array([[40 + number, 60, 100, 150]], dtype=np.uint8), (18, 1))
        annotation = {"label": number % 2, "sf": 6, "ef": 24, "boxes": boxes}
        database[name] = {"label": number % 2, "numf": frames, "annotations": [annotation]}
    content = {"db": database, "classes": ["left", "right"], "trainvideos": names[: len(names) // 2]}
    path = tmp_path_factory.mktemp("ucf24") / "pyannot.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture
def ucf24(annotations: Path, overrides: list[str], toy_data: Path) -> list[str]:
    return [
        *overrides,
        *("MODEL.NUM_CLASSES", "2", "TRAIN.DATASET", "ucf24", "TEST.DATASET", "ucf24", "DATA.FLIP_SWAPS", "[]"),
        *("UCF24.ANNOTATION_FILE", str(annotations), "UCF24.VIDEO_DIR", str(toy_data / "videos")),
        *("UCF24.TRAIN_FRAME_STEP", "3", "UCF24.TEST_FRAME_STEP", "2", "TEST.BATCH_SIZE", "24"),
        *("SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0", "TEST.ACTOR_THRESHOLD", "0"),
        *("TUBES.MIN_LENGTH", "5", "TUBES.MIN_SCORE", "0", "TUBES.MIN_BOX_SCORE", "0", "TEST.MAX_PEOPLE", "3"),
        *REPORTED,
    ]


def test_train_and_test_on_ucf24(run_main, toy_config, ucf24, annotations, tmp_path):
    done = run_main("tools/run_net.py", "--cfg", toy_config, *ucf24, "TUBES.AP", "trapezoid", "TUBES.TRIM", "True")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["convention"] == "frames every, trapezoid AP, remaining matching"
    assert (
        metrics["conventions"][metrics["convention"]] == pytest.approx(metrics["mAP"])
        and len(metrics["conventions"]) == 6
    )
    video = metrics["video_mAP"]
    assert set(video["instances"].values()) == {2} and video["num_videos"] == 4 and "trimmed with" in video["linking"]
    assert "video-mAP @0.2" in done.stdout and "UCF101-24 split 1 test" in done.stdout and "frames every" in done.stdout

    page = (tmp_path / "run/report.html").read_text()
    assert f"<td>video-mAP@0.5</td><td><b>{video['video_mAP@0.5']:.3f}</b></td>" in page
    assert "metrics.json says mAP" not in page  # the page is by the same rules

    # The detections it left, every second frame, score the same through the tool.
    settings = ["--ap", "trapezoid", "--no-video-map", "--json", str(tmp_path / "again.json")]
    files = ["--groundtruth", str(annotations), "--detections", str(tmp_path / "run/detections.csv")]
    run_main("tools/evaluate_tubes.py", *files, *settings)
    # The tool scores all frames, the run those it was shown: each annotated frame that was left out is a miss there.
    assert json.loads((tmp_path / "again.json").read_text())["frame"]["mAP"] <= metrics["mAP"] + 1e-9


def test_annotated_frames_only_have_no_video_map(run_main, toy_config, ucf24, tmp_path):
    done = run_main("tools/run_net.py", "--cfg", toy_config, *ucf24, "TUBES.FRAMES", "annotated")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["video_mAP"] is None and "no video-mAP" in done.stdout
    assert metrics["num_key_frames"] == 4 * 9 and len(metrics["conventions"]) == 3
    assert (
        "There is no video-mAP: the model was shown annotated frames only" in (tmp_path / "run/report.html").read_text()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["UCF24.TEST_FRAME_STEP", "9"], "TUBES.MAX_GAP (4) must be at least 8"),
        (["UCF24.ANNOTATION_FILE", "none.pkl"], "none.pkl: no such file"),
        (["UCF24.VIDEO_DIR", "nowhere"], "Correct UCF24.VIDEO_DIR"),
        (["UCF24.SPLIT", "2"], "has split 1 only, got 2"),
        (["TEST.DATASET", "kinetics", "DATA.PATH_TO_DATA_DIR", "."], "kinetics has labels of whole videos"),
    ],
)
def test_what_cannot_run_says_why(run_main, toy_config, ucf24, tmp_path, change, message):
    (tmp_path / "test.csv").write_text("a.mp4 0\n")  # a list as Kinetics has it, where the run starts
    done = run_main("tools/run_net.py", "--cfg", toy_config, *ucf24, *change, expect=1)
    assert message in done.stderr and "Traceback" not in done.stderr
