"""The two-stage baseline through the same data, engine and evaluator as BMViT."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from slowfast.config import load_cfg
from slowfast.report.detection.clips import ReportGallery
from slowfast.tasks.two_stage import TwoStage
from slowfast.utils.ava.tables import read_groundtruth_csv
from tests.unit.evaluation.tables import found


@pytest.fixture
def own_annotations(toy_data: Path, tmp_path: Path) -> Path:
    """A copy of the annotations, to add files to."""
    return Path(shutil.copytree(toy_data / "annotations", tmp_path / "annotations"))


def test_it_trains_and_tests_on_annotated_boxes(trained_roi):
    records = [json.loads(line) for line in (trained_roi / "log.jsonl").read_text().splitlines()]
    assert [record["kind"] for record in records] == ["train", "train", "eval", "test"]
    assert "loss/action" in records[0] and "loss/actor" not in records[0]
    metrics = json.loads((trained_roi / "metrics.json").read_text())
    assert metrics["given_boxes"] == "the annotated boxes"
    assert metrics["person_AP"] == pytest.approx(1.0)  # the boxes are those of the ground truth
    page = (trained_roi / "report.html").read_text()
    assert (
        "it was given the annotated boxes, each with p(actor) 1" in page and "People of at least this score" not in page
    )
    assert "the boxes cover <b>1.000</b>, and <b>1.000</b> of the boxes fit a person" in page
    assert not (trained_roi / "report/sweep.png").exists() and (trained_roi / "report/errors.png").is_file()


def test_proposals_are_read_filtered_and_tested(
    run_main, roi_config, overrides, trained_roi, own_annotations, tmp_path
):
    """Proposals that are the annotated boxes score as the oracle does; those below the threshold are as if not there."""
    oracle = json.loads((trained_roi / "metrics.json").read_text())
    table = read_groundtruth_csv(own_annotations / "toy_val.csv")
    lines = {
        f"{table.videos[v]},{t:04d},{','.join(map(str, box))},,0.95\n"
        for v, t, box in zip(table.video, table.timestamp, table.boxes.tolist(), strict=True)
        if box[0] == box[0]
    }
    noise = f"{table.videos[table.video[0]]},{table.timestamp[0]},0.1,0.1,0.9,0.9,-1,0.5\n"
    (own_annotations / "boxes.csv").write_text("".join(sorted(lines)) + noise)
    checkpoint = str(trained_roi / "checkpoints/checkpoint_epoch_00001.pyth")
    test_only = ["TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", checkpoint, "OUTPUT_DIR", str(tmp_path / "test")]
    boxes = ["DETECTION.BOXES", "proposals", "AVA.TEST_PREDICT_BOX_LISTS", "[boxes.csv]"]
    boxes += ["AVA.ANNOTATION_DIR", str(own_annotations)]
    done = run_main("tools/run_net.py", "--cfg", roi_config, *overrides, *test_only, *boxes)
    assert f"{len(lines)} rows score at least 0.9" in done.stdout
    result = json.loads((tmp_path / "test/metrics.json").read_text())
    assert result["mAP"] == pytest.approx(oracle["mAP"], abs=1e-6)
    # The page is written again from what the run left, and beside the oracle's.
    done = run_main("tools/report.py", str(tmp_path / "test"), "--compare", str(trained_roi))
    page = Path(done.stdout.strip()).read_text()
    assert "<b>test</b>: The model did not find the people: it was given the boxes of a person detector" in page
    assert page.count("its numbers are not those of a model that finds people") == 2  # at the top, for each run
    assert "<b>run</b>: The model did not find the people: it was given the annotated boxes" in page


def test_the_gallery_shows_the_annotated_people_whatever_boxes_were_given(roi_config, overrides, own_annotations):
    """One proposal that fits nobody: what is drawn as annotated are the people of the ground truth all the same."""
    truth = read_groundtruth_csv(own_annotations / "toy_val.csv")
    row = int(np.flatnonzero(truth.label > 0)[0])
    video, second = truth.videos[truth.video[row]], int(truth.timestamp[row])
    (own_annotations / "far.csv").write_text(f"{video},{second},0.9,0.9,1.0,1.0,,0.95\n")
    boxes = ["DETECTION.BOXES", "proposals", "AVA.TEST_PREDICT_BOX_LISTS", "[far.csv]"]
    boxes += ["AVA.ANNOTATION_DIR", str(own_annotations)]
    cfg = load_cfg(roi_config, [*overrides, *boxes])
    clip = ReportGallery(cfg, TwoStage(cfg).test_split).drawn(
        video, second, found((video, second, truth.boxes[row], 1, 0.9))
    )
    here = truth.boxes[(truth.video == truth.video[row]) & (truth.timestamp == second)]
    assert sorted(clip.true_boxes.tolist()) == sorted(np.unique(here, axis=0).tolist())
    assert all(clip.true_labels)


def test_proposals_without_files_are_an_error(run_main, roi_config, overrides):
    done = run_main("tools/run_net.py", "--cfg", roi_config, *overrides, "DETECTION.BOXES", "proposals", expect=1)
    assert "name files in AVA.TEST_PREDICT_BOX_LISTS" in done.stderr
