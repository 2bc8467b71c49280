import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.evaluation.frames.evaluator import DetectionEvaluator, person_groundtruth
from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.evaluation.frames.result import FrameMap
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.clip import ClipMeta
from slowfast.structures.outputs.predictions import Detections
from slowfast.utils.ava.tables import read_detections_csv, write_detections_csv
from tests.unit.evaluation.tables import table

BOX, FAR = (0.1, 0.1, 0.5, 0.5), (0.6, 0.6, 0.9, 0.9)
MODEL_CLASSES = LabelMap((1, 3, 4), ("stand", "sit", "walk"))
KEY_FRAMES = [(f"video {i % 3}", 900 + i) for i in range(7)]
EVALUATED = LabelMap((4, 1), ("walk", "stand"))


def meta(video: str, timestamp: int) -> ClipMeta:
    return ClipMeta(video, timestamp, (0.0, 0.0, 1.0, 1.0), (240, 320))


def detections(clips: list[int], boxes: list, actor: list[float], scores: list) -> Detections:
    return Detections(
        clip_index=torch.tensor(clips, dtype=torch.int64),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        actor=torch.tensor(actor, dtype=torch.float32),
        scores=torch.tensor(scores, dtype=torch.float32).reshape(-1, 3),
    )


def groundtruth():
    people = [(*key, BOX, 1 + 3 * (i % 2)) for i, key in enumerate(KEY_FRAMES)]
    return table(*people, *((*key, FAR, 4) for key in KEY_FRAMES[::2]), ("unseen", 5, None, NO_LABEL))


def evaluator(**changes) -> DetectionEvaluator:
    settings = {"groundtruth": groundtruth(), "label_map": EVALUATED, "model_label_map": MODEL_CLASSES}
    return DetectionEvaluator(**{**settings, **changes})


def scored(one: DetectionEvaluator, *gather) -> tuple[FrameMap, BoxTable]:
    result = one.evaluate(*gather)
    return result.frame_map, result.detections


def predictions_of(number: int) -> tuple[list, list, list]:
    """Boxes, actor probabilities and scores on key frame `number`: two or three people, some in the wrong place."""
    rng = np.random.default_rng(number)
    boxes = [BOX, FAR, tuple(np.sort(rng.random(4)))][: 2 + number % 2]
    actor = np.round(rng.random(len(boxes)), 1)
    return boxes, actor.tolist(), np.round(rng.random((len(boxes), 3)) * actor[:, None], 1).tolist()


def process(target: DetectionEvaluator, numbers: list[int]) -> None:
    """One batch that holds these key frames."""
    clips, boxes, actor, scores = [], [], [], []
    for clip, number in enumerate(numbers):
        more_boxes, more_actor, more_scores = predictions_of(number)
        clips += [clip] * len(more_boxes)
        boxes, actor, scores = boxes + more_boxes, actor + more_actor, scores + more_scores
    target.process(detections(clips, boxes, actor, scores), [meta(*KEY_FRAMES[number]) for number in numbers])


def shared_state(evaluators: list[DetectionEvaluator]):
    """What a gather over these ranks returns, each object pickled on the way as torch.distributed does."""
    return lambda _: [pickle.loads(pickle.dumps(one._state())) for one in evaluators]


@pytest.mark.parametrize("split", [[[0, 1, 2, 3, 4, 5, 6]], [[6, 2], [0, 5, 3, 1, 4]], [[4], [], [1, 3, 6, 5, 0, 2]]])
def test_any_number_of_ranks_and_any_order_give_the_same(split: list[list[int]]) -> None:
    alone = evaluator()
    for number in range(7):
        process(alone, [number])
    expected, expected_rows = scored(alone)

    ranks = [evaluator() for _ in split]
    for rank, numbers in zip(ranks, split, strict=True):
        if numbers:
            process(rank, numbers)
    for rank in ranks:
        result, rows = scored(rank, shared_state(ranks))
        assert (result.mAP, result.person_ap, result.counters) == (expected.mAP, expected.person_ap, expected.counters)
        np.testing.assert_array_equal(result.ap, expected.ap)
        for name in ("video", "timestamp", "boxes", "label", "score"):
            np.testing.assert_array_equal(getattr(rows, name), getattr(expected_rows, name))
        assert rows.videos == expected_rows.videos
    assert 0 < expected.mAP < 1


def test_people_with_equal_actor_scores_come_in_an_order_of_their_own() -> None:
    people = [
        (BOX, 0.5, [0.1, 0.2, 0.3]),
        (BOX, 0.5, [0.1, 0.3, 0.2]),
        (FAR, 0.5, [0.1, 0.2, 0.3]),
        (FAR, 0.9, [0.0] * 3),
    ]
    tables = []
    for order in itertools.permutations(range(4)):
        one = evaluator()
        boxes, actor, scores = zip(*(people[i] for i in order), strict=True)
        one.process(detections([0] * 4, list(boxes), list(actor), list(scores)), [meta(*KEY_FRAMES[0])])
        tables.append(one.evaluate().detections)
    for rows in tables:
        np.testing.assert_array_equal(rows.boxes, tables[0].boxes)
        np.testing.assert_array_equal(rows.score, tables[0].score)
    expected = np.float32([[0, 0, 0], [0.1, 0.2, 0.3], [0.1, 0.3, 0.2], [0.1, 0.2, 0.3]])
    np.testing.assert_array_equal(tables[0].score.reshape(4, 3), expected)  # best actor first, then the lower box


def test_rows_hold_every_class_of_the_model_and_score_the_same_from_the_file(tmp_path: Path) -> None:
    one = evaluator()
    process(one, list(range(7)))
    result, rows = scored(one)
    assert set(rows.label.tolist()) == {1, 3, 4}
    assert len(rows) == 3 * sum(len(predictions_of(i)[0]) for i in range(7))
    write_detections_csv(rows, tmp_path / "detections.csv")
    again = frame_map(groundtruth(), read_detections_csv(tmp_path / "detections.csv"), EVALUATED)
    np.testing.assert_array_equal(again.ap, result.ap)


def test_scores_go_to_the_class_the_model_means() -> None:
    one = evaluator(groundtruth=table(("v", 1, BOX, 4)), label_map=LabelMap((4,), ("walk",)))
    one.process(detections([0], [BOX], [1.0], [[0.1, 0.2, 0.3]]), [meta("v", 1)])
    result, rows = scored(one)
    assert result.mAP == 1.0
    assert dict(zip(rows.label.tolist(), rows.score.tolist(), strict=True)) == pytest.approx({1: 0.1, 3: 0.2, 4: 0.3})


def test_person_ap_by_hand() -> None:
    # Two people, one with two actions, one without any; found: the first (rank 1), a false alarm (2), the second (3).
    truth = table(("v", 1, BOX, 1), ("v", 1, BOX, 4), ("v", 1, FAR, NO_LABEL))
    one = evaluator(groundtruth=truth)
    boxes = [FAR, (0.0, 0.9, 0.1, 1.0), BOX]
    one.process(detections([0, 0, 0], boxes, [0.7, 0.8, 0.9], [[0.0] * 3] * 3), [meta("v", 1)])
    result, _ = scored(one)
    assert result.person_ap == pytest.approx(0.5 * 1 + 0.5 * 2 / 3, abs=1e-15)


def test_person_groundtruth_holds_each_box_once_and_all_key_frames() -> None:
    truth = table(("v", 1, BOX, 4), ("v", 1, FAR, 1), ("v", 1, BOX, 1), ("w", 1, BOX, 1), ("w", 2, None, NO_LABEL))
    people = person_groundtruth(truth)
    assert people.label.tolist() == [1, 1, 1, NO_LABEL]
    assert people.boxes[:3].tolist() == [list(BOX), list(FAR), list(BOX)]
    assert people.timestamp.tolist() == [1, 1, 1, 2]


def test_a_key_frame_scored_twice_is_named() -> None:
    ranks = [evaluator(), evaluator()]
    process(ranks[0], [0, 1, 2])
    process(ranks[1], [3, 1])
    with pytest.raises(ValueError, match=r"1 key frames were scored more than once, among them 'video 1' at 901"):
        ranks[0].evaluate(shared_state(ranks))


def test_a_key_frame_scored_twice_without_any_detection_is_named_too() -> None:
    one = evaluator()
    for _ in range(2):
        one.process(detections([], [], [], []), [meta("video 0", 900)])
    with pytest.raises(ValueError, match="'video 0' at 900"):
        one.evaluate()
    one.reset()
    one.process(detections([], [], [], []), [meta("video 0", 900)])
    result, rows = scored(one)
    assert (result.mAP, result.person_ap, len(rows)) == (0.0, 0.0, 0)


def test_key_frames_that_nobody_scored_are_counted() -> None:
    one = evaluator(exclusions=[KEY_FRAMES[6]])
    process(one, [0, 1, 2])
    result, _ = scored(one)
    assert result.counters["key_frames_unscored"] == 4  # three annotated ones and "unseen"; the excluded one is not due
    assert any("4 key frames of the ground truth were never given to the model" in text for text in result.warnings)
    flattered = evaluator(exclusions=[KEY_FRAMES[6]], key_frames="gt_only")
    process(flattered, [0, 1, 2])
    assert flattered.evaluate().frame_map.counters["key_frames_unscored"] == 3


def test_bad_calls_are_named() -> None:
    with pytest.raises(ValueError, match=r"class ids \[9\] are evaluated, but the model does not score them"):
        evaluator(label_map=LabelMap((1, 9), ("stand", "fly")))
    with pytest.raises(ValueError, match="no key frame was processed"):
        evaluator().evaluate()
    wrong = Detections(torch.zeros(1, dtype=torch.int64), torch.zeros(1, 4), torch.zeros(1), torch.zeros(1, 5))
    with pytest.raises(ValueError, match=r"scores of shape \(1, 5\), expected \(D, 3\)"):
        evaluator().process(wrong, [meta("v", 1)])
    with pytest.raises(ValueError, match=r"detections name clips 1..1, but the batch has 1 clips"):
        evaluator().process(detections([1], [BOX], [1.0], [[0.0] * 3]), [meta("v", 1)])
