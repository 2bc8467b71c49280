"""`tools/evaluate_ava.py`: its table, its options, and one message for a wrong input."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tool_runs import ToolRun


@pytest.fixture
def run(run_main: Callable[..., ToolRun], tmp_path: Path) -> Callable[..., ToolRun]:
    """Run the tool from another folder, on files written from text; `by` is run_tool for a process of its own."""

    def call(groundtruth: str, detections: str, *more: str, by: Callable[..., ToolRun] = run_main) -> ToolRun:
        (tmp_path / "gt.csv").write_text(groundtruth)
        (tmp_path / "det.csv").write_text(detections)
        (tmp_path / "map.pbtxt").write_text('item { name: "stand" id: 12 }\nitem { name: "fly" id: 13 }\n')
        files = ["--groundtruth", "gt.csv", "--detections", "det.csv", "--labelmap", "map.pbtxt"]
        return by("tools/evaluate_ava.py", *files, *more, expect=None)

    return call


GROUNDTRUTH = "v,0902,0.1,0.1,0.5,0.5,12,0\nv,0903\n"
DETECTIONS = "v,0902,0.1,0.1,0.5,0.5,12,0.5\nv,0903,0.1,0.1,0.5,0.5,12,0.9\n"


def test_prints_the_table_and_writes_json(run, run_tool, tmp_path: Path) -> None:
    done = run(GROUNDTRUTH, DETECTIONS, "--json", "out.json", by=run_tool)
    assert (done.returncode, done.stderr) == (0, "")
    assert "fly" in done.stdout and "n/a" in done.stdout
    expected = "mAP@0.5 0.5000 | protocol official | 1 of 2 classes have ground truth | key frames all_included (2)"
    assert expected in done.stdout
    written = json.loads((tmp_path / "out.json").read_text())
    assert (written["mAP"], written["AP/stand"], written["AP/fly"], written["num_key_frames"]) == (0.5, 0.5, None, 2)


def test_options_reach_the_evaluation(run, tmp_path: Path) -> None:
    (tmp_path / "excluded.csv").write_text("v,0903\n")
    assert (
        "mAP@0.5 1.0000 | protocol uncapped"
        in run(GROUNDTRUTH, DETECTIONS, "--protocol", "uncapped", "--exclusions", "excluded.csv").stdout
    )
    assert "mAP@0.5 1.0000" in run(GROUNDTRUTH, DETECTIONS, "--key-frames", "gt_only").stdout


@pytest.mark.parametrize(
    ("groundtruth", "detections", "more", "message"),
    [
        (GROUNDTRUTH, "v,0902,10,20,300,400,12,0.5\n", (), "error: det.csv: 1 malformed line:\n  line 1: box [10.0"),
        ("", DETECTIONS, (), "error: gt.csv: the file is empty"),
        (DETECTIONS, GROUNDTRUTH, (), "error: gt.csv: column 8 holds scores (0.5 in line 1), so these are detections"),
        (GROUNDTRUTH, "v,0902,0.1,0.1,0.5,0.5,12,7\n", (), "error: det.csv: column 8 holds whole numbers up to 7, as"),
        (GROUNDTRUTH, DETECTIONS, ("--exclusions", "none.csv"), "error: none.csv: no such file"),
        (GROUNDTRUTH, "w,1,0,0,1,1,12,0.5\n", (), "error: none of the 1 detections can be scored"),
        ("v,0902,0.1,0.1,0.5,0.5,40,0\n", DETECTIONS, (), "error: no class has ground truth"),
        (
            GROUNDTRUTH,
            DETECTIONS,
            ("--json", "no/such/folder.json"),
            "error: could not write no/such/folder.json: [Errno 2]",
        ),
        (GROUNDTRUTH, "", ("--detections", "./gt.csv"), "error: --groundtruth and --detections are one file, gt.csv"),
        (GROUNDTRUTH, DETECTIONS, ("--labelmap", "gt.csv"), "error: gt.csv: its lines are rows of a table"),
    ],
)
def test_a_wrong_input_is_one_message_and_exit_code_2(run, groundtruth, detections, more, message: str) -> None:
    done = run(groundtruth, detections, *more)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert "Traceback" not in done.stderr and done.stdout == ""


def test_a_process_with_a_wrong_input_fails_the_same_way(run, run_tool) -> None:
    done = run("", DETECTIONS, by=run_tool)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr == "error: gt.csv: the file is empty\n"


def test_a_file_without_detections_is_a_map_of_0_with_its_reason(run, tmp_path: Path) -> None:
    for text in ("", "video,timestamp,x1,y1,x2,y2,label,score\n"):
        done = run(GROUNDTRUTH, text, "--json", "out.json")
        assert (done.returncode, done.stderr) == (0, "") and "mAP@0.5 0.0000 | protocol official" in done.stdout
        assert "warning: no detection was scored: the mAP is 0 because nothing was detected" in done.stdout
        assert json.loads((tmp_path / "out.json").read_text())["mAP"] == 0
