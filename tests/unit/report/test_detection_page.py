"""The page of a report from plain numbers: what it says, that it needs nothing beside it, that its parts fit."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tensorboard.util import tensor_util

from slowfast.report.axes import MATRIX_CLASSES
from slowfast.report.detection.cards import STRIP_FRAMES, STRIP_LONG_SIDE, Card, Shot, card_html, frame_strip
from slowfast.report.detection.page import ReportedRun, report_figures, report_html
from slowfast.report.page import LOADS_NOTHING, write_figures
from slowfast.report.svg import RUN_COLOURS, new_figure, styled, to_svg
from slowfast.structures.outputs.diagnosis import (
    ActorCurve,
    ClassCurve,
    Confusion,
    Diagnosis,
    ErrorCost,
    Part,
    ThresholdSweep,
)
from slowfast.structures.outputs.result import Ranked
from slowfast.visualization.draw import DrawnClip
from slowfast.visualization.tensorboard import TensorBoardLog
from tests.unit.report.page_elements import Elements, outside_references

NAMES = ("stand", "walk <left>", "wave & jump")


def diagnosis(names: tuple[str, ...] = NAMES, *, ap: float = 0.5) -> Diagnosis:
    half = np.array([0.5])
    curves = tuple(ClassCurve(n, ap, 10 + k, 20, half, half) for k, n in enumerate(names[:-1]))
    absent = ClassCurve(names[-1], float("nan"), 0, 3, np.zeros(0), np.zeros(0))
    sweep = (np.array([0.0, 0.5]), np.array([0.8, np.nan]), half.repeat(2), half.repeat(2))
    return Diagnosis(
        mean_ap=ap,
        classes=(*curves, absent),
        errors=(ErrorCost("wrong action", 1234, 0.75, 0.2), ErrorCost("missed person", 3, 0.1, 0.05)),
        by_size=(Part("small, to 3 %", 7, 0.4), Part("large, over 3 %", 0, float("nan"))),
        by_crowd=(Part("1 person", 7, 0.4), Part("2 people", 3, 0.2)),
        confusion=Confusion(names, np.eye(len(names), dtype=np.int64) * 3 + 1, 9, 2),
        actor=ActorCurve("p(actor)", 0.9, 11, 30, half, half),
        sweeps=(ThresholdSweep(0.0, *sweep), ThresholdSweep(0.5, *sweep)),
    )


def run(name: str = "runA", *, ap: float = 0.5, notes: tuple[str, ...] = (), **metrics: object) -> ReportedRun:
    content = {
        "mAP": ap,
        "person_AP": 0.9,
        "protocol": "official",
        "key_frames": "all_included",
        "iou_threshold": 0.5,
        "num_key_frames": 59,
        "num_classes": 3,
        "num_classes_scored": 2,
        "instances": {"stand": 10},
        "detections": {"stand": 20},
        "counters": {"detections_dropped_cap": 4},
        "warnings": ["5 detections are odd"],
        **metrics,
    }
    log = [{"kind": "train", "step": k, "loss": 3.0 - k, "loss/actor": 1.0} for k in range(3)]
    log.append({"kind": "eval", "epoch": 1, "mAP": 0.3, "person_AP": 0.6})
    return ReportedRun(name, content, diagnosis(ap=ap), log, notes)


def shot(run_name: str = "runA", *, frames: int = 16) -> Shot:
    clip = DrawnClip(
        np.full((frames, 48, 64, 3), 120, np.uint8),
        frames // 2,
        "video 1, second 3",
        np.array([[0.1, 0.1, 0.5, 0.9]]),
        [[("stand", 0.8)]],
    )
    return Shot(run_name, clip, 1.25, 2, 1, ("stand: nobody found",), ("sit: 0.80 (wrong action)",))


def page_of(*runs: ReportedRun, galleries: dict | None = None) -> str:
    return report_html(runs, report_figures(runs), galleries or {})


@pytest.mark.long
def test_the_page_of_one_run_is_whole_and_needs_nothing_else():
    cards = [Card("video 1, second 3", (shot(),))]
    page = page_of(run(notes=("log is <odd>",)), galleries={"Worst misses": cards, "Best hits": []})
    elements = Elements(page)
    assert len(elements.ids) == len(set(elements.ids))
    assert outside_references(page) == []
    assert f'<meta http-equiv="Content-Security-Policy" content="{LOADS_NOTHING}">' in page
    anchors = {r[1:] for r in elements.references if r.startswith("#")}
    assert anchors <= set(elements.ids)
    assert 'name="viewport" content="width=device-width' in page and "prefers-color-scheme: dark" in page
    assert '<div class="big" id="map">0.500</div>' in page
    for text in ("official", "all_included", "59 key frames", "2 of 3 classes", "5 detections are odd", "wrong action"):
        assert text in page, text
    assert "walk &lt;left&gt;" in page and "walk <left>" not in page
    assert "log is &lt;odd&gt;" in page
    assert "1,234" in page and "75.0 %" in page
    for heading in ("Where errors come from", "Worst misses", "Confusion", "Size and crowd", "Training"):
        assert f"<h2>{heading}</h2>" in page
    assert "No key frame to show" in page


def test_a_reference_to_elsewhere_would_be_found():
    page = page_of(run())
    assert outside_references(page.replace("</main>", '<img src="https://example.org/a.png"></main>'))
    assert outside_references(page.replace("</style>", "a { background: url('http://x') }</style>"))


VIDEO = {
    **{"video_mAP@0.2": 0.75, "video_mAP@0.5": 0.5, "video_mAP@0.75": 0.25, "video_mAP@0.5:0.95": 0.2},
    **{"ap_rule": "trapezoid", "linking": "online linking, not trimmed", "num_videos": 1234, "num_classes": 3},
    "num_classes_scored": 2,
    "AP": {t: {"stand": 0.625, "walk <left>": 0.1, "wave & jump": None} for t in ("0.2", "0.5", "0.75", "0.5:0.95")},
    **{key: {"stand": 7, "walk <left>": 9, "wave & jump": 0} for key in ("instances", "detections")},
}
TUBES = {
    "convention": "frames every, trapezoid AP, remaining matching",
    "protocol": "uncapped",
    "conventions": {"frames every, voc_all_point AP, remaining matching": 0.875},
    "video_mAP": VIDEO,
}


@pytest.mark.long
def test_a_set_annotated_frame_by_frame_shows_its_convention_and_tubes():
    page = page_of(run(**TUBES))
    assert "convention <b>frames every, trapezoid AP, remaining matching</b>: 59 frames" in page
    assert "key frames <b>" not in page and "dropped by the cap" not in page
    assert "<td>video-mAP@0.2</td><td><b>0.750</b></td>" in page and "<td>video-mAP@0.5:0.95</td>" in page
    assert "AP by <b>trapezoid</b>; online linking, not trimmed; 1,234 videos, 2 of 3 classes" in page
    assert "<td>stand</td><td>7</td>" in page and "<td>0.625</td>" in page and "<td>–</td>" in page
    assert "<b>frames every, trapezoid AP, remaining matching</b> (this page)</td><td>0.500</td>" in page
    assert "frames every, voc_all_point AP, remaining matching</td><td>0.875</td>" in page
    assert 'aria-label="video-mAP by the overlap of tubes"' in page and outside_references(page) == []

    other = {**TUBES, "video_mAP": {**VIDEO, "video_mAP@0.5": 0.6, "linking": "viterbi linking"}}
    two = page_of(run("runA", **TUBES), run("runB", **other))
    assert two.count("<td>video-mAP@0.5</td>") == 2 and '<td class="up">+0.100</td>' in two
    assert "<b>runB</b>: AP by <b>trapezoid</b>; viterbi linking" in two


@pytest.mark.long
def test_no_video_map_says_why():
    page = page_of(run(**{**TUBES, "video_mAP": None}))
    assert "There is no video-mAP: the model was shown annotated frames only" in page and 'id="tubes"' not in page
    page = page_of(run("runA", **TUBES), run("runB", **{**TUBES, "video_mAP": None}))
    assert "runB: There is no video-mAP" in page and "video-mAP@0.5</td>" not in page


def test_given_boxes_say_why_nothing_was_swept():
    given = replace(run("roi"), diagnosis=replace(diagnosis(), sweeps=()), given_boxes="the annotated boxes")
    page = page_of(given)
    assert "it was given the annotated boxes, each with p(actor) 1" in page
    assert "threshold on p(actor)" not in page and "precision-recall curve of finding people" not in page
    figures = report_figures([given, run("bmvit")])
    assert len(figures["actors"].axes[0].lines) == 1
    assert figures["actors"].axes[0].lines[0].get_color() == RUN_COLOURS[1]  # as everywhere else on the page


@pytest.mark.long
def test_two_runs_share_their_plots_and_show_the_difference():
    page = page_of(run("runA", ap=0.5), run("runB", ap=0.75), galleries={"Where runB is better": []})
    assert "<td>0.500</td><td>0.750</td>" in page and '<td class="up">+0.250</td>' in page
    assert page.count("Both: frame-mAP@0.5") == 1
    assert "var(--run0)" in page and "var(--run1)" in page
    assert len(Elements(page).ids) == len(set(Elements(page).ids))
    other = page_of(run("runA"), run("runB", protocol="uncapped"))
    assert "Both:" not in other and "<b>uncapped</b>" in other
    assert "runB: 5 detections are odd" in page
    tubes = page_of(run(convention="every frame, trapezoid"))
    assert "convention <b>every frame, trapezoid</b>" in tubes and "protocol <b>" not in tubes


def test_without_a_log_there_is_no_training_section():
    bare = ReportedRun("r", run().metrics, diagnosis(), [])
    page = page_of(bare)
    assert "<h2>Training</h2>" not in page and "best action score" not in page


def test_precision_and_recall_in_tensorboard(tmp_path):
    """4 to be found, 3 right of 5: at a threshold of 0.5 there are 3, of them 2 right."""
    ranked = Ranked(np.array([0.2, 0.9, 0.6, 0.4, 0.8]), np.array([False, True, False, True, True]), 4)
    TensorBoardLog(tmp_path).write_pr_curve("pr/a", 3, ranked)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (event,) = events.Tensors("pr/a")
    right, wrong, _, missed, precision, recall = tensor_util.make_ndarray(event.tensor_proto)
    assert event.step == 3 and right.shape == (127,)
    for place, expected in ((0, (3, 2, 1, 0.6, 0.75)), (63, (2, 1, 2, 2 / 3, 0.5)), (126, (0, 0, 4, 1, 0))):
        assert [a[place] for a in (right, wrong, missed, precision, recall)] == pytest.approx(expected)


@pytest.mark.long
def test_plots_are_the_same_as_png_and_in_tensorboard(tmp_path):
    figures = report_figures([run()])
    write_figures(figures, tmp_path / "report")
    assert {"errors", "ap_by_count", "pr_curves", "by_size", "by_crowd", "actors", "sweep", "confusion"} <= set(figures)
    assert sorted(p.stem for p in (tmp_path / "report").iterdir()) == sorted(figures)
    for path in (tmp_path / "report").iterdir():
        picture = cv2.imread(str(path))
        assert min(picture.shape[:2]) > 150 and picture.std() > 5, path
    TensorBoardLog(tmp_path / "tensorboard").write_figures("report", 7, figures)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["images"]) == sorted(f"report/{name}" for name in figures)
    assert events.Images("report/errors")[0].step == 7


def test_the_bars_hold_the_costs():
    axes = report_figures([run()])["errors"].axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.2, 0.05]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["wrong action", "missed person"]


@pytest.mark.long
def test_of_many_classes_the_matrix_shows_those_with_most_mistakes():
    names = tuple(f"action {k}" for k in range(40))
    counts = np.zeros((40, 40), np.int64)
    counts[np.arange(40), np.arange(40)] = 5
    counts[39, 38] = 3
    many = diagnosis(names)
    one = ReportedRun("r", run().metrics, Diagnosis(**{**vars(many), "confusion": Confusion(names, counts, 9, 2)}), [])
    shown = [t.get_text() for t in report_figures([one])["confusion"].axes[0].get_xticklabels()]
    assert len(shown) == MATRIX_CLASSES and {"action 38", "action 39"} <= set(shown)


def test_svg_takes_its_colours_from_the_page_and_ids_do_not_meet():
    with styled():
        figure = new_figure()
        figure.subplots().plot([0, 1], [0, 1], color=RUN_COLOURS[1])
    first, second = (to_svg(figure, name=name, label='a "plot"') for name in ("one", "two"))
    assert first.startswith("<svg viewBox=") and 'aria-label="a &quot;plot&quot;"' in first
    assert "var(--run1)" in first and RUN_COLOURS[1] not in first
    assert not set(re.findall(r'id="([^"]*)"', first)) & set(re.findall(r'id="([^"]*)"', second))
    assert "<text" in first and "DejaVu" not in first  # text stays text, in the page's font


def test_a_card_plays_its_clip_from_one_strip():
    html = card_html(Card("video <1>", (shot(),)), name="clip0")
    Elements(html)
    assert f"--frames:{STRIP_FRAMES}" in html and html.count("data:image/jpeg") == 2
    assert 'type="checkbox" id="clip0-0"' in html and "video &lt;1&gt;" in html
    assert "1 of 2 people found" in html and "stand: nobody found" in html
    assert "runA" not in html and "runA" in card_html(Card("t", (shot(), shot("runB"))), name="c")


def test_a_clip_that_cannot_be_read_says_why():
    broken = Shot("r", None, 1.0, 1, 0, (), (), problem="video.mp4: cut <off>")
    assert "The clip could not be read: video.mp4: cut &lt;off&gt;" in card_html(Card("t", (broken,)), name="c")


@pytest.mark.parametrize("size", [(48, 64), (720, 1280)])
def test_the_strip_holds_the_frames_in_order(size):
    frames = np.stack([np.full((*size, 3), 30 * k, np.uint8) for k in range(5)])
    strip = frame_strip(frames)
    width = strip.shape[1] // 5
    assert width == STRIP_LONG_SIDE and strip.shape[0] == round(width * size[0] / size[1])
    assert [int(strip[0, k * width + width // 2, 0]) for k in range(5)] == [0, 30, 60, 90, 120]


def legends_and_plots(figure):
    """(legend, plot) of each in pixels."""
    figure.canvas.draw()
    for legend in figure.legends:
        for axes in figure.axes:
            yield legend.get_window_extent(), axes.get_window_extent()


def test_no_legend_covers_a_curve():
    runs = [run("runA"), run("a run with a longer name", ap=0.9)]
    for shown in (runs[:1], runs):
        figures = report_figures(shown)
        assert all(axes.get_legend() is None for figure in figures.values() for axes in figure.axes)
        pairs = [pair for figure in figures.values() for pair in legends_and_plots(figure)]
        assert len(pairs) >= 4 and not any(legend.overlaps(plot) for legend, plot in pairs)


@pytest.mark.filterwarnings("error")
def test_nobody_found_and_one_step_warn_of_nothing():
    none = np.zeros(0)
    empty = replace(
        diagnosis(),
        mean_ap=0.0,
        classes=tuple(ClassCurve(name, 0.0, 3, 0, none, none) for name in NAMES),
        errors=(ErrorCost("missed person", 9, 1.0, 1.0),),
        confusion=Confusion(NAMES, np.zeros((3, 3), dtype=np.int64), 0, 9),
        actor=ActorCurve("p(actor)", 0.0, 9, 0, none, none),
        sweeps=(ThresholdSweep(0.0, *[np.array([0.0, 0.5]), *[np.full(2, np.nan)] * 3]),),
    )
    log = [{"kind": "train", "step": 7, "loss": 3.0}, {"kind": "eval", "epoch": 0, "mAP": None, "person_AP": None}]
    figures = report_figures([replace(run(), diagnosis=empty, log=log)])
    for figure in figures.values():
        to_svg(figure, name="x", label="x")
    (line,) = (line for line in figures["loss"].axes[0].get_lines() if not line.get_label().startswith("_"))
    assert line.get_marker() == "o"
    assert not figures["held_out"].legends
