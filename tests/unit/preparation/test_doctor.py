"""The doctor of "mAP is 0": each cause is planted in detections that were right, and named first."""

import numpy as np
import pytest

from slowfast.commands.data.validate_data import main
from slowfast.preparation.doctor.doctor import examine
from slowfast.structures.annotations.box_table import BoxTable, exact_times
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.utils.ava.tables import write_detections_csv
from tests.unit.preparation.small_set import make_set, write_config

LABELS = LabelMap((1, 3, 7, 8, 12), ("stand", "walk", "wave", "sit", "run"))
SIZE = (240.0, 320.0)


def truth_and_detections(seed=0):
    """60 key frames of three videos with two people; every person is found nearly right, and somebody else now and then."""
    rng = np.random.default_rng(seed)
    videos = ("clips/a.mp4", "clips/b.mp4", "clips/c.mp4")
    video, time = np.repeat(np.arange(3, dtype=np.int32), 40), np.tile(np.repeat(np.arange(10, 30), 2), 3)
    corner = rng.uniform(0, 0.4, (120, 2))
    boxes = np.concatenate([corner, corner + rng.uniform([0.1, 0.3], [0.3, 0.5], (120, 2))], axis=1)
    label = np.array(LABELS.ids)[rng.integers(0, 5, 120)].astype(np.int32)
    truth = BoxTable(videos, video, time.astype(np.int32), boxes, label)
    wrong = np.array(LABELS.ids)[rng.integers(0, 5, 60)].astype(np.int32)
    far = rng.uniform(0, 0.1, (60, 4)) + [0.85, 0.0, 0.95, 0.1]
    every = slice(None, None, 2)
    detections = BoxTable(
        videos,
        np.concatenate([video, video[every]]),
        np.concatenate([time, time[every]]).astype(np.int32),
        np.concatenate([np.clip(boxes + rng.normal(0, 0.01, boxes.shape), 0, 1), np.clip(far, 0, 1)]),
        np.concatenate([label, wrong]),
        np.concatenate([rng.uniform(0.5, 1.0, 120), rng.uniform(0.0, 0.6, 60)]),
    )
    return truth, detections


def changed(detections, **columns):
    fields = {name: getattr(detections, name) for name in ("videos", "video", "timestamp", "boxes", "label", "score")}
    return BoxTable(**{**fields, **columns})


def xywh(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def centres(boxes):
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


PIXELS = np.array([320.0, 240.0, 320.0, 240.0])
CAUSES = {
    "no extension": (
        lambda d: changed(d, videos=tuple(v.removesuffix(".mp4") for v in d.videos)),
        "videos have other names: 'clips/a' here is 'clips/a.mp4' in the annotations; one has the extension",
    ),
    "no folders": (
        lambda d: changed(d, videos=tuple(v.removeprefix("clips/") for v in d.videos)),
        "one has folders before the name",
    ),
    "upper case": (lambda d: changed(d, videos=tuple(v.upper() for v in d.videos)), "upper and lower case differ"),
    "other videos": (
        lambda d: changed(d, videos=("x", "y", "z")),
        "the detections are of other videos: none of their 3",
    ),
    "late": (
        lambda d: changed(d, timestamp=d.timestamp + 900),
        "0% of the detections are on annotated key frames, and 100% would be, as they are 900 late: add -900",
    ),
    "frame numbers": (
        lambda d: changed(d, timestamp=d.timestamp * 25),
        "they are numbers of frames at 25 a second: divide their timestamps by 25",
    ),
    "half a second off": (
        lambda d: changed(d, timestamp=exact_times(d.timestamp + 0.5)),
        "they are 0.5 late: add -0.5",
    ),
    "pixels": (lambda d: changed(d, boxes=d.boxes * PIXELS), "the boxes are pixels, and not x1, y1, x2, y2"),
    "pixels xywh": (lambda d: changed(d, boxes=xywh(d.boxes) * PIXELS), "the boxes are pixels, x, y, width, height"),
    "percent": (lambda d: changed(d, boxes=d.boxes * 100), "the boxes are percent of the frame"),
    "xywh": (lambda d: changed(d, boxes=xywh(d.boxes)), "the boxes are x, y, width, height (corner and size)"),
    "cxcywh": (lambda d: changed(d, boxes=centres(d.boxes)), "the boxes are centre x, centre y, width, height"),
    "yxyx": (lambda d: changed(d, boxes=d.boxes[:, [1, 0, 3, 2]]), "the boxes are y1, x1, y2, x2"),
    "corners": (lambda d: changed(d, boxes=d.boxes[:, [2, 3, 0, 1]]), "corners swapped"),
    "mirrored": (
        lambda d: changed(d, boxes=np.stack([1 - d.boxes[:, 2], d.boxes[:, 1], 1 - d.boxes[:, 0], d.boxes[:, 3]], 1)),
        "the boxes are mirrored left to right",
    ),
    "nowhere": (
        lambda d: changed(d, boxes=np.full_like(d.boxes, 0.9) + [0, 0, 0.05, 0.05]),
        "the boxes are where nobody is",
    ),
    "from 0": (lambda d: changed(d, label=d.label - 1), "class ids count from 0, and the label map's from 1: add 1"),
    "indices": (
        lambda d: changed(d, label=LABELS.to_index(d.label).astype(np.int32)),
        "they are indices of the model's outputs, from 0",
    ),
    "no gaps": (
        lambda d: changed(d, label=(LABELS.to_index(d.label) + 1).astype(np.int32)),
        "they are numbered from 1 without the gaps",
    ),
    "another order": (
        lambda d: changed(d, label=np.array(LABELS.ids)[(LABELS.to_index(d.label) + 2) % 5].astype(np.int32)),
        "classes in another order than the label map's",
    ),
    "unknown ids": (lambda d: changed(d, label=d.label + 400), "class ids that the label map lacks, such as [401, 403"),
    "constant": (lambda d: changed(d, score=np.full(len(d), 0.5)), "all 180 scores are 0.5"),
    "upside down": (lambda d: changed(d, score=1 - d.score), "scores run the wrong way"),
    "empty": (lambda d: d.rows(np.zeros(len(d), dtype=bool)), "there is not one detection in the file"),
}


@pytest.mark.parametrize("name", CAUSES)
def test_a_planted_cause_is_named(name):
    truth, detections = truth_and_detections()
    spoil, told = CAUSES[name]
    examination = examine(truth, spoil(detections), LABELS, frame_size=lambda video: SIZE)
    assert told in examination.verdict, examination.text()
    assert examination.report()["verdict"] == examination.verdict


def test_right_detections_have_no_cause_and_their_numbers_are_right():
    truth, detections = truth_and_detections()
    examination = examine(truth, detections, LABELS)
    m = examination.measures
    assert examination.causes == () and "the number is the model's" in examination.verdict
    assert m.found == 1.0 and m.mean_ap > 0.95 and m.unknown_labels == 0 and m.right_class == 1.0
    assert (m.overlap.videos, m.overlap.key_frames, m.overlap.rows) == (3, 60, 180) and sum(m.iou_histogram) == 120


def test_two_causes_at_once_are_both_told():
    truth, detections = truth_and_detections()
    spoilt = changed(detections, timestamp=detections.timestamp + 7, boxes=xywh(detections.boxes))
    causes = examine(truth, spoilt, LABELS).causes
    assert len(causes) == 2 and "7 late" in causes[0] and "corner and size" in causes[1]


def test_a_weak_model_is_not_accused_of_a_wrong_format():
    """Boxes with much noise, and classes that are often wrong: nothing in their form is."""
    truth, detections = truth_and_detections()
    rng = np.random.default_rng(1)
    noisy = np.clip(detections.boxes + rng.normal(0, 0.06, detections.boxes.shape), 0, 1)
    noisy = np.concatenate([np.minimum(noisy[:, :2], noisy[:, 2:]), np.maximum(noisy[:, :2], noisy[:, 2:])], axis=1)
    label = np.where(rng.random(180) < 0.5, detections.label, np.array(LABELS.ids)[rng.integers(0, 5, 180)])
    examination = examine(truth, changed(detections, boxes=noisy, label=label.astype(np.int32)), LABELS)
    assert examination.causes == (), examination.text()


@pytest.mark.parametrize("said", LABELS.ids)
def test_a_model_that_says_the_same_of_everybody_is_not_accused_of_another_numbering(said):
    """Most people do the class after the one that is said of all: "add 1" would be right more often, by chance."""
    truth, detections = truth_and_detections()
    after = LABELS.ids[(LABELS.ids.index(said) + 1) % 5]
    often = np.where(np.arange(len(truth)) % 3 > 0, after, truth.label).astype(np.int32)
    truth = BoxTable(truth.videos, truth.video, truth.timestamp, truth.boxes, often)
    examination = examine(truth, changed(detections, label=np.full(len(detections), said, np.int32)), LABELS)
    assert "numbered" not in examination.verdict, examination.text()


def test_real_detections_of_a_real_model_have_no_cause(shared_dir):
    from slowfast.structures.annotations.label_map import read_label_map
    from slowfast.utils.ava.tables import read_detections_csv, read_groundtruth_csv

    ava = shared_dir / "data" / "ava"
    labels = read_label_map(ava / "official_v2.2" / "ava_action_list_v2.2_for_activitynet_2019.pbtxt")
    truth = read_groundtruth_csv(ava / "predictions" / "koish11_v2.2_groundtruth.csv")
    examination = examine(truth, read_detections_csv(ava / "predictions" / "koish11_v2.2_detections.csv.gz"), labels)
    assert examination.causes == (), examination.text()


def test_the_command_reads_pixels_that_the_evaluator_refuses(tmp_path, repo_root, capsys):
    folder = make_set(tmp_path)
    rows = [
        "c,1,6.4,4.8,32,43.2,1,0.9",
        "c,2,12.8,4.8,38.4,43.2,3,0.8",
        "c,3,12.8,9.6,38.4,43.2,7,0.7",
        "c,bad,1,1,2,2,1,1",
    ]
    (folder / "detections.csv").write_text("\n".join(rows) + "\n")
    config = write_config(folder, repo_root)
    assert (
        main(["--cfg", str(config), "--detections", str(folder / "detections.csv")]) == 1
    )  # for the line that is none
    out = capsys.readouterr().out
    assert "likeliest cause: the boxes are pixels" in out and "detections.csv:4: timestamp 'bad'" in out
    write_detections_csv(truth_and_detections()[1], folder / "detections.csv")
    main(["--cfg", str(config), "--detections", str(folder / "detections.csv")])
    assert "likeliest cause: videos have other names: 'clips/c.mp4' here is 'c'" in capsys.readouterr().out
    assert main(["--cfg", str(config), "--detections", str(folder / "none.csv")]) == 2
