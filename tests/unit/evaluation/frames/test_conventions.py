"""Frame-mAP in named conventions: by hand, by property, and on real detections."""

import numpy as np
import pytest

from slowfast.datasets.annotations.people.tubes import read_tubes
from slowfast.evaluation.frames.conventions import (
    ACT,
    FrameConvention,
    all_conventions,
    convention_named,
    conventional_frame_map,
    misses_empty_frames,
)
from slowfast.evaluation.frames.evaluator import DetectionEvaluator
from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.clip import ClipMeta
from slowfast.structures.outputs.predictions import Detections
from slowfast.utils.restricted_pickle import read_pickle
from tests.unit.evaluation.tables import found, random_case, table

LABELS = LabelMap((1, 2), ("run", "wave"))
LEFT, RIGHT = (0.0, 0.0, 0.4, 1.0), (0.5, 0.0, 0.9, 1.0)
EMPTY = (None, NO_LABEL)
CONVENTIONS = [
    FrameConvention(frames, ap, matching)
    for frames in ("every", "annotated")
    for ap in ("voc_all_point", "voc_11_point", "trapezoid")
    for matching in ("remaining", "best")
]


def test_a_detection_where_nobody_is_annotated_counts_on_every_frame_only():
    truth = table(("v", 1, LEFT, 1), ("v", 2, *EMPTY))
    rows = found(("v", 1, LEFT, 1, 0.5), ("v", 2, LEFT, 1, 0.9))
    values = {c: conventional_frame_map(truth, rows, LABELS, c).mAP for c in CONVENTIONS}
    assert values[FrameConvention("annotated", "voc_all_point")] == 1
    assert values[FrameConvention("every", "voc_all_point")] == 0.5
    assert values[ACT] == 0.25  # from (recall 0, precision 0) to (1, 0.5)
    assert all(v == 1 for c, v in values.items() if c.frames == "annotated")


def test_the_result_says_which():
    result = conventional_frame_map(table(("v", 1, LEFT, 1)), found(("v", 1, LEFT, 1, 0.5)), LABELS, ACT)
    assert "mAP@0.5 1.0000 | frames every, trapezoid AP, remaining matching | 1 of 2 classes" in result.one_line()
    assert result.report()["convention"] == "frames every, trapezoid AP, remaining matching"


def test_two_people_of_one_action_and_the_two_matchings():
    # Both detections are nearest to A. Nobody is left for the second where the nearest box is the only choice.
    a, b = (0.0, 0.0, 0.5, 1.0), (0.2, 0.0, 0.7, 1.0)
    truth = table(("v", 1, a, 1), ("v", 1, b, 1))
    rows = found(("v", 1, a, 1, 0.9), ("v", 1, (0.08, 0.0, 0.58, 1.0), 1, 0.8))
    best = conventional_frame_map(truth, rows, LABELS, FrameConvention(matching="best"))
    remaining = conventional_frame_map(truth, rows, LABELS, FrameConvention(matching="remaining"))
    assert (best.mAP, remaining.mAP) == (0.5, 1.0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("matching", ["best", "remaining"])
def test_against_a_loop_over_rows(seed, matching):
    truth, rows = random_case(seed)
    rng = np.random.default_rng(seed)
    rows = BoxTable(rows.videos, rows.video, rows.timestamp, rows.boxes, rows.label, rng.permutation(len(rows)) / 999)
    labels = LabelMap((1, 2, 3, 4, 5), tuple("abcde"))
    assert (truth.label > 0).any()
    settings = {"protocol": "uncapped", "matching": matching}
    result = frame_map(truth, rows, labels, **settings)
    expected = [_ap_by_rows(truth, rows, label, matching=matching) for label in labels.ids]
    np.testing.assert_allclose(result.ap, expected, atol=1e-12)


def _ap_by_rows(truth: BoxTable, rows: BoxTable, label: int, *, matching: str) -> float:
    boxes: dict = {}
    for i in np.flatnonzero(truth.label == label):
        boxes.setdefault((truth.videos[truth.video[i]], truth.timestamp[i]), []).append(tuple(truth.boxes[i]))
    boxes = {frame: sorted(some) for frame, some in boxes.items()}
    listed = {(truth.videos[truth.video[i]], truth.timestamp[i]) for i in range(len(truth))}
    total, taken, hits = sum(map(len, boxes.values())), set(), []
    for i in sorted(np.flatnonzero(rows.label == label), key=lambda i: -rows.score[i]):
        frame = (rows.videos[rows.video[i]], rows.timestamp[i])
        if frame not in listed or (rows.boxes[i, 2:] <= rows.boxes[i, :2]).any():  # without area: dropped and counted
            continue
        choice = [k for k in range(len(boxes.get(frame, []))) if matching == "best" or (frame, k) not in taken]
        best = max(choice, key=lambda k: _iou(rows.boxes[i], boxes[frame][k]), default=None)
        hit = best is not None and _iou(rows.boxes[i], boxes[frame][best]) >= 0.5 and (frame, best) not in taken
        if hit:
            taken.add((frame, best))
        hits.append(hit)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float("nan") if total == 0 else sum(precision[i:].max() for i in np.flatnonzero(hits)) / total


def _iou(a, b) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0) * max(height, 0)
    return inside / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inside)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_properties_of_every_convention(convention):
    truth = table(
        *(("v", t, LEFT, 1 + t % 2) for t in range(1, 9)), *(("v", t, RIGHT, 1) for t in range(1, 9)), ("v", 9, *EMPTY)
    )
    people = truth.rows(truth.label != NO_LABEL)
    rng = np.random.default_rng(0)
    perfect = BoxTable(
        people.videos, people.video, people.timestamp, people.boxes, people.label, rng.random(len(people))
    )

    def score(rows):
        return conventional_frame_map(truth, rows, LABELS, convention).mAP

    assert score(perfect) == pytest.approx(1)
    shuffled = rng.permutation(np.repeat(np.arange(len(perfect)), 2))
    assert score(perfect.rows(shuffled)) < 1  # every box twice
    assert score(perfect.rows(shuffled)) == score(perfect.rows(np.sort(shuffled)))


def test_frames_that_nobody_was_shown_are_noticed():
    truth = table(("v", 1, LEFT, 1), ("v", 2, *EMPTY))
    assert misses_empty_frames(truth, found(("v", 1, LEFT, 2, 0.5)))
    assert not misses_empty_frames(truth, found(("v", 1, LEFT, 1, 0.5), ("v", 2, LEFT, 1, 0.9)))
    assert not misses_empty_frames(table(("v", 1, LEFT, 1)), found(("v", 1, LEFT, 1, 0.5)))


def test_a_convention_is_found_by_the_name_that_results_carry():
    assert [convention_named(str(convention)) for convention in CONVENTIONS] == CONVENTIONS
    with pytest.raises(
        ValueError, match="there is no convention 'COCO'; one is 'frames every, trapezoid AP, remaining"
    ):
        convention_named("COCO")


def test_what_is_unknown_is_named():
    with pytest.raises(ValueError, match="ap must be one of voc_all_point, voc_11_point, trapezoid, got 'coco'"):
        FrameConvention(ap="coco")
    with pytest.raises(ValueError, match="frames must be one of every, annotated, got 'all'"):
        FrameConvention(frames="all")
    with pytest.raises(ValueError, match=r"matching must be one of \('best', 'remaining'\), got 'any'"):
        frame_map(table(("v", 1, LEFT, 1)), found(("v", 1, LEFT, 1, 0.5)), LABELS, matching="any")


def test_the_evaluator_of_a_run_scores_in_its_convention():
    import torch

    truth = table(("v", 1, LEFT, 1), ("v", 2, *EMPTY))
    metas = [ClipMeta("v", t, (0, 0, 1, 1)) for t in (1, 2)]
    people = Detections(
        torch.tensor([0, 1]), torch.tensor([LEFT, LEFT]), torch.tensor([0.5, 0.9]), torch.tensor([[0.5, 0], [0.9, 0]])
    )
    for frames, expected in (("every", 0.25), ("annotated", 1.0)):
        evaluator = DetectionEvaluator(
            groundtruth=truth, label_map=LABELS, model_label_map=LABELS, convention=FrameConvention(frames, "trapezoid")
        )
        evaluator.process(people, metas)
        result = evaluator.evaluate()
        assert result.headline == ("mAP", expected)
        result, rows = result.frame_map, result.detections
        assert result.mAP == expected and result.convention.startswith(f"frames {frames}, trapezoid")
        assert len(rows) == 4


def test_real_detections_of_jhmdb(shared_dir):
    """Annotated boxes of five classes' clips with a classifier's scores: 0.375 is the VOC area under the curve; under
    ACT's own trapezoid the same rows score 0.299."""
    folder = shared_dir / "data" / "jhmdb"
    tube_set = read_tubes(folder / "JHMDB-GT.pkl.gz")
    order = tuple(read_pickle(folder / "JHMDB-GT.pkl.gz")["test_videos"][0])
    rows = np.load(folder / "frame_detections_a.npz")["dets"].astype(np.float64)
    video, frame, label, score = rows[:, :4].T
    boxes = (rows[:, 4:8] + [0, 0, 1, 1]) / [320, 240, 320, 240]
    detections = BoxTable(
        order, video.astype(np.int32), frame.astype(np.int32), boxes, label.astype(np.int32) + 1, score
    )
    truth = tube_set.table(frames="every")
    shown = np.isin(np.array(tube_set.videos)[truth.video], [order[int(i)] for i in np.unique(video)])
    for matching in ("remaining", "best"):  # one person a frame: no difference
        values = all_conventions(truth.rows(shown), detections, tube_set.label_map, matching=matching)
        assert [round(value, 4) for value in values.values()] == [0.3754, 0.3757, 0.2998]
    result = conventional_frame_map(truth.rows(shown), detections, tube_set.label_map, FrameConvention())
    assert result.num_classes_scored == 5 and result.mAP == pytest.approx(0.375, abs=5e-4)
