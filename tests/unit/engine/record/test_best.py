"""slowfast.engine.record.results.Best: the weights that are kept are those of the highest headline."""

from slowfast.engine.record.results import Best


def test_only_a_higher_value_is_kept_and_an_equal_one_is_not():
    kept = []
    best = Best(-1.0, lambda: kept.append(best.value))
    for value in (0.3, 0.2, 0.3, 0.5, float("nan"), 0.4):
        best.offer(value)
    assert kept == [0.3, 0.5] and best.value == 0.5
