from pathlib import Path

import numpy as np
import pytest

from slowfast.datasets.annotations.people.annotated_set import AnnotatedSet
from slowfast.datasets.annotations.people.key_frames import build_key_frames
from slowfast.datasets.annotations.people.proposals import read_proposals, with_proposals
from slowfast.structures.annotations.box_table import NO_LABEL
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.utils.ava.tables import read_groundtruth_csv

CLASSES = LabelMap((3, 7), ("sit", "run"))
ROWS = """\
a,0902,0.1,0.1,0.5,0.9,,0.99
a,902,0.6,0.1,0.9,0.9,7,0.95
a,0902,0.6,0.1,0.9,0.9,3,0.95
b,0905,-0.02,0.2,0.4,1.01,-1,0.91

b,0905,0.5,0.5,0.7,0.7,,0.4
c,0910,0.1,0.1,0.2,0.2,3,0.99
"""


def write(folder: Path, text: str, name: str = "boxes.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.fixture
def annotated(tmp_path) -> AnnotatedSet:
    """a@902 has one person who sits; b@905 shows nobody; the video c is not in the split."""
    table = read_groundtruth_csv(write(tmp_path, "a,0902,0.1,0.1,0.5,0.9,3\nb,0905\n", "truth.csv"))
    key_frames, _ = build_key_frames(table, CLASSES)
    return AnnotatedSet(key_frames, table, CLASSES, CLASSES)


def test_rows_below_the_threshold_are_left_out_and_boxes_clipped(tmp_path):
    table = read_proposals(write(tmp_path, ROWS), min_score=0.9)
    assert table.videos == ("a", "b", "c") and table.timestamp.tolist() == [902, 902, 902, 905, 910]
    assert table.label.tolist() == [NO_LABEL, 7, 3, NO_LABEL, 3]
    assert table.boxes[3].tolist() == [0, 0.2, 0.4, 1]
    assert len(read_proposals(write(tmp_path, ROWS), min_score=0.3)) == 6


def test_testing_classifies_the_detected_boxes_alone(annotated, tmp_path):
    found = with_proposals(annotated, [write(tmp_path, ROWS)], min_score=0.9, training=False)
    frames = found.key_frames
    assert [frames.video_name(k) for k in range(len(frames))] == ["a", "b"]
    boxes, actions = frames.people(0)
    np.testing.assert_allclose(boxes, [[0.1, 0.1, 0.5, 0.9], [0.6, 0.1, 0.9, 0.9]])
    assert not actions.any()  # what the file says about actions is not for testing
    assert len(frames.people(1)[0]) == 1
    assert found.groundtruth is annotated.groundtruth
    assert "5 rows score at least 0.9; 3 boxes to classify on 2 key frames, 0 of them without a box" in found.notes[-1]


def test_training_adds_the_detected_people_with_their_labels(annotated, tmp_path):
    found = with_proposals(annotated, [write(tmp_path, ROWS)], min_score=0.9, training=True)
    boxes, actions = found.key_frames.people(0)
    np.testing.assert_allclose(boxes, [[0.1, 0.1, 0.5, 0.9], [0.6, 0.1, 0.9, 0.9]])
    assert actions.tolist() == [[1, 0], [1, 1]]  # the annotated person once, though it was detected too
    assert found.key_frames.people(1)[1].tolist() == [[0, 0]]


def test_key_frames_without_a_box_stay(annotated, tmp_path):
    found = with_proposals(
        annotated, [write(tmp_path, "b,0905,0.1,0.1,0.2,0.2,3,0.99\n")], min_score=0.9, training=False
    )
    assert len(found.key_frames) == 2 and len(found.key_frames.boxes) == 1
    assert "1 of them without a box" in found.notes[-1]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "text, enough",
    [("c,0910,0.1,0.1,0.2,0.2,3,0.99\n", 1), ("", 0), ("a,0902,0.1,0.1,0.5,0.9,,0.8\n", 0)],
    ids=["another split", "empty", "threshold too high"],
)
def test_a_file_without_any_usable_box_is_an_error(annotated, tmp_path, training, text, enough):
    message = (
        r"boxes\.csv: no box that scores at least 0\.9 \(AVA\.DETECTION_SCORE_THRESH\) lies on any of the 2 key "
        rf"frames; of the whole file {enough} score as much"
    )
    with pytest.raises(ValueError, match=message):
        with_proposals(annotated, [write(tmp_path, text)], min_score=0.9, training=training)


@pytest.mark.parametrize(
    "line, message",
    [
        ("a,0902,0.1,0.1,0.5,0.9,3", r"line 2: expected 8 columns .*, found 7"),
        ("a,0902,10,20,110,220,3,0.9", r"line 2: box \[10\.0, 20\.0, 110\.0, 220\.0\] is in pixels"),
        ("a,0902,0.1,x,0.5,0.9,3,0.9", r"line 2: could not convert string to float: 'x'"),
        ("a,0902,0.1,0.1,0.5,0.9,3,nan", r"line 2: a number is not finite"),
    ],
)
def test_malformed_lines_are_named(tmp_path, line, message):
    path = write(tmp_path, f"a,0902,0.1,0.1,0.5,0.9,,0.99\n{line}\n")
    with pytest.raises(ValueError, match=rf"boxes\.csv: 1 malformed lines:\n  {message}"):
        read_proposals(path, min_score=0.5)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv: no such file \(TRAIN_PREDICT_BOX_LISTS"):
        read_proposals(tmp_path / "nothing.csv", min_score=0.5)
