"""The training curve: which numbers the lines hold, and what is said about a log that cannot be drawn."""

import builtins
import json

import cv2
import numpy as np
import pytest

from slowfast.visualization.plots import plot_training_curve, read_log, running_mean, training_curve_figure


def _records() -> list[dict]:
    records = []
    for step in range(20):
        records.append(
            {
                "kind": "train",
                "epoch": step // 10,
                "step": step,
                "loss": 30.0 - step,
                "loss/actor": 1.0,
                "loss/action": 2.0,
                "lr": 1e-3,
            }
        )
        if step % 10 == 9:
            records.append({"kind": "eval", "epoch": step // 10, "mAP": 0.2 + 0.01 * step, "person_AP": 0.5})
    return records


def _lines(axes) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xydata() for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_the_lines_hold_the_numbers_of_the_log():
    losses, precision = training_curve_figure(_records()).axes
    lines = _lines(losses)
    assert list(lines) == ["total", "action", "actor"]
    assert lines["total"].tolist() == [[step, 30.0 - step] for step in range(20)]  # 20 steps: nothing to smooth
    assert np.unique(lines["action"][:, 1]) == 2.0
    assert losses.get_xlabel() == "step"
    assert losses.get_ylim()[0] == 0
    lines = _lines(precision)
    assert lines["frame-mAP@0.5"].tolist() == [[0, pytest.approx(0.29)], [1, pytest.approx(0.39)]]
    assert lines["person AP@0.5"].tolist() == [[0, 0.5], [1, 0.5]]
    assert {text.get_text() for text in precision.texts} == {"0.390", "0.500"}
    assert precision.get_ylim() == (0, 1)


def test_a_run_without_evaluation_has_one_panel():
    assert len(training_curve_figure([r for r in _records() if r["kind"] == "train"]).axes) == 1


def test_values_that_are_not_finite_leave_a_gap_and_repeated_steps_count_once():
    records = [
        {"kind": "train", "step": 0, "loss": 3.0},
        {"kind": "train", "step": 1, "loss": None},  # how the log writes a NaN
        {"kind": "train", "step": 2, "loss": 9.0},
        {"kind": "train", "step": 2, "loss": 1.0},  # written again after a resume
    ]
    assert _lines(training_curve_figure(records).axes[0])["total"].tolist() == [[0, 3], [2, 1]]


def test_running_mean_by_hand():
    assert running_mean(np.array([1.0, 2.0, 6.0, 3.0]), half_width=1).tolist() == pytest.approx([1.5, 3.0, 11 / 3, 4.5])
    assert running_mean(np.array([1.0, 2.0]), half_width=0).tolist() == [1.0, 2.0]


def test_the_png_is_written(tmp_path):
    log, png = tmp_path / "log.jsonl", tmp_path / "plots" / "curve.png"
    log.write_text("".join(json.dumps(record) + "\n" for record in _records()) + "\n")
    plot_training_curve(log, png)
    picture = cv2.imread(str(png))
    assert picture.shape[0] > 400
    assert picture.shape[1] > 1000
    assert picture.std() > 10  # not an empty sheet


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"kind": "train"}\n{"kind": "tr', r"log.jsonl, line 2: not valid JSON"),
        ("\n[1, 2]\n", r"log.jsonl, line 2: expected a JSON object, got '\[1, 2\]'"),
        ('{"kind": "eval"}\n', r'no \{"kind": "train"\} record among 1; is it the log.jsonl of a run\?'),
        ("", r"record among 0"),
    ],
)
def test_a_log_that_cannot_be_drawn_is_named(tmp_path, text, message):
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(ValueError, match=message):
        plot_training_curve(tmp_path / "log.jsonl", tmp_path / "curve.png")
    assert not (tmp_path / "curve.png").exists()


def test_a_missing_log_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jsonl"):
        read_log(tmp_path / "nowhere.jsonl")


def test_without_matplotlib_the_package_is_named(monkeypatch):
    real_import = builtins.__import__

    def no_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        training_curve_figure(_records())


@pytest.mark.filterwarnings("error")
def test_one_point_is_seen_and_a_log_without_values_warns_of_nothing():
    records = [{"kind": "train", "step": 5, "loss": 3.0, "loss/actor": 1.0}, {"kind": "eval", "epoch": 0, "mAP": 0.5}]
    losses, precision = training_curve_figure(records).axes
    assert [line.get_marker() for line in losses.get_lines() if not line.get_label().startswith("_")] == ["o", "o"]
    for axes, value in ((losses, 5), (precision, 0)):
        low, high = axes.get_xlim()
        assert low < value < high and high - low >= 1
    nothing = [{"kind": "train", "step": 5, "loss": None}, {"kind": "eval", "epoch": 0, "mAP": None}]
    figure = training_curve_figure(nothing)
    figure.canvas.draw()
    assert all(not part.legends for part in figure.subfigs)
    many = [{"kind": "train", "step": step, "loss": 3.0} for step in range(3)]
    assert training_curve_figure(many).axes[0].get_lines()[-1].get_marker() == ""


@pytest.mark.parametrize(("m_ap", "person_ap"), [(0.954, 0.978), (0.978, 0.954), (0.5, 0.9), (0.7, 0.7)])
def test_the_numbers_at_the_ends_of_two_curves_are_both_read(m_ap, person_ap):
    evaluations = [{"kind": "eval", "epoch": e, "mAP": m_ap, "person_AP": person_ap} for e in (1, 2)]
    figure = training_curve_figure([{"kind": "train", "step": 1, "loss": 1.0}, *evaluations])
    figure.canvas.draw()
    axes = next(axes for axes in figure.axes if axes.get_title(loc="left") == "Held-out average precision")
    first, second = (text.get_window_extent() for text in axes.texts)
    assert m_ap == person_ap or not first.overlaps(second)


def test_no_legend_lies_on_a_plot():
    figure = training_curve_figure(_records())
    figure.canvas.draw()
    for part in figure.subfigs:
        (legend,) = part.legends
        below, plot = legend.get_window_extent(), part.axes[0].get_window_extent()
        assert below.y1 <= plot.y0 and {text.get_text() for text in legend.get_texts()} == set(_lines(part.axes[0]))
