"""slowfast.structures.annotations.box_table: shapes are checked where the table is made; key frames have codes and select rows."""

from dataclasses import dataclass

import numpy as np
import pytest

from slowfast.datasets.annotations.people.key_frames import build_key_frames
from slowfast.structures.annotations.box_table import (
    NO_LABEL,
    BoxTable,
    exact_times,
    key_frame_codes,
    plain_time,
    split_codes,
    time_text,
)
from slowfast.structures.annotations.label_map import LabelMap


def table(rows: int = 3, **changes) -> BoxTable:
    columns = {
        "videos": ("a", "b"),
        "video": np.arange(rows) % 2,
        "timestamp": np.arange(rows) + 900,
        "boxes": np.tile([0.1, 0.2, 0.3, 0.4], (rows, 1)),
        "label": np.full(rows, NO_LABEL),
    }
    return BoxTable(**(columns | changes))


def test_rows_are_selected_by_mask_and_by_index():
    scored = table(score=np.array([0.1, 0.2, 0.3]))
    by_index = scored.rows(np.array([2, 0]))
    assert len(scored) == 3 and len(by_index) == 2
    assert by_index.timestamp.tolist() == [902, 900] and by_index.score.tolist() == [0.3, 0.1]
    assert by_index.videos == ("a", "b")
    by_mask = table().rows(np.array([False, True, False]))
    assert by_mask.timestamp.tolist() == [901] and by_mask.score is None
    assert len(table(rows=0)) == 0


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("boxes", np.zeros((3, 5)), r"BoxTable.boxes has shape \(3, 5\), expected \(3, 4\) to match 3 rows of `video`"),
        ("timestamp", np.zeros(2), r"BoxTable.timestamp has shape \(2,\), expected \(3,\)"),
        ("label", np.zeros((3, 1)), r"BoxTable.label has shape \(3, 1\), expected \(3,\)"),
        ("score", np.zeros(4), r"BoxTable.score has shape \(4,\), expected \(3,\)"),
    ],
)
def test_columns_of_other_lengths_are_named(column, value, message):
    with pytest.raises(ValueError, match=message):
        table(**{column: value})


def test_a_table_without_scores_says_so():
    assert table(score=np.array([0.1, 0.2, 0.3])).scores.tolist() == [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match="have no scores; is this a ground-truth table"):
        _ = table().scores


def test_codes_tell_key_frames_apart_sort_as_they_do_and_can_be_split():
    ends = np.array([-(2**31), -1, 0, 1, 2**31 - 1], dtype=np.int32)
    video, timestamp = np.repeat(np.arange(-1, 3, dtype=np.int32), len(ends)), np.tile(ends, 4)
    codes = key_frame_codes(video, timestamp)
    assert codes.dtype == np.int64 and (np.diff(codes) > 0).all()
    assert [part.tolist() for part in split_codes(codes)] == [video.tolist(), timestamp.tolist()]
    assert table().key_frame.tolist() == [900_000, (1 << 42) + 901_000, 902_000]


def test_fractions_of_a_second_compare_to_the_thousandth_and_whole_seconds_stay_integers():
    exact = exact_times(np.array([3.5, 1 / 3, 0.1 + 0.2, 7.0004]))
    assert exact.dtype == np.float64 and exact.tolist() == [3.5, 0.333, 0.3, 7.0]
    assert exact_times(np.array([3.0, 7.0004])).dtype == np.int32
    mixed = key_frame_codes(np.array([0, 0, 0]), exact_times(np.array([3.0, 3.5, 0.3])))
    assert mixed.tolist() == [3000, 3500, 300]
    assert [part.tolist() for part in split_codes(mixed)] == [[0, 0, 0], [3.0, 3.5, 0.3]]
    assert key_frame_codes(np.array([-1]), np.array([-0.5])) < key_frame_codes(np.array([-1]), np.array([0]))
    assert [plain_time(t) for t in (3.0, 3.5, 0.1 + 0.2)] == [3, 3.5, 0.3] and isinstance(plain_time(3.0), int)
    assert [time_text(t) for t in (902, 3.5, 1234.0)] == ["0902", "0003.500", "1234"]


@dataclass(frozen=True)
class Listing:
    videos: tuple[str, ...]
    video: np.ndarray
    timestamp: np.ndarray


@pytest.mark.parametrize(
    ("key_frames", "kept"),
    [
        ([("a", 900), ("b", 902)], [0]),  # b has no 902
        ({("b", 901), ("a", 902), ("c", 900)}, [1, 2]),  # nor has the table a video c
        ([], []),
        (Listing(("b", "c", "a"), np.array([0, 1, 2]), np.array([901, 902, 902])), [1, 2]),
        (Listing(("c",), np.array([0, 0]), np.array([900, 901])), []),
        (table(2), [0, 1]),
    ],
)
def test_rows_on_key_frames(key_frames, kept):
    found = table(label=np.array([7, 8, 9])).on(key_frames)
    assert found.label.tolist() == [7 + i for i in kept] and found.videos == ("a", "b")


def test_rows_on_the_key_frames_of_a_data_set():
    key_frames, _ = build_key_frames(table(2), LabelMap((1,), ("stand",)))
    assert table().on(key_frames).timestamp.tolist() == [900, 901]
