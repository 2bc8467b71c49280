"""Scores on disk: our .npz and mmaction2's layout as JSON hold the same, exactly; what is neither says why."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from slowfast.evaluation.videos.score_files import read_scores, write_scores
from slowfast.evaluation.videos.scores import VideoScores

NAMES = ('clips/a "b".mp4', "später.mp4", "c", "d")


def scores_of(*, multi_label: bool = False) -> VideoScores:
    """Awkward float32 numbers; the third video has no views."""
    rng = np.random.default_rng(0)
    rows = rng.random((4, 5), dtype=np.float32)
    rows[0] = [0.1, np.float32(1e-45), 1 / 3, np.nextafter(np.float32(1), np.float32(0)), 3.4e38]
    rows[2] = np.nan
    labels = rng.random((4, 5)) < 0.5 if multi_label else np.array([3, 0, 4, 1])
    classes = ("one", "two <&>", "3", "4", "five")
    return VideoScores(NAMES, classes, labels, rows, np.array([6, 5, 0, 6]), 6, "probabilities")


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("ending", [".npz", ".json", ".JSON"])
def test_a_file_gives_back_every_bit(tmp_path, multi_label, ending):
    scores, path = scores_of(multi_label=multi_label), tmp_path / f"scores{ending}"
    write_scores(scores, path)
    again = read_scores(path)
    assert again.scores.dtype == np.float32
    assert again.scores.tobytes() == scores.scores.tobytes() and again.labels.tolist() == scores.labels.tolist()
    assert (again.names, again.class_names, again.views.tolist()) == (NAMES, scores.class_names, [6, 5, 0, 6])
    assert again.report() == scores.report() and again.table() == scores.table()
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_any_float32_survives_json(tmp_path):
    bits = np.random.default_rng(1).integers(0, 0x7F800000, (200, 50), dtype=np.uint32)
    rows = bits.view(np.float32)
    names = tuple(map(str, range(200)))
    scores = VideoScores(
        names, names[:50], np.zeros(200, dtype=np.int64), rows, np.ones(200, dtype=int), 1, "probabilities"
    )
    write_scores(scores, tmp_path / "scores.json")
    assert np.array_equal(read_scores(tmp_path / "scores.json").scores.view(np.uint32), bits)


def test_the_json_is_laid_out_as_dump_results(tmp_path):
    scores = scores_of()
    write_scores(scores, tmp_path / "scores.json")
    text = (tmp_path / "scores.json").read_text()
    rows = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert [row["name"] for row in rows] == list(NAMES) and [row["gt_label"] for row in rows] == [3, 0, 4, 1]
    assert rows[1]["pred_score"] == scores.scores[1].tolist()
    assert rows[1]["pred_label"] == int(scores.scores[1].argmax())
    assert rows[2]["pred_score"] is rows[2]["pred_label"] is None
    many = scores_of(multi_label=True)
    write_scores(many, tmp_path / "many.json")
    rows = json.loads((tmp_path / "many.json").read_text())
    assert [row["gt_label"] for row in rows] == [np.flatnonzero(row).tolist() for row in many.labels]


def test_three_keys_of_mmaction2_are_enough(tmp_path):
    rows = [
        {"pred_score": [0.1, 0.7, 0.2], "pred_label": [1], "gt_label": [1]},
        {"pred_score": [0.5, 0.3, 0.2], "pred_label": [0], "gt_label": [2]},
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    scores = read_scores(tmp_path / "a.json")
    assert scores.summary()["top1"] == 0.5 and not scores.multi_label
    assert (scores.names, scores.class_names, scores.partial) == (("0", "1"), ("0", "1", "2"), [])
    rows[0]["gt_label"] = [0, 2]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    many = read_scores(tmp_path / "a.json")
    assert many.multi_label and many.labels.tolist() == [[True, False, True], [False, False, True]]


ROW = {"pred_score": [0.1, 0.9], "gt_label": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "a list with an object for each video"),
        ({"a": 1}, "a list with an object for each video"),
        ([ROW, 3], "a list with an object for each video"),
        ([ROW, {"pred_score": [1, 2]}], "video 1 of the list has no 'gt_label'"),
        ([{"gt_label": 1}], "video 0 of the list has no 'pred_score'"),
        ([ROW, ROW | {"pred_score": [0.1]}], "pred_score of video 1 of the list is not 2 numbers, nor null"),
        ([ROW, ROW | {"pred_score": [0.1, None]}], "pred_score of video 1 of the list is not 2 numbers, nor null"),
        ([ROW | {"pred_score": None}], "no video has a pred_score"),
        ([ROW | {"gt_label": 2}], "gt_label of video 0 of the list: 2 is not a class of 0 to 1"),
        ([ROW | {"gt_label": "x"}], "gt_label of video 0 of the list: 'x' is not a class of 0 to 1"),
        (
            [ROW | {"set": {"multi_label": False}}, ROW | {"gt_label": []}],
            "gt_label of video 1 of the list has 0 classes",
        ),
        ([ROW | {"set": 3}], "'set' of the first video is no object"),
        ([ROW | {"set": {"class_names": ["a"]}}], r"scores have shape \(1, 2\), expected \(1, 1\)"),
        (
            '[{"pred_score": [NaN, 1], "gt_label": 0}]',
            "NaN is no number; a video without views has the pred_score null",
        ),
    ],
)
def test_json_of_something_else_says_what_is_wrong(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=f"a.json: not a file of video scores: .*{message}"):
        read_scores(tmp_path / "a.json")


def test_a_pickle_is_not_opened_and_what_is_said_converts_it(run_main, tmp_path):
    column = np.array  # has tolist, as a tensor
    rows = [{"pred_score": column([0.2, 0.8]), "pred_label": column([1]), "gt_label": column([1]), "num_classes": 2}]
    (tmp_path / "result.pkl").write_bytes(pickle.dumps(rows))
    done = run_main("tools/evaluate_scores.py", "result.pkl", expect=2)
    assert done.stderr.startswith("error: result.pkl: a pickle runs code when it is read, so it is not read here")
    lines = [line.strip() for line in done.stderr.strip().splitlines()[1:]]
    assert len(lines) == 3
    subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, check=True)
    assert read_scores(tmp_path / "result.json").summary()["top1"] == 1


def test_another_ending_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"scores\.pkl: a file of scores ends in \.npz or \.json"):
        write_scores(scores_of(), tmp_path / "scores.pkl")
    assert list(tmp_path.iterdir()) == []


def test_both_files_print_the_same(run_main, tmp_path):
    for ending in ("npz", "json"):
        write_scores(scores_of(), tmp_path / f"scores.{ending}")
    outputs = {
        ending: run_main(
            "tools/evaluate_scores.py", f"scores.{ending}", "--per-class", "--confused", "3", "--json", f"{ending}.out"
        ).stdout
        for ending in ("npz", "json")
    }
    assert outputs["npz"] == outputs["json"] and "most frequent wrong answer" in outputs["npz"]
    assert outputs["npz"].count("\n\n") == 2 and "share of the true class" in outputs["npz"]
    assert (tmp_path / "npz.out").read_text() == (tmp_path / "json.out").read_text()
    done = run_main("tools/evaluate_scores.py", "scores.npz", "--confused", "0", expect=2)
    assert "--confused (0) must be at least 1" in done.stderr
