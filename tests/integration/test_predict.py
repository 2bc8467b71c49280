"""`tools/predict.py` on videos without annotations: the numbers of a test, the files it leaves, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import slowfast
from slowfast.config import load_cfg
from slowfast.inference import ActionClassifier, ActionDetector
from slowfast.models.build import build_model
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.utils.ava.tables import read_detections_csv
from tests.unit.inference.json_schema import problems

TOOL = "tools/predict.py"


@pytest.fixture
def video(toy_data: Path) -> Path:
    """The held-out one."""
    return toy_data / "videos/toy_0007.mp4"


@pytest.fixture
def weights(trained: Path) -> Path:
    return trained / "checkpoints/best.pyth"


def rows(table: BoxTable) -> np.ndarray:
    """(R, 7) timestamp, label, box, score, in an order that small differences do not change."""
    columns = np.column_stack([table.timestamp, table.label, table.boxes, table.scores])
    return columns[np.lexsort((*columns[:, 2:6].round(3).T, columns[:, 1], columns[:, 0]))]


def test_the_numbers_are_those_of_the_test(run_main, trained, weights, video, tmp_path):
    """Every key frame of the run's detections.csv, found again without an annotation, batched in another way."""
    run_main(TOOL, "--weights", str(weights), str(video), "--out", "out", "--score", "0", "--batch", "2", "--no-video")
    tested = read_detections_csv(trained / "detections.csv")
    found = read_detections_csv(tmp_path / "out/toy_0007.csv")
    assert tested.videos == found.videos == ("toy_0007",) and set(found.timestamp) == {0, 1, 2, 3}
    same = found.rows(np.isin(found.timestamp, tested.timestamp))
    assert len(same) == len(tested) >= 100
    np.testing.assert_allclose(rows(same), rows(tested), atol=1e-5, rtol=0)


def test_a_folder_with_tracks_and_a_broken_video(run_main, repo_root, weights, video, toy_data, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(video, videos / "good.mp4")
    (videos / "broken.mp4").write_bytes(video.read_bytes()[:600])
    options = ["--every", "0.5", "--track", "--score", "0.03", "--classes", "sit", "wave", "--device", "cpu"]
    done = run_main(TOOL, "--weights", str(weights), str(videos), "--out", "out", *options, expect=1)
    assert "error: 1 of 2 videos could not be predicted:" in done.stderr and "broken.mp4: " in done.stderr
    assert "frames/s" in done.stdout and "x real time" in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"good.{e}" for e in ("jsonl", "csv", "mp4", "html")
    }
    schema = json.loads((repo_root / "docs/predictions.schema.json").read_text(encoding="utf-8"))
    lines = [json.loads(line) for line in (tmp_path / "out/good.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [problems(line, schema, schema) for line in lines] == [[]] * len(lines)
    moments = [line for line in lines if line["type"] == "moment"]
    assert [moment["time"] for moment in moments] == [i / 2 for i in range(8)]
    assert all(p["track"] for moment in moments for p in moment["people"])
    assert {a["name"] for moment in moments for p in moment["people"] for a in p["actions"]} <= {"sit", "wave"}
    assert lines[0]["classes"] == [{"id": 2, "name": "sit"}, {"id": 14, "name": "wave"}]
    assert lines[-1] == {"type": "end", "seconds": 4.0, "told": 8, "skipped": 0}
    assert "data:video/mp4;base64," in (tmp_path / "out/good.html").read_text(encoding="utf-8")


def test_from_python(weights, video, tmp_path):
    detector = slowfast.load(weights, device="cpu")
    assert isinstance(detector, ActionDetector) and [c.name for c in detector.classes][:2] == ["stand", "sit"]
    result = detector(video, every=1.0, score=0.02)
    streamed = list(detector.stream(video, every=1.0, score=0.02))
    assert streamed == list(result.moments) and result.seconds == 4.0
    person = streamed[1].people[0]
    assert streamed[1].frame_size == (96, 120)
    np.testing.assert_allclose(person.box_pixels, np.array(person.box) * [120, 96, 120, 96])
    assert person.score >= person.actions[0].score >= person.actions[-1].score >= 0.02
    assert len(result.to_dataframe()) == sum(len(p.actions) for m in streamed for p in m.people)
    with pytest.raises(ValueError, match="finds people on key frames and does not classify clips; use ActionDetector"):
        ActionClassifier(detector.loaded)


def test_ctrl_c_leaves_whole_lines(run_main, weights, video, tmp_path, monkeypatch):
    seen = []

    def interrupted(self, *arguments):
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(self, *arguments)

    real = ActionDetector._moments_of
    monkeypatch.setattr(ActionDetector, "_moments_of", interrupted)
    done = run_main(TOOL, "--weights", str(weights), str(video), "--out", "out", "--batch", "1", expect=130)
    assert "interrupted; finished files and complete lines in out stay" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["toy_0007.jsonl"]
    lines = (tmp_path / "out/toy_0007.jsonl").read_text(encoding="utf-8")
    assert lines.endswith("\n") and [json.loads(line)["type"] for line in lines.splitlines()] == ["video", "moment"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["none.mp4"], "none.mp4: there is no such file or folder"),
        (["--every", "0"], "--every is the seconds from one key frame to the next and must be above 0, got 0"),
        (["--every", "nan"], "--every is the seconds from one key frame to the next and must be above 0, got nan"),
        (["--labels", "none.txt"], "none.txt: no such file (--labels)"),
        (["--classes", "siit"], "--classes 'siit': the model has no such class; did you mean 'sit'"),
        (["--score", "2"], "--score is a probability, from 0 to 1, got 2"),
        (["--batch", "0"], "--batch is the clips of a forward pass, at least 1, got 0"),
        (["--device", "cuda:77"], "--device cuda:77: this machine has"),
        (["--device", "tpux"], "--device tpux is none; give auto, cpu, cuda or cuda:N"),
        (["--weights", "none.pyth"], "weights none.pyth do not exist"),
        (["--show", "--no-video"], "--show plays the drawn video, and --no-video leaves none"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(run_main, weights, video, tmp_path, arguments, text):
    source = [] if arguments[0].endswith(".mp4") else [str(video)]
    done = run_main(TOOL, "--weights", str(weights), "--out", "out", *source, *arguments, expect=1)
    assert done.stderr.startswith(f"error: {text}") and not (tmp_path / "out").exists()


def altered(weights: Path, name: str, **changes: object) -> str:
    content = torch.load(weights, map_location="cpu", weights_only=True) | changes
    path = weights.with_name(name)
    torch.save(content, path)
    return str(path)


def test_a_checkpoint_that_lacks_something(run_main, weights, video, toy_data, tmp_path):
    def refused(*arguments: str) -> str:
        return run_main(TOOL, str(video), "--out", "out", *arguments, expect=1).stderr

    nameless = altered(weights, "nameless.pyth", class_names=[], class_ids=[])
    assert "nameless.pyth does not name its classes; give a file of them with --labels" in refused(
        "--weights", nameless
    )
    bare = altered(weights, "bare.pyth", cfg="")
    assert "does not hold the configuration of its run" in refused("--weights", bare)
    labels = toy_data / "annotations/toy_action_list.pbtxt"
    config = str(weights.parent.parent / "config.yaml")
    both = altered(weights, "both.pyth", cfg="", class_names=[], class_ids=[])
    run_main(
        TOOL, str(video), "--out", "out", "--no-video", "--weights", both, "--cfg", config, "--labels", str(labels)
    )
    assert (tmp_path / "out/toy_0007.csv").exists()
    few = tmp_path / "few.txt"
    few.write_text("stand\nsit\n")
    assert "names of 2 classes, and MODEL.NUM_CLASSES is 7" in refused("--weights", nameless, "--labels", str(few))
    assert "has other classes than" in refused("--weights", str(weights), "--labels", str(few))
    code = altered(weights, "code.pyth", cfg=load_cfg(config).dump().replace("IMPORTS: []", "IMPORTS: [antigravity]"))
    assert "imports antigravity (MODEL.IMPORTS), and a file of weights does not get" in refused("--weights", code)


def test_given_boxes_are_no_detector(run_main, trained_roi, video):
    done = run_main(TOOL, "--weights", str(trained_roi / "checkpoints/best.pyth"), str(video), expect=1)
    assert "is a model of the task TwoStage" in done.stderr and "finds nobody itself" in done.stderr


# ----------------------------------------------------------------------------------------------------- classifiers

VIEWS = [
    *("MODEL.MODEL_NAME", "MViT", "MODEL.NUM_CLASSES", "3", "TRAIN.ENABLE", "False", "TEST.DATASET", "kinetics"),
    *("DATA.TRAIN_CROP_SIZE", "64", "DATA.TEST_CROP_SIZE", "64"),
    *("TEST.NUM_ENSEMBLE_VIEWS", "2", "TEST.NUM_SPATIAL_CROPS", "3"),
]


@pytest.fixture
def classifier(toy_config: str, overrides: list[str], tmp_path: Path) -> tuple[Path, list[str]]:
    """A checkpoint at random weights, and overrides to test it."""
    torch.manual_seed(0)
    path = tmp_path / "classifier.pyth"
    given = [*overrides, *VIEWS, "TEST.CHECKPOINT_FILE_PATH", str(path)]
    cfg = load_cfg(toy_config, given)
    names = {"class_names": ["stand", "sit", "jump"], "class_ids": [0, 1, 2]}
    torch.save({"model_state": build_model(cfg).state_dict(), "cfg": cfg.dump(), **names}, path)
    return path, given


def test_a_classifier_gives_the_scores_of_its_test(run_main, toy_config, classifier, toy_data, video, tmp_path):
    path, given = classifier
    (tmp_path / "test.csv").write_text("toy_0000.mp4 0\ntoy_0007.mp4 1\n")
    folders = ["DATA.PATH_TO_DATA_DIR", str(tmp_path), "DATA.PATH_PREFIX", str(toy_data / "videos")]
    run_main("tools/run_net.py", "--cfg", toy_config, *given, *folders)
    with np.load(tmp_path / "run/scores.npz") as dump:
        expected = dump["scores"][1]
    model = slowfast.load(path, device="cpu")
    assert isinstance(model, ActionClassifier)
    (clip,) = model(video).clips
    by_name = {told.name: told.score for told in clip.classes}
    np.testing.assert_allclose([by_name[name] for name in ("stand", "sit", "jump")], expected, atol=1e-5)
    assert (clip.start, clip.end, clip.views) == (0.0, 4.0, 6)

    done = run_main(TOOL, "--weights", str(path), str(video), "--out", "out", "--every", "1.5", "--top", "2")
    lines = [json.loads(line) for line in (tmp_path / "out/toy_0007.jsonl").read_text().splitlines()]
    assert [(line["start"], line["end"]) for line in lines[1:-1]] == [(0.0, 1.5), (1.5, 3.0), (3.0, 4.0)]
    assert all(len(line["classes"]) == 2 for line in lines[1:-1]) and "3 clips; 48 frames" in done.stdout
    assert (tmp_path / "out/toy_0007.mp4").exists() and (tmp_path / "out/toy_0007.html").exists()
    refused = run_main(TOOL, "--weights", str(path), str(video), "--track", expect=1)
    assert "--track numbers the people that a detector finds" in refused.stderr
    refused = run_main(TOOL, "--weights", str(path), str(video), "--explain", expect=1)
    assert "--explain tells which token claimed a person, and this model classifies whole clips" in refused.stderr
    with pytest.raises(ValueError, match="classifies whole clips and finds no people; use ActionClassifier"):
        ActionDetector.from_checkpoint(path, device="cpu")
