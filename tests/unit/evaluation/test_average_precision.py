import math

import numpy as np
import pytest

from slowfast.evaluation.average_precision import average_precision


@pytest.mark.parametrize(
    ("scores", "hits", "people", "expected"),
    [
        ([], [], 0, math.nan),
        ([0.5], [], 0, math.nan),
        ([], [], 3, 0.0),
        ([0.1, 0.2], [], 3, 0.0),
        ([0.9], [0.9], 1, 1.0),
        ([0.9], [0.9], 4, 0.25),
        ([0.2, 0.9], [0.2], 1, 0.5),
        ([0.1, 0.2, 0.9], [0.9, 0.1], 2, 0.5 * 1 + 0.5 * 2 / 3),
        ([0.1, 0.1, 0.9], [0.9, 0.1], 2, 0.5 * 1 + 0.5 * 2 / 3),
        ([0.5, 0.5, 0.5, 0.5], [0.5], 1, 0.25),
        ([0.5, 0.5, 0.5, 0.5], [0.5, 0.5], 2, 0.5),
    ],
)
def test_by_hand(scores: list, hits: list, people: int, expected: float) -> None:
    value = average_precision(np.array(scores), np.array(hits), people)
    assert value == pytest.approx(expected, abs=1e-15, nan_ok=True)
