"""Views of videos to one score each, and the numbers: by hand, by property, and through the file."""

import json

import numpy as np
import pytest
import torch

from slowfast.evaluation.videos.evaluator import ClassificationEvaluator
from slowfast.evaluation.videos.score_files import read_scores, write_scores
from slowfast.evaluation.videos.scores import VideoScores
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.structures.clip import ViewMeta

NAMES = tuple("abcd")
CLASSES = tuple(f"class {i}" for i in range(7))


def scores_of(rows, labels, *, views=None) -> VideoScores:
    rows, labels = np.array(rows, dtype=np.float32), np.array(labels)
    names = tuple(f"video {i}" for i in range(len(rows)))
    views = np.full(len(rows), 1) if views is None else np.array(views)
    return VideoScores(names, CLASSES[: rows.shape[1]], labels, rows, views, 1, "probabilities")


def test_accuracies_by_hand():
    rows = [[7, 6, 5, 4, 3, 2, 1]] * 4
    found = scores_of(rows, [0, 0, 4, 5]).summary()  # places 1, 1, 5, 6
    assert found["top1"] == 0.5 and found["top5"] == 0.75
    assert found["mean_class_accuracy"] == pytest.approx(1 / 3)  # class 0: 1, class 4: 0, class 5: 0, others have none


@pytest.mark.parametrize(("classes", "names"), [(5, {"top1"}), (6, {"top1", "top5"})])
def test_top5_is_of_more_than_five_classes(classes, names):
    found = scores_of(np.eye(classes), range(classes))
    assert set(found.summary()) == names | {"mean_class_accuracy"}
    assert ("top5" in found.table()) == ("top5" in names)


def test_equal_scores_rank_by_class_index():
    found = scores_of([[1] * 7] * 3, [0, 4, 5]).summary()
    assert found["top1"] == pytest.approx(1 / 3) and found["top5"] == pytest.approx(2 / 3)


def test_multi_label_map_by_hand():
    rows = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]]
    labels = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], dtype=bool)
    found = scores_of(rows, labels)
    assert found.class_values()[0] == pytest.approx((1 + 2 / 3) / 2) and np.isnan(found.class_values()[1])
    assert found.summary() == {"mAP": pytest.approx(5 / 6)}
    tied = scores_of([[0.5], [0.5]], np.array([[True], [False]]))
    assert tied.summary()["mAP"] == pytest.approx((1 + 1 / 2) / 2)  # either may come first
    with pytest.raises(ValueError, match="no video has any label"):
        scores_of([[0.5]], np.array([[False]])).summary()


def test_a_video_without_views_is_wrong_and_named():
    rows = np.array([[1.0, 0], [np.nan, np.nan], [0, 1]])
    found = scores_of(rows, [0, 0, 1], views=[1, 0, 1])
    assert found.summary() == {"top1": pytest.approx(2 / 3), "mean_class_accuracy": 0.75}  # of two classes no top5
    assert found.missing == ["video 1"] and "1 videos have no view at all and count as wrong: video 1" in found.table()
    many = scores_of(rows, np.array([[1, 0], [1, 0], [0, 1]], dtype=bool), views=[1, 0, 1])
    assert many.class_values()[0] == pytest.approx((1 + 2 / 3) / 2)


def test_a_score_that_is_not_finite_is_an_error():
    with pytest.raises(ValueError, match="1 videos with views have a score that is not finite, first 'video 1'"):
        scores_of([[1.0, 0], [np.nan, 0.5], [np.nan, np.nan]], [0, 0, 0], views=[1, 1, 0])


def collect(logits, *, ensemble="probabilities", labels=None, ranks=1, order=None, num_views=3):
    """logits: (V, views, C)."""
    videos, views, classes = logits.shape
    labels = np.zeros(videos, dtype=np.int64) if labels is None else labels
    video_list = LabelledVideos(tuple(f"v{i}" for i in range(videos)), labels, CLASSES[:classes])
    pairs = [(v, k) for v in range(videos) for k in range(views)]
    pairs = pairs if order is None else [pairs[i] for i in order]
    evaluators = [ClassificationEvaluator(video_list, num_views=num_views, ensemble=ensemble) for _ in range(ranks)]
    for i, (v, k) in enumerate(pairs):
        evaluators[i % ranks].process(torch.from_numpy(logits[v, k][None]), [ViewMeta(f"v{v}", k)])
    shares = [evaluator._pieces for evaluator in evaluators]
    return evaluators[0].evaluate(gather=lambda _: shares)


def test_views_are_averaged_as_named():
    logits = np.log(np.array([[[0.8, 0.2], [0.5, 0.5], [0.2, 0.8]], [[0.6, 0.4], [0.6, 0.4], [0.9, 0.1]]]))
    np.testing.assert_allclose(collect(logits).scores, [[0.5, 0.5], [0.7, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(collect(logits, ensemble="logits").scores, logits.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(
        collect(logits, ensemble="max_probabilities").scores, [[0.8, 0.8], [0.9, 0.4]], rtol=1e-6
    )
    many = np.zeros((2, 2), dtype=bool)
    expected = (1 / (1 + np.exp(-logits))).mean(axis=1)
    np.testing.assert_allclose(collect(logits, labels=many).scores, expected, rtol=1e-6)


@pytest.mark.parametrize("ensemble", ["probabilities", "logits", "max_probabilities"])
def test_ranks_and_order_change_nothing_at_all(ensemble):
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((5, 3, 7))
    one = collect(logits, ensemble=ensemble)
    for ranks in (2, 3):
        again = collect(logits, ensemble=ensemble, ranks=ranks, order=rng.permutation(15))
        assert np.array_equal(one.scores, again.scores) and one.report() == again.report()


def test_partial_views_are_counted_and_named():
    found = collect(np.zeros((2, 3, 2)), order=[0, 1, 2, 3])
    assert found.partial == ["v1"] and found.views.tolist() == [3, 1]
    assert "warning: 1 videos have only some of their views: v1" in found.table()
    assert found.report()["videos_with_some_views"] == ["v1"]
    unseen = collect(np.zeros((3, 3, 2)), order=[0, 1, 2, 3])  # nothing of v2
    assert (unseen.partial, unseen.missing) == (["v1"], ["v2"])


@pytest.mark.parametrize("ensemble", ["probabilities", "logits", "max_probabilities"])
def test_a_video_with_some_views_is_scored_by_those(ensemble):
    logits = np.array([[[1.0, 0], [3.0, 0], [9.0, 0]]])
    some, alone = collect(logits, ensemble=ensemble, order=[0, 1]), collect(logits[:, :2], ensemble=ensemble)
    assert np.array_equal(some.scores, alone.scores)
    assert ensemble != "logits" or some.scores.tolist() == [[2, 0]]


def test_errors():
    with pytest.raises(ValueError, match="1 views were processed more than once, among them view 1 of 'v0'"):
        collect(np.zeros((1, 3, 2)), order=[0, 1, 1], ranks=2)
    videos = LabelledVideos(("a",), np.array([0]), ("x", "y"))
    evaluator = ClassificationEvaluator(videos, num_views=2)
    with pytest.raises(ValueError, match="no view of any video was processed"):
        evaluator.evaluate()
    with pytest.raises(ValueError, match=r"shape \(1, 3\), expected \(1, 2\)"):
        evaluator.process(torch.zeros(1, 3), [ViewMeta("a", 0)])
    with pytest.raises(ValueError, match="view 1 of video 'a' has an output that is not finite"):
        evaluator.process(torch.tensor([[0, torch.nan]]), [ViewMeta("a", 1)])
    with pytest.raises(ValueError, match="views are numbered 0 to 1, got 2"):
        evaluator.process(torch.zeros(1, 2), [ViewMeta("a", 2)])
    with pytest.raises(ValueError, match="ensemble must be one of probabilities, logits, max_probabilities, got 'sum'"):
        ClassificationEvaluator(videos, num_views=2, ensemble="sum")
    with pytest.raises(ValueError, match="class indices are 0 to 1, got 0 to 2"):
        scores_of([[0, 1], [0, 1]], [0, 2])
    with pytest.raises(ValueError, match="there is no video"):
        scores_of(np.zeros((0, 2)), np.zeros(0, dtype=int))


@pytest.mark.parametrize("multi_label", [False, True])
def test_everything_is_recomputed_exactly_from_the_file(run_tool, tmp_path, multi_label):
    rng = np.random.default_rng(0)
    labels = rng.random((30, 7)) < 0.3 if multi_label else rng.integers(0, 7, 30)
    scores = collect(rng.standard_normal((30, 3, 7)), labels=labels, order=range(85))
    write_scores(scores, tmp_path / "scores.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["scores.npz"]
    assert read_scores(tmp_path / "scores.npz").report() == scores.report()
    done = run_tool("tools/evaluate_scores.py", "scores.npz", "--json", "out.json")
    assert done.stdout.strip() == scores.table()
    assert json.loads((tmp_path / "out.json").read_text()) == scores.report()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"PK broken", "not a file of video scores"), (b"", "not a file of video scores")],
)
def test_a_wrong_file_is_one_message_and_exit_code_2(run_tool, tmp_path, content, message):
    if content is not None:
        (tmp_path / "scores.npz").write_bytes(content)
    done = run_tool("tools/evaluate_scores.py", "scores.npz", expect=2)
    assert done.stderr.startswith("error: scores.npz: ") and message in done.stderr


def test_a_file_of_something_else(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    np.save(tmp_path / "b.npy", np.zeros(3))
    for name in ("a.npz", "b.npy"):
        with pytest.raises(ValueError, match=f"{name}: not a file of video scores"):
            read_scores(tmp_path / name)
