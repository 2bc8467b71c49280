"""slowfast.engine.record.results.Best: the weights that are kept are those of the highest number of an evaluation."""

from argparse import Namespace

import pytest

from slowfast.engine.record.results import Best, chosen_metric
from slowfast.structures.outputs.result import Headline


def test_only_a_higher_value_is_kept_and_an_equal_one_is_not():
    kept = []
    best = Best(-1.0, lambda: kept.append(best.value))
    since = []
    for value in (0.3, 0.2, 0.3, 0.5, float("nan"), 0.4):
        best.offer("mAP", value)
        since.append(best.since)
    assert kept == [0.3, 0.5] and best.value == 0.5 and best.metric == "mAP"
    assert since == [0, 1, 2, 0, 1, 2]


def test_another_number_begins_anew(caplog):
    kept = []
    best = Best(0.9, lambda: kept.append(best.value), metric="mAP", since=4)
    best.offer("person_AP", 0.2)
    assert kept == [0.2] and (best.value, best.metric, best.since) == (0.2, "person_AP", 0)


RESULT = Namespace(headline=Headline("mAP", 0.25), summary=lambda: {"mAP": 0.25, "AP/sit": 0.5, "AP/stand": None})


def test_which_number_is_compared():
    assert chosen_metric(RESULT, "") == ("mAP", 0.25) and chosen_metric(RESULT, "AP/sit") == ("AP/sit", 0.5)
    assert chosen_metric(RESULT, "AP/stand") == ("AP/stand", float("-inf"))
    with pytest.raises(ValueError, match=r"TRAIN\.BEST_METRIC is 'AP', and an evaluation has mAP, AP/sit, AP/stand"):
        chosen_metric(RESULT, "AP")
