"""Numbering the boxes of tables: by hand, and against a dictionary on random rows."""

import numpy as np
import pytest

from slowfast.evaluation.diagnosis import distinct_boxes as module
from slowfast.evaluation.diagnosis.distinct_boxes import distinct_boxes, pieces
from tests.unit.evaluation.tables import random_case, table

LEFT, RIGHT = (0.0, 0.0, 0.2, 0.4), (0.5, 0.0, 0.7, 0.4)


def test_boxes_are_numbered_by_key_frame_and_place_whatever_the_order_of_rows():
    first = table(
        ("b", 1, LEFT, 1, 0.5), ("a", 2, RIGHT, 1, 0.5), ("a", 2, LEFT, 1, 0.5), ("a", 2, RIGHT, 2, 0.1), scored=True
    )
    second = table(("b", 1, LEFT, 1, 0.9), ("c", 1, LEFT, 1, 0.9), scored=True)
    (of_first, of_second), boxes = distinct_boxes(first, second)
    assert of_first.tolist() == [2, 1, 0, 1] and of_second.tolist() == [2, 3]
    assert boxes.boxes.tolist() == [list(LEFT), list(RIGHT), list(LEFT), list(LEFT)]
    assert [boxes.videos[v] for v in boxes.video] == ["a", "a", "b", "c"]


@pytest.mark.parametrize("seed", range(4))
def test_against_a_dictionary_with_runs_that_end_at_pieces(seed, monkeypatch):
    monkeypatch.setattr(module, "PIECE_ROWS", 5)
    _, rows = random_case(seed)
    (number,), boxes = distinct_boxes(rows)
    keys = [(rows.videos[v], t, *b) for v, t, b in zip(rows.video, rows.timestamp, rows.boxes.tolist(), strict=True)]
    order = {key: k for k, key in enumerate(sorted(set(keys)))}
    assert number.tolist() == [order[key] for key in keys] and len(boxes) == len(order)


def test_empty_tables_and_pieces():
    nothing = table(("a", 1, LEFT, 1, 0.5), scored=True).rows(np.zeros(0, dtype=int))
    (number,), boxes = distinct_boxes(nothing)
    assert len(number) == 0 and len(boxes) == 0
    assert list(pieces(0)) == [] and list(pieces(-1)) == []
    assert [(p.start, p.stop) for p in pieces(module.PIECE_ROWS + 1)][1] == (module.PIECE_ROWS, module.PIECE_ROWS + 1)
