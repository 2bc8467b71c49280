import time

import numpy as np
import pytest

from slowfast.datasets.annotations.people.key_frames import build_key_frames
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.structures.annotations.label_map import LabelMap, read_label_map
from slowfast.utils.ava.tables import read_exclusions_csv, read_groundtruth_csv

LABELS = LabelMap((1, 4, 9), ("stand", "run", "wave"))
LEFT, RIGHT = (0.1, 0.2, 0.3, 0.4), (0.5, 0.2, 0.75, 1.0)
NOBODY = (np.nan,) * 4


def table(*rows):
    """Rows of (video, second, box, label)."""
    videos = tuple(dict.fromkeys(row[0] for row in rows))
    return BoxTable(
        videos=videos,
        video=np.array([videos.index(row[0]) for row in rows], dtype=np.int32),
        timestamp=np.array([row[1] for row in rows], dtype=np.int32),
        boxes=np.array([row[2] for row in rows], dtype=np.float64).reshape(-1, 4),
        label=np.array([row[3] for row in rows], dtype=np.int32),
    )


ROWS = (
    ("b", 7, RIGHT, 9),
    ("a", 5, LEFT, 1),
    ("b", 3, LEFT, 4),
    ("b", 7, LEFT, 1),
    ("b", 7, RIGHT, 1),
    ("a", 4, NOBODY, NO_LABEL),
)


def test_people_and_order_by_hand():
    frames, report = build_key_frames(table(*ROWS), LABELS)
    assert [(frames.video_name(k), int(frames.timestamp[k])) for k in range(len(frames))] == [
        ("a", 4), ("a", 5), ("b", 3), ("b", 7),
    ]  # fmt: skip
    assert frames.people(0)[0].shape == (0, 4) and frames.people(0)[1].shape == (0, 3)
    boxes, actions = frames.people(3)
    np.testing.assert_array_equal(boxes, np.array([LEFT, RIGHT], dtype=np.float32))
    assert actions.tolist() == [[1, 0, 0], [1, 0, 1]]
    assert (report.key_frames, report.people, report.actions, report.empty_key_frames) == (4, 4, 5, 1)
    assert "4 key frames of 2 videos, 4 people with 5 actions" in str(report) and "dropped nothing" in str(report)


def test_row_order_does_not_matter():
    expected, _ = build_key_frames(table(*ROWS), LABELS)
    rng = np.random.default_rng(0)
    for _ in range(5):
        found, _ = build_key_frames(table(*[ROWS[i] for i in rng.permutation(len(ROWS))]), LABELS)
        assert found.videos == expected.videos
        for column in ("video", "timestamp", "first_person", "boxes", "actions"):
            np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))


def test_subset_keeps_people_with_their_frames():
    frames, _ = build_key_frames(table(*ROWS), LABELS)
    part = frames.subset([3, 0, 3, 1])
    assert part.timestamp.tolist() == [7, 4, 7, 5]
    for position, original in enumerate([3, 0, 3, 1]):
        for found, expected in zip(part.people(position), frames.people(original), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert len(frames.subset([])) == 0


def test_exclusions_and_valid_seconds_drop_and_count():
    frames, report = build_key_frames(
        table(*ROWS), LABELS, exclusions={("b", 7), ("never seen", 1)}, valid_seconds=(4, 6)
    )
    assert [(frames.video_name(k), int(frames.timestamp[k])) for k in range(len(frames))] == [("a", 4), ("a", 5)]
    assert frames.videos == ("a",)
    assert (report.excluded_key_frames, report.out_of_range_key_frames) == (1, 1)
    assert "dropped 1 excluded key frames, 1 key frames outside the valid seconds" in str(report)


def test_a_box_without_label_is_a_person_of_the_background():
    frames, report = build_key_frames(table(("a", 1, LEFT, NO_LABEL), ("a", 1, RIGHT, 4)), LABELS)
    assert frames.people(0)[1].tolist() == [[0, 0, 0], [0, 1, 0]]
    assert report.background_people == 1 and report.unknown_class_rows == 0


def test_unknown_class_is_an_error_or_background():
    rows = table(("a", 1, LEFT, 2), ("a", 1, LEFT, 4), ("a", 1, RIGHT, 80), ("a", 1, RIGHT, 2))
    with pytest.raises(ValueError, match=r"val.csv: 3 rows have class ids \[2, 80\], which the label map of 3 classes"):
        build_key_frames(rows, LABELS, source="val.csv")
    frames, report = build_key_frames(rows, LABELS, ignore_unknown=True)
    assert frames.people(0)[1].tolist() == [[0, 1, 0], [0, 0, 0]]
    assert (report.unknown_class_rows, report.background_people, report.repeated_rows) == (3, 1, 0)


def test_repeated_rows_are_counted():
    _, report = build_key_frames(table(("a", 1, LEFT, 1), ("a", 1, LEFT, 1)), LABELS)
    assert (report.people, report.actions, report.repeated_rows) == (1, 1, 1)


@pytest.mark.parametrize(
    ("box", "text"),
    [
        ((-0.01, 0.2, 0.3, 0.4), r"v.csv: video 'a', second 7: box \(-0.01, 0.2, 0.3, 0.4\) is outside \[0, 1\]"),
        ((12.0, 20.0, 100.0, 200.0), r"outside \[0, 1\]; boxes are x1, y1, x2, y2 as fractions of the frame"),
        ((0.3, 0.2, 0.1, 0.4), r"box \(0.3, 0.2, 0.1, 0.4\) is empty or inverted"),
        ((0.3, 0.2, 0.3, 0.4), "is empty or inverted"),
        ((0.1, np.nan, 0.3, 0.4), r"box \(0.1, nan, 0.3, 0.4\) is outside"),
        (NOBODY, "outside"),
    ],
)
def test_bad_boxes_are_named(box, text):
    with pytest.raises(ValueError, match=text):
        build_key_frames(table(("a", 7, box, 1)), LABELS, source="v.csv")


def test_rounding_beyond_the_frame_is_clipped():
    frames, _ = build_key_frames(table(("a", 7, (-0.0009, -0.0, 1.0009, 1.0), 1)), LABELS)
    assert frames.boxes.tolist() == [[0, 0, 1, 1]]


def test_no_rows():
    frames, report = build_key_frames(table(), LABELS)
    assert len(frames) == 0 and frames.boxes.shape == (0, 4) and frames.actions.shape == (0, 3)
    assert report.key_frames == 0


def test_real_ava_equals_a_plain_loop(shared_dir):
    ava = shared_dir / "data" / "ava"
    rows = read_groundtruth_csv(ava / "gt" / "ava_val_v2.1_8videos.csv.gz")
    label_map = read_label_map(ava / "official_v2.2" / "ava_action_list_v2.2.pbtxt")
    exclusions = read_exclusions_csv(ava / "official_v2.2" / "ava_val_excluded_timestamps_v2.2.csv")
    frames, report = build_key_frames(rows, label_map, exclusions=exclusions, valid_seconds=(902, 1798))

    expected: dict[tuple[str, int], dict[tuple, set[int]]] = {}
    for video, second, box, label in zip(rows.video, rows.timestamp, rows.boxes, rows.label, strict=True):
        name = (rows.videos[video], int(second))
        if name not in exclusions and 902 <= second <= 1798:
            expected.setdefault(name, {}).setdefault(tuple(box.astype(np.float32).tolist()), set()).add(int(label))
    assert len(frames) == len(expected) and report.people == sum(map(len, expected.values()))
    for k, (name, people) in enumerate(sorted(expected.items())):
        assert (frames.video_name(k), int(frames.timestamp[k])) == name
        boxes, actions = frames.people(k)
        ids = [{label_map.ids[i] for i in np.flatnonzero(row)} for row in actions]
        assert dict(zip(map(tuple, boxes.tolist()), ids, strict=True)) == people


def test_the_whole_train_set_is_grouped_in_seconds():
    """As many rows as AVA's train set; guards against a loop over rows (minutes), so the bound is loose."""
    rng = np.random.default_rng(0)
    rows, people = 837_000, 350_000
    owner = np.sort(rng.integers(0, people, rows))
    low = rng.integers(0, 500, (people, 2))
    boxes = np.concatenate([low, low + rng.integers(1, 500, (people, 2))], axis=1) / 1000
    big = BoxTable(
        videos=tuple(f"video{i:03d}" for i in range(235)),
        video=(owner // 1500).astype(np.int32),
        timestamp=(902 + owner // 2 % 897).astype(np.int32),
        boxes=boxes[owner],
        label=rng.integers(1, 81, rows).astype(np.int32),
    )
    start = time.perf_counter()
    frames, _ = build_key_frames(big, LabelMap(tuple(range(1, 81)), tuple(map(str, range(80)))))
    assert time.perf_counter() - start < 10
    assert len(np.unique(owner)) >= len(frames.boxes) > 200_000
