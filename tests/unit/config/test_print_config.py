"""tools/print_config.py, run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]


TOOL = "tools/print_config.py"


def test_values_sources_and_json(run_tool, tmp_path):
    (tmp_path / "a.yaml").write_text("SOLVER:\n  BASE_LR: 1\n  MAX_EPOCH: 12\nTENSORBOARD:\n  LOG_DIR: a\n")
    done = run_tool(TOOL, "--cfg", "a.yaml", "--json", "out.json", "NUM_GPUS", "0")
    lines = done.stdout.splitlines()
    assert lines[0] == "# 3 keys set (* differs from the default)"
    assert "* SOLVER.BASE_LR: 1.0   (default 2.5e-05)   <- a.yaml:2" in lines
    assert "  SOLVER.MAX_EPOCH: 12   <- a.yaml:3" in lines
    assert "* NUM_GPUS: 0   (default 1)   <- command line" in lines
    assert "  TRAIN.BATCH_SIZE: 16" in lines
    assert lines.index("  TRAIN.BATCH_SIZE: 16") > lines.index(
        "* SOLVER.BASE_LR: 1.0   (default 2.5e-05)   <- a.yaml:2"
    )
    assert any(line.startswith("  TENSORBOARD.LOG_DIR: events go to OUTPUT_DIR") for line in lines)
    facts = json.loads((tmp_path / "out.json").read_text())
    assert facts["config"]["SOLVER"]["BASE_LR"] == 1.0
    assert facts["sources"]["SOLVER.BASE_LR"] == "a.yaml:2"
    assert facts["changed"] == ["NUM_GPUS", "SOLVER.BASE_LR"]
    assert list(facts["accepted"]) == ["TENSORBOARD.LOG_DIR"]


def test_docs_tell_meaning_and_allowed_values(run_main, tmp_path):
    (tmp_path / "a.yaml").write_text("")
    done = run_main(TOOL, "--cfg", "a.yaml", "--docs")
    assert "Weight of -GIoU. Our default (DETR: 2)." in done.stdout
    assert "Allowed: text; must be stretch or keep_aspect." in done.stdout


def test_what_is_not_pyslowfasts(run_main, tmp_path):
    (tmp_path / "a.yaml").write_text("SOLVER: {BASE_LR: 0.1}\nBN: {NUM_SPLITS: 3}\nDATA: {DECODING_SHORT_SIZE: 320}\n")
    lines = run_main(TOOL, "--cfg", "a.yaml", "--pyslowfast").stdout.splitlines()
    assert (
        "# 1 PySlowFast keys that change nothing here" in lines and "  BN.NUM_SPLITS: MViT has no batch norm" in lines
    )
    title = "# 1 PySlowFast keys whose value changes what PySlowFast computes, and nothing here"
    assert lines[lines.index(title) + 1].startswith(
        "  DATA.DECODING_SHORT_SIZE: 320 is the short side that videos are decoded"
    )
    assert (
        "  MODEL.DROPOUT_RATE: 0.0 here, 0.5 there: heads of detectors have none; published classifiers set it, or mean 0.5"
        in lines
    )
    given = lines.index("# 1 defaults that are not PySlowFast's are set by this config")
    assert lines[given + 1].startswith("  SOLVER.BASE_LR: 2.5e-05 here, 0.1 there: ") and lines[given + 1].endswith(
        "<- a.yaml:1"
    )
    assert not any("defaults that are not" in line for line in run_main(TOOL, "--cfg", "a.yaml").stdout.splitlines())


def test_a_config_that_cannot_run_exits_with_1(run_main, tmp_path):
    (tmp_path / "a.yaml").write_text("NUM_GPU: 1\n")
    done = run_main(TOOL, "--cfg", "a.yaml", expect=1)
    assert done.stdout == ""
    assert "error: this config cannot run:\n  - NUM_GPU is not a key (a.yaml:1); did you mean NUM_GPUS?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_exits_with_1(run_main):
    done = run_main(TOOL, "--cfg", "none.yaml", expect=1)
    assert "error: config file none.yaml does not exist" in done.stderr


def test_a_reader_that_stops_early_is_no_error(tmp_path):
    (tmp_path / "a.yaml").write_text("")
    reading, writing = os.pipe()
    os.close(reading)  # as `| head -0` would
    command = [sys.executable, str(REPO / "tools" / "print_config.py"), "--cfg", "a.yaml"]
    done = subprocess.run(command, cwd=tmp_path, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
