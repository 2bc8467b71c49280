"""The page about a classifier from plain numbers: what it says, what its galleries show, that two runs are the same set."""

import re
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest

from slowfast.config import load_cfg
from slowfast.datasets.split import VideoSplit
from slowfast.evaluation.videos.scores import VideoScores
from slowfast.report.axes import MATRIX_CLASSES
from slowfast.report.videos.gallery import card_of, chosen, chosen_of_two, gallery_html
from slowfast.report.videos.page import ReportedScores, report_figures, report_html
from slowfast.report.videos.run import ClassifierRun, write_report
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.video.source import ClipReadError, VideoLength
from tests.unit.report.page_elements import Elements, outside_references


class Pixels:
    """A VideoSource: video "v7" has 9 frames, each as grey as its number; "v0" cannot be read."""

    def length(self, video: str) -> VideoLength:
        if video == "v0":
            raise ClipReadError("v0.mp4", None, "it holds <no> video stream")
        return VideoLength(np.arange(9) / 25, 25.0)

    def read_positions(self, video: str, positions: np.ndarray, *, short_side: int | None = None) -> np.ndarray:
        return np.stack([np.full((90, 120, 3), 20 * p, np.uint8) for p in positions])


def scores_of(
    classes: tuple[str, ...], *, videos: int = 40, seed: int = 0, multi_label: bool = False, ensemble="probabilities"
) -> VideoScores:
    """Random scores that tend to be right; the second video has no views, the third some of its two."""
    rng = np.random.default_rng(seed)
    labels = np.arange(videos) % len(classes)
    logits = rng.standard_normal((videos, len(classes))) + 2.0 * np.eye(len(classes))[labels]
    rows = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    views = np.full(videos, 2)
    views[1], views[2] = 0, 1
    rows[1] = np.nan
    truth = np.eye(len(classes), dtype=bool)[labels] if multi_label else labels
    names = tuple(f"v{i}" for i in range(videos))
    return VideoScores(names, classes, truth, rows.astype(np.float32), views, 2, ensemble)


def page_of(*runs: ReportedScores) -> str:
    scored = [(run.name, run.scores) for run in runs]
    picked = chosen(scored[0][1]) if len(runs) == 1 else chosen_of_two(scored)
    cards = {heading: [card_of(v, scored, Pixels()) for v in videos] for heading, videos in picked.items()}
    return report_html(runs, report_figures(runs), cards)


def text_of(page: str) -> str:
    return re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>|data:[^'\")]*", "", page, flags=re.DOTALL))


ODD = ('throwing <b>a</b> ball & "running"', "pay $5 for $_{2}", "a very long name " * 12)


@pytest.mark.parametrize(
    "classes",
    [
        ("left", "right"),
        (*ODD, *(f"class {k}" for k in range(18))),
        pytest.param(tuple(f"kinetics class number {k}" for k in range(400)), marks=pytest.mark.long),
    ],
    ids=["2", "21", "400"],
)
def test_the_page_is_whole_with_any_number_of_classes(classes):
    scores = scores_of(classes, videos=max(40, 2 * len(classes)))
    log = [{"kind": "train", "step": 1, "loss": 2.0}, {"kind": "eval", "epoch": 1, "top1": 0.5, "top5": 0.75}]
    run = ReportedScores("runs <one>", scores, {"checkpoint": "w&b.pyth"}, log, ("a note <here>",))
    page = page_of(run)
    elements = Elements(page)
    assert len(elements.ids) == len(set(elements.ids)) and outside_references(page) == []
    assert {r[1:] for r in elements.references if r.startswith("#")} <= set(elements.ids)
    assert f'id="top1">{scores.summary()["top1"]:.3f}<' in page
    assert f"<dt>mean class accuracy</dt><dd>{scores.summary()['mean_class_accuracy']:.3f}</dd>" in page
    top5 = scores.summary().get("top5", 1.0)
    assert (f"<dt>top-5 accuracy</dt><dd>{top5:.3f}</dd>" in page) == (len(classes) > 5)
    table = page.split('<table id="classes-table">')[1].split("</table>")[0]
    assert table.count("<tr>") == len(classes) + 1
    assert all(f"<td>{escape(name)}</td>" in table for name in classes)
    for text in (
        "w&amp;b.pyth",
        "a note &lt;here&gt;",
        "runs &lt;one&gt;",
        "have no view at all and count as wrong: v1",
    ):
        assert text in page, text
    assert "1 videos have only some of their views: v2" in page and "2 views of each, mean probability" in page
    assert "<b>a</b> ball" not in page  # nowhere, the plots included
    assert all(heading in page for heading in ("Surest and right", "Surest and wrong", "Least sure", "Training"))
    assert ('class="table long"' in page) == (len(classes) > 30)
    assert len(page) < 3_000_000


def test_of_many_classes_the_matrix_is_of_those_with_most_mistakes():
    classes = tuple(f"class {k}" for k in range(60))
    labels = np.repeat(np.arange(60), 2)
    best = labels.copy()
    best[labels == 58] = 59
    scores = VideoScores(
        tuple(map(str, range(120))), classes, labels, np.eye(60, dtype=np.float32)[best], np.ones(120, int), 1, "logits"
    )
    run = ReportedScores("r", scores)
    axes = report_figures([run])["confusion"].axes[0]
    shown = [text.get_text() for text in axes.get_yticklabels()]
    assert len(shown) == MATRIX_CLASSES and {"class 58 (2)", "class 59 (2)"} <= set(shown)
    page = report_html([run], report_figures([run]), {})
    assert f"the {MATRIX_CLASSES} classes with most mistakes, of 60" in page and "confusion.csv" in page
    assert '<td>class 58</td><td class="name">class 59</td><td>2</td><td>100 %</td>' in page


def test_the_cells_of_the_matrix_are_shares_of_all_videos_of_a_class():
    labels, best = np.array([0, 0, 0, 0, 1]), np.array([0, 1, 1, 0, 1])
    rows = np.eye(2, dtype=np.float32)[best]
    rows[3] = np.nan
    scores = VideoScores(tuple("abcde"), ("x", "y"), labels, rows, np.array([1, 1, 1, 0, 1]), 1, "probabilities")
    axes = report_figures([ReportedScores("r", scores)])["confusion"].axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["100", "25", "50"]


def test_what_the_galleries_show_by_hand():
    rows = [[0.9, 0.1], [0.8, 0.2], [0.55, 0.45], [0.95, 0.05], [0.5, 0.5]]
    scores = VideoScores(
        tuple("abcde"), ("x", "y"), np.array([0, 0, 1, 1, 0]), np.float32(rows), np.array([1, 1, 1, 1, 0]), 1, "p"
    )
    assert chosen(scores) == {"Surest and right": [0, 1], "Surest and wrong": [3, 2], "Least sure": []}
    other = VideoScores(
        tuple("abcde"), ("x", "y"), scores.labels, np.float32(rows)[:, ::-1], np.array([1, 1, 1, 1, 1]), 1, "p"
    )
    assert chosen_of_two([("A", scores), ("B", other)]) == {"Only A is right": [0, 1], "Only B is right": [3, 2, 4]}


def test_the_least_sure_are_those_with_two_scores_close_together():
    classes = ("x", "y", "z")
    rows = np.array([[0.4, 0.3, 0.3]] * 9 + [[0.45, 0.44, 0.11], [0.36, 0.34, 0.3]] + [[0.9, 0.05, 0.05]] * 9)
    scores = VideoScores(
        tuple(map(str, range(20))), classes, np.zeros(20, int), rows.astype(np.float32), np.ones(20, int), 1, "p"
    )
    assert chosen(scores)["Least sure"][:2] == [9, 10]
    assert len(chosen(scores)["Surest and right"]) == 8


def test_a_card_has_the_middle_frame_the_truth_and_three_answers():
    scores = scores_of(("x", "y & z", "w", "u"))
    scores = replace(scores, names=(*scores.names[:5], "<i>&.mp4", *scores.names[6:]))
    card = card_of(5, [("r", scores)], Pixels())
    assert card.frame[0, 0].tolist() == [80, 80, 80] and card.truth == ("y & z",)
    best = card.answers[0].best
    assert len(best) == 3 and [score for _, score, _ in best] == sorted(scores.scores[5].tolist())[:0:-1]
    html = gallery_html([card])
    Elements(html)
    assert "<h4>&lt;i&gt;&amp;.mp4</h4>" in html and "<i>" not in html
    assert html.count("data:image/jpeg") == 1 and "true: <b>y &amp; z</b>" in html and f"<span>{best[0][1]:.3f}" in html
    assert [true for name, _, true in best] == [name == "y & z" for name, _, _ in best]


def test_a_video_that_cannot_be_read_is_told_and_one_without_views_too():
    html = gallery_html([card_of(v, [("r", scores_of(("x", "y")))], Pixels()) for v in (0, 1)])
    assert "The video could not be read: cannot read v0.mp4: it holds &lt;no&gt; video stream" in html
    assert "no view could be read" in html and html.count("<img") == 1


def test_many_labels_have_no_matrix_and_the_classes_have_ap():
    scores = scores_of(("x", "y", "z"), multi_label=True, ensemble="max_probabilities")
    page = page_of(ReportedScores("r", scores))
    Elements(page)
    assert f'id="mAP">{scores.summary()["mAP"]:.3f}<' in page and "<th>AP</th>" in page
    assert "Most" not in text_of(page) and 'id="confusion"' not in page
    assert "highest probability of the views" in page


@pytest.mark.long
def test_two_runs_side_by_side():
    classes = ("x <1>", "y", "z")
    one, two = (scores_of(classes, seed=seed) for seed in (0, 1))
    page = page_of(ReportedScores("runA", one), ReportedScores("runB", two))
    elements = Elements(page)
    assert len(elements.ids) == len(set(elements.ids)) and outside_references(page) == []
    first, second = one.summary()["top1"], two.summary()["top1"]
    assert f"<td>top-1 accuracy</td><td>{first:.3f}</td><td>{second:.3f}</td>" in page
    change = sorted((b.value - a.value for a, b in zip(one.classes, two.classes, strict=True)), reverse=True)
    table = page.split('<table id="classes-table">')[1].split("</table>")[0]
    assert re.findall(r">([+-]\d\.\d{3})</td>", table) == [f"{value:+.3f}" for value in change]
    counts = re.findall(r"<b>(\d+)</b>", page.split('id="agreement"')[1].split("</p>")[0])
    assert len(counts) == 4 and sum(map(int, counts)) == 40
    assert (int(counts[0]) + int(counts[1])) / 40 == pytest.approx(first)
    assert "Only runA is right" in page and "runB: 1 videos have no view" in page


# ------------------------------------------------------------------------------------------------------ runs


@pytest.fixture
def tested(tmp_path: Path, repo_root: Path):
    """Make a run that was tested, without a file of it."""
    cfg = load_cfg(
        repo_root / "configs/Kinetics/MVITv2_S_16x4.yaml",
        ["TEST.CHECKPOINT_FILE_PATH", "weights.pyth", "TRAIN.ENABLE", "False"],
    )

    def make(name: str, scores: VideoScores, **metrics: object) -> ClassifierRun:
        videos = LabelledVideos(scores.names, scores.labels, scores.class_names)
        (tmp_path / name).mkdir(exist_ok=True)
        return ClassifierRun(tmp_path / name, cfg, VideoSplit(videos, Pixels()), {**metrics}, scores)

    return make


def test_what_was_tested_is_on_the_page_and_a_number_that_does_not_fit(tested, tmp_path):
    scores = scores_of(("x", "y", "z"), videos=9)
    page = write_report(tested("one", scores, top1=0.123, clips_per_second=7.5, unreadable_clips=["a <b>", "c"]))
    text = page.read_text()
    assert page == tmp_path / "one/report.html" and (tmp_path / "one/report/confusion.png").stat().st_size > 5000
    for part in (
        "checkpoint <b>weights.pyth</b>",
        "views <b>5 clips x 1 crops</b>",
        "data set <b>kinetics",
        "clips a second <b>7.5</b>",
        f"metrics.json says top1 0.1230; the scores beside it have {scores.summary()['top1']:.4f}",
        "2 clips could not be read, the first: a &lt;b&gt;",
        "there is no log.jsonl",
    ):
        assert part in text, part


def reordered(scores: VideoScores, order: np.ndarray) -> VideoScores:
    names = tuple(scores.names[v] for v in order)
    return VideoScores(
        names, scores.class_names, scores.labels[order], scores.scores[order], scores.views[order], 2, scores.ensemble
    )


def test_two_runs_are_compared_video_by_video_whatever_their_order(tested):
    scores = scores_of(("x", "y", "z"), videos=12)
    again = reordered(scores, np.random.default_rng(0).permutation(12))
    text = write_report(tested("one", scores), compare=tested("two", again)).read_text()
    assert text.count("<p>No video to show.</p>") == 2  # as they say the same of every video


def test_runs_on_other_data_are_not_compared(tested):
    scores = scores_of(("x", "y", "z"), videos=9)
    one = tested("one", scores)
    with pytest.raises(ValueError, match="cannot be compared with itself"):
        write_report(one, compare=one)
    for other, message in (
        (scores_of(("x", "w", "z"), videos=9), r"different classes .*the first that differ are 'y' and 'w'"),
        (scores_of(("x", "y"), videos=9), r"different classes .*one: 3, .*two: 2 classes"),
        (
            scores_of(("x", "y", "z"), videos=8),
            "different videos .*9, .*8 videos, 1 of the first are not in the second",
        ),
        (scores_of(("x", "y", "z"), videos=9, multi_label=True), "the same videos have other labels"),
    ):
        with pytest.raises(ValueError, match=message):
            write_report(one, compare=tested("two", other))
    assert not list(one.folder.glob("*.html"))
