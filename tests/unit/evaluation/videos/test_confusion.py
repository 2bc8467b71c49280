"""Which class videos are taken for: by hand, by property, as tables and as files."""

import csv
import time

import numpy as np
import pytest

from slowfast.evaluation.videos.confusion import ConfusedPair, confused_pairs, write_class_table, write_matrix
from slowfast.evaluation.videos.scores import VideoScores
from slowfast.evaluation.videos.tables import class_table, confused_table

NAMES = ("walk", "run, fast", "sit", "never")


def taken_for(pairs, *, views=None, names=NAMES) -> VideoScores:
    """pairs: (true class, best class) of each video."""
    labels, best = np.array(pairs).T
    scores = np.eye(len(names), dtype=np.float32)[best]
    views = np.ones(len(labels), dtype=int) if views is None else np.array(views)
    scores[views == 0] = np.nan
    videos = tuple(f"v{i}" for i in range(len(labels)))
    return VideoScores(videos, names, labels, scores, views, 1, "probabilities")


# walk: 2 right, 1 taken for run, 2 for sit, 1 without views; run: 1 right, 2 taken for walk; sit: 1 taken for run
HAND = [(0, 0), (0, 0), (0, 1), (0, 2), (0, 2), (0, 0), (1, 1), (1, 0), (1, 0), (2, 1)]
SEEN = [1, 1, 1, 1, 1, 0, 1, 1, 1, 1]


@pytest.fixture
def hand() -> VideoScores:
    return taken_for(HAND, views=SEEN)


def test_the_matrix_by_hand(hand):
    assert hand.confusion.counts.tolist() == [[2, 1, 2, 0], [2, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert hand.confusion.unseen.tolist() == [1, 0, 0, 0] and hand.confusion.videos.tolist() == [6, 3, 1, 0]
    assert hand.predicted.tolist() == [0, 0, 1, 2, 2, -1, 1, 0, 0, 1]


def test_the_classes_by_hand(hand):
    walk, run, sit, never = hand.classes
    assert (walk.videos, walk.value, walk.precision) == (6, pytest.approx(2 / 6), pytest.approx(2 / 4))
    assert (walk.wrong, walk.wrong_count) == (2, 2)
    assert (run.value, run.precision, run.wrong, run.wrong_count) == (pytest.approx(1 / 3), pytest.approx(1 / 3), 0, 2)
    assert (sit.videos, sit.value, sit.precision, sit.wrong) == (1, 0.0, 0.0, 1)
    assert never.videos == 0 and np.isnan([never.value, never.precision]).all() and never.wrong is None


def test_the_pairs_by_hand(hand):
    pairs = confused_pairs(hand.confusion, most=3)
    assert pairs == [ConfusedPair(1, 0, 2, 2 / 3), ConfusedPair(0, 2, 2, 2 / 6), ConfusedPair(2, 1, 1, 1.0)]
    assert confused_pairs(hand.confusion, most=9)[3:] == [ConfusedPair(0, 1, 1, 1 / 6)]
    assert hand.report()["confused_pairs"][0] == {"true": "run, fast", "predicted": "walk", "count": 2, "share": 2 / 3}
    assert taken_for([(0, 0), (1, 1)]).report()["confused_pairs"] == []


def test_of_equal_counts_the_lower_class_is_the_wrong_answer():
    assert taken_for([(0, 3), (0, 2), (0, 2), (0, 3)]).classes[0].wrong == 2


def test_everything_adds_up_and_four_hundred_classes_are_fast():
    """Also: the matrix and the summary, which ranks the true class, say the same, ties included."""
    rng = np.random.default_rng(0)
    names = tuple(f"class {k}" for k in range(400))
    rows = rng.integers(0, 60, (20_000, 400)).astype(np.float32)
    views = (rng.random(20_000) > 0.01).astype(int)
    rows[views == 0] = np.nan
    found = VideoScores(
        tuple(map(str, range(20_000))), names, rng.integers(0, 400, 20_000), rows, views, 1, "probabilities"
    )
    start = time.perf_counter()
    confusion, pairs, classes = found.confusion, confused_pairs(found.confusion, most=400**2), found.classes
    assert time.perf_counter() - start < 5  # seconds; a loop over the cells would take minutes
    assert confusion.counts.sum() + confusion.unseen.sum() == 20_000
    assert np.trace(confusion.counts) / 20_000 == pytest.approx(found.summary()["top1"], abs=1e-12)
    shares = np.zeros(400)
    np.add.at(shares, [pair.true for pair in pairs], [pair.share for pair in pairs])
    accuracy = np.array([row.value for row in classes])
    np.testing.assert_allclose(accuracy + shares + confusion.unseen / confusion.videos, 1)
    assert len(found.report()["confused_pairs"]) == 20


def test_many_labels_have_average_precisions_and_no_matrix():
    labels = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]], dtype=bool)
    scores = np.array([[0.9, 0.3, 0, 0.1], [0.2, 0.2, 0, 0.2], [0.4, 0.1, 0, 0.3]], dtype=np.float32)
    found = VideoScores(("a", "b", "c"), NAMES, labels, scores, np.ones(3, int), 1, "max_probabilities")
    assert [row.videos for row in found.classes] == [2, 1, 0, 1]
    assert [row.value for row in found.classes][:2] == pytest.approx([(1 + 2 / 3) / 2, 1 / 2])
    assert np.isnan(found.classes[2].value) and "confused_pairs" not in found.report()
    with pytest.raises(ValueError, match="videos with many labels have no confusion matrix"):
        confused_table(found, 5)
    assert class_table(found).splitlines()[0].split() == ["class", "videos", "AP"]
    assert class_table(found).splitlines()[-1].split() == ["sit", "0", "-"]


def test_the_tables_as_text(hand):
    # equal accuracies keep the order of the classes, a class without videos comes last
    assert class_table(hand).splitlines() == [
        "class      videos  accuracy  precision  most frequent wrong answer",
        "walk            6    0.3333     0.5000  sit (2)",
        "run, fast       3    0.3333     0.3333  walk (2)",
        "sit             1    0.0000     0.0000  run, fast (1)",
        "never           0         -          -  -",
    ]
    assert confused_table(hand, 2).splitlines() == [
        "true class  taken for  videos  share of the true class",
        "run, fast   walk            2                   0.6667",
        "walk        sit             2                   0.3333",
    ]
    assert confused_table(taken_for([(0, 0)]), 2) == "no video is taken for another class"


def test_the_files(hand, tmp_path):
    write_class_table(hand.classes, tmp_path / "per_class.csv", multi_label=False)
    rows = list(csv.DictReader((tmp_path / "per_class.csv").open()))
    assert rows[1] == {
        "index": "1",
        "class": "run, fast",
        "videos": "3",
        "accuracy": "0.333333",
        "precision": "0.333333",
        "most_frequent_wrong": "walk",
        "wrong_videos": "2",
    }
    assert (rows[3]["accuracy"], rows[3]["most_frequent_wrong"], rows[3]["wrong_videos"]) == ("", "", "0")
    write_matrix(hand.confusion, tmp_path / "confusion.csv")
    table = list(csv.reader((tmp_path / "confusion.csv").open()))
    assert table[0] == ["true \\ predicted", *NAMES, "(no views)"]
    assert table[1] == ["walk", "2", "1", "2", "0", "1"] and len(table) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confusion.csv", "per_class.csv"]
