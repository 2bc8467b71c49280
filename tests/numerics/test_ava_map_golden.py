"""The AVA frame-mAP against the numbers of the official evaluator."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.structures.annotations.label_map import LabelMap, read_label_map
from slowfast.utils.ava.tables import read_detections_csv, read_groundtruth_csv

EXPECTED_KEY = {"official": "official_cap50", "uncapped": "uncapped"}
MAP_KEY = "PascalBoxes_Precision/mAP@0.5IOU"


@pytest.fixture(scope="module")
def golden(repo_root: Path) -> Path:
    return repo_root / "tests" / "golden" / "ava_map"


@pytest.fixture(scope="module")
def classes(golden: Path) -> LabelMap:
    return read_label_map(golden / "classes_60.pbtxt")


def _expected_ap(numbers: dict, classes: LabelMap) -> np.ndarray:
    by_name = {key.split("AP@0.5IOU/", 1)[1]: value for key, value in numbers.items() if key != MAP_KEY}
    assert set(by_name) == set(classes.names)
    return np.array([math.nan if by_name[name] is None else by_name[name] for name in classes.names])


@pytest.mark.parametrize("protocol", EXPECTED_KEY)
@pytest.mark.parametrize("case", ["plain", "queries4"])
def test_equals_the_official_evaluator(golden: Path, classes: LabelMap, case: str, protocol: str) -> None:
    numbers = json.loads((golden / f"{case}.expected.json").read_text())[EXPECTED_KEY[protocol]]
    groundtruth = read_groundtruth_csv(golden / f"{case}.gt.csv.gz")
    detections = read_detections_csv(golden / f"{case}.det.csv.gz")

    result = frame_map(groundtruth, detections, classes, protocol=protocol)

    assert result.mAP == pytest.approx(numbers[MAP_KEY], abs=1e-9)
    np.testing.assert_allclose(result.ap, _expected_ap(numbers, classes), rtol=0, atol=1e-9)


def test_protocols_differ_where_a_key_frame_has_more_than_50_rows(golden: Path, classes: LabelMap) -> None:
    groundtruth = read_groundtruth_csv(golden / "queries4.gt.csv.gz")
    detections = read_detections_csv(golden / "queries4.det.csv.gz")
    capped, uncapped = (frame_map(groundtruth, detections, classes, protocol=p) for p in ("official", "uncapped"))
    assert capped.counters["detections_dropped_cap"] == 3015
    assert abs(capped.mAP - uncapped.mAP) > 1e-4


@pytest.mark.parametrize("protocol", EXPECTED_KEY)
def test_real_detections_with_tied_scores_land_within_the_tolerance(
    shared_dir: Path, classes: LabelMap, protocol: str
) -> None:
    folder = shared_dir / "data" / "ava" / "predictions"
    expected = json.loads((folder / "koish11_v2.2_expected.json").read_text())
    numbers = expected[EXPECTED_KEY[protocol]]

    result = frame_map(
        read_groundtruth_csv(folder / "koish11_v2.2_groundtruth.csv"),
        read_detections_csv(folder / "koish11_v2.2_detections.csv.gz"),
        classes,
        protocol=protocol,
    )

    assert result.mAP == pytest.approx(numbers[MAP_KEY], abs=expected["tolerance"])
    np.testing.assert_array_equal(np.isnan(result.ap), np.isnan(_expected_ap(numbers, classes)))
    # Single classes depend more on the order of tied rows, which the official evaluator leaves to chance.
    np.testing.assert_allclose(result.ap, _expected_ap(numbers, classes), rtol=0, atol=0.02)
