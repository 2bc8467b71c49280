"""slowfast.structures.box_table: shapes are checked where the table is made."""

import numpy as np
import pytest

from slowfast.structures.box_table import NO_LABEL, BoxTable


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
