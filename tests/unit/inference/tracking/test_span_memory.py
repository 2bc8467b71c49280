"""Spans told as they end are those told at the end."""

import numpy as np

from slowfast.inference.tracking.spans import ActionSpans, action_spans
from slowfast.structures.outputs.moment import ActionScore, Moment, Person

BOX = (0.0, 0.0, 1.0, 1.0)


def test_spans_that_are_over_are_told_at_once_and_forgotten():
    rng = np.random.default_rng(0)
    moments = []
    for number in range(300):
        people = tuple(
            Person(BOX, BOX, 1.0, (ActionScore("a", 1, round(float(rng.random()), 3)),), track)
            for track in (number // 50 * 2 + 1, number // 50 * 2 + 2)
            if rng.random() < 0.5
        )
        moments.append(Moment(float(number), (2, 2), people))
    spans, told, most = ActionSpans(), [], 0
    for moment in moments:
        told += spans.see(moment)
        most = max(most, len(spans._open))
    told += spans.rest()
    assert sorted(map(repr, told)) == sorted(map(repr, action_spans(moments))) and len(told) > 50
    assert most <= 4
