"""`tools/evaluate_tubes.py` as a user runs it."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.tool_runs import ToolRun

TUBE = np.array([[t, 0, 0, 159, 119] for t in range(3, 23)], dtype=np.float32)
CONTENT = {
    "labels": ["run", "wave"],
    "gttubes": {"a": {0: [TUBE]}, "b": {1: [TUBE]}, "c": {0: [TUBE]}},
    "nframes": dict.fromkeys("abc", 25),
    "resolution": dict.fromkeys("abc", (240, 320)),
    "train_videos": [["c"], ["a"]],
    "test_videos": [["a", "b"], ["c", "b"]],
}


def rows(video: str, label: int, score: float, frames=range(3, 23)) -> str:
    return "".join(f"{video},{t},0,0,0.5,0.5,{label},{score}\n" for t in frames)


@pytest.fixture
def run(run_main: Callable[..., ToolRun], tmp_path: Path) -> Callable[..., ToolRun]:
    """Run the tool on written files; `by` is run_tool for a process of its own."""

    def call(detections: str, *more: str, by: Callable[..., ToolRun] = run_main) -> ToolRun:
        (tmp_path / "gt.pkl").write_bytes(pickle.dumps(CONTENT))
        (tmp_path / "det.csv").write_text(detections)
        files = ["--groundtruth", "gt.pkl", "--detections", "det.csv", "--json", "out.json"]
        return by("tools/evaluate_tubes.py", *files, *more, expect=None)

    return call


@pytest.mark.long
def test_perfect_detections_and_a_false_alarm(run, run_tool, tmp_path):
    alarm = rows("a", 1, 0.9, [24])
    done = run(rows("a", 1, 0.8) + rows("b", 2, 0.7) + alarm, "--ap", "trapezoid", by=run_tool)
    assert (done.returncode, done.stderr) == (0, "")
    assert "frames every, trapezoid AP, remaining matching" in done.stdout
    written = json.loads((tmp_path / "out.json").read_text())
    # The false alarm, then 20 boxes of one score, one after another: precision 0, 1/2, 2/3, ..., 20/21.
    run_ap = sum((n / (n + 1) + (n + 1) / (n + 2)) / 2 for n in range(20)) / 20
    assert written["frame"]["AP/wave"] == 1 and written["frame"]["AP/run"] == pytest.approx(run_ap)
    assert written["conventions"]["frames annotated, trapezoid AP, remaining matching"] == 1
    # The box at frame 24 lies within 5 frames and joins the tube: 20 of 22 frames are right.
    assert written["video"]["video_mAP@0.75"] == 1 and written["video"]["AP"]["0.5:0.95"]["run"] == pytest.approx(0.9)
    assert "warnings" not in written


def test_the_options_reach_the_evaluation(run, tmp_path):
    one = run(rows("a", 1, 0.8), "--only-detected-videos", "--linking", "viterbi", "--trim", "3", "--min-length", "20")
    assert (
        "1 videos | viterbi linking (overlap weight 1, gaps of up to 4 frames, at least 20 frames long), trimmed"
        in one.stdout
    )
    assert "if only annotated frames were shown" in one.stdout.lower()
    assert json.loads((tmp_path / "out.json").read_text())["frame"]["mAP"] == 1
    assert "tubes" not in run(rows("a", 1, 0.8), "--no-video-map").stdout
    assert run(rows("c", 1, 0.8), "--split", "2").returncode == 0


@pytest.mark.parametrize(
    ("detections", "more", "message"),
    [
        ("a,1,0,0,200,100,1,0.5\n", (), "error: det.csv: 1 malformed line"),
        ("", ("--only-detected-videos",), "error: det.csv: holds no detection, so --only-detected-videos leaves no"),
        (rows("x", 1, 0.5), (), "error: none of the 20 detections can be scored"),
        (rows("a", 1, 0.5), ("--split", "3"), "error: gt.pkl: has splits 1 to 2, got 3"),
        (rows("a", 1, 0.5), ("--groundtruth", "det.csv"), "error: det.csv: not a pickle of plain data"),
        (rows("a", 1, 0.5), ("--json", "no/such/folder.json"), "error: could not write no/such/folder.json: [Errno 2]"),
    ],
)
def test_a_wrong_input_is_one_message_and_exit_code_2(run, detections, more, message):
    done = run(detections, *more)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(message) and "Traceback" not in done.stderr


def test_a_file_without_detections_is_a_map_of_0_with_its_reason(run, tmp_path):
    done = run("")
    assert (done.returncode, done.stderr) == (0, "")
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["frame"]["mAP"] == 0 and set(written["conventions"].values()) == {0}
    assert written["video"]["video_mAP@0.5"] == 0
    assert "warning: no detection was scored: the mAP is 0 because nothing was detected" in done.stdout
    assert "warning: no tube was scored: video-mAP is 0 because nothing was linked" in done.stdout
