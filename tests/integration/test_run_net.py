"""`tools/run_net.py` as a user runs it: train, resume, test a checkpoint, and fail clearly."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml

from slowfast.models.detection.bmvit import BMViT


def records(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_run_leaves_everything(run_main, train_once, toy_config, trained, tmp_path, toy_data):
    printed = (train_once("trained", toy_config) / "stdout.txt").read_text()
    assert "; model not compiled by torch.compile: MODEL.COMPILE auto does so on a GPU only" in printed
    assert "PySlowFast keys change nothing here" in printed and "BN.USE_PRECISE_STATS" in printed
    assert "6 clips a step over all machines, 2 steps an epoch; learning rate " in printed
    assert "epoch 1/1, step 1/2: loss " in printed and "epoch 1/1, step 2/2: loss " in printed
    assert "1 thread a process on the CPU: OMP_NUM_THREADS is 1" in printed
    assert "the test is the evaluation of epoch 1: same weights, clips and rules" in printed
    assert "parameters" in printed.lower() and "GMACs" in printed and "4x8x10" not in printed

    assert sorted(p.name for p in trained.iterdir()) == sorted(
        [
            ".lock",
            "state.json",
            "config.yaml",
            "log.jsonl",
            "stdout.log",
            "checkpoints",
            "detections.csv",
            "people.csv",
            "metrics.json",
        ]
        + ["report", "report.html"]
    )
    kinds = [record["kind"] for record in records(trained)]
    assert kinds == ["train", "train", "eval", "test"]  # 14 key frames in batches of 6 make 2 steps
    step = records(trained)[0]
    assert {"loss", "loss/actor", "loss/box_l1", "loss/box_giou", "loss/action", "lr", "step", "epoch"} <= set(step)
    assert yaml.safe_load((trained / "config.yaml").read_text())["TRAIN"]["BATCH_SIZE"] == 6
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["protocol"] == "official" and metrics["num_key_frames"] == 2 and metrics["clips"] == 2

    # The CSV it left scores the same through the evaluation tool.
    tables = toy_data / "annotations"
    scored = run_main(
        "tools/evaluate_ava.py",
        *("--groundtruth", str(tables / "toy_val.csv"), "--detections", str(trained / "detections.csv")),
        *("--labelmap", str(tables / "toy_action_list.pbtxt"), "--json", str(tmp_path / "again.json")),
    )
    assert "official" in scored.stdout
    assert json.loads((tmp_path / "again.json").read_text())["mAP"] == pytest.approx(metrics["mAP"], abs=1e-12)


def test_a_run_goes_on_where_it_stopped(run_main, toy_config, overrides, trained):
    longer = [*overrides, "SOLVER.MAX_EPOCH", "2", "SOLVER.WARMUP_EPOCHS", "0.5"]
    refused = unchanged_by(trained, run_main, "--cfg", toy_config, *longer)
    assert "SOLVER.MAX_EPOCH is 2, it was 1" in refused and 'CHANGED_ON_PURPOSE "[SOLVER.MAX_EPOCH]"' in refused
    longer += ["CHANGED_ON_PURPOSE", "[SOLVER.MAX_EPOCH]"]
    second = run_main("tools/run_net.py", "--cfg", toy_config, "--opts", *longer)
    assert "going on after epoch 1" in second.stdout
    assert "SOLVER.MAX_EPOCH is 2, it was 1 (CHANGED_ON_PURPOSE)" in second.stdout
    assert [r["epoch"] for r in records(trained) if r["kind"] == "eval"] == [1, 2]

    # Another model or loss in the same folder is refused, and what is there stays as it was.
    other = unchanged_by(
        trained, run_main, "--cfg", toy_config, *longer, *("MVIT.EMBED_DIM", "24", "LOSS.ACTOR_TYPE", "focal")
    )
    assert "MVIT.EMBED_DIM is 24, it was 16" in other and "LOSS.ACTOR_TYPE is 'focal', it was 'ce'" in other
    assert "That run is finished, so its weights would be tested under another name" in other

    # On purpose it does not fit either, and that is said without a line for every tensor.
    wide = ["MVIT.EMBED_DIM", "24", "CHANGED_ON_PURPOSE", "[MVIT.EMBED_DIM]"]
    wide = run_main("tools/run_net.py", "--cfg", toy_config, *longer, *wide, expect=1).stderr
    assert "does not belong to this configuration" in wide and " more)" in wide and len(wide.splitlines()) <= 3


def unchanged_by(run: Path, run_main, *arguments: str) -> str:
    """What a run says that is refused and leaves every file of `run` as it was."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    refused = run_main("tools/run_net.py", *arguments, expect=1)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    return refused.stderr


def test_a_checkpoint_is_tested_without_training(run_main, toy_config, overrides, trained, tmp_path):
    expected = json.loads((trained / "metrics.json").read_text())
    test_only = [
        *("TRAIN.ENABLE", "False", "OUTPUT_DIR", str(tmp_path / "test")),
        *("TEST.CHECKPOINT_FILE_PATH", str(trained / "checkpoints/checkpoint_epoch_00001.pyth")),
    ]
    run_main("tools/run_net.py", "--cfg", toy_config, *overrides, *test_only)
    found = json.loads((tmp_path / "test/metrics.json").read_text())
    own = {"clips_per_second", "run"}
    assert {k: v for k, v in found.items() if k not in own} == {k: v for k, v in expected.items() if k not in own}
    # The same weights, once from memory and once from a file; what made the two is told.
    weights, trained_weights = found["run"]["weights"], expected["run"]["weights"]
    assert weights["state_sha256"] == trained_weights["state_sha256"] and trained_weights["file"] is None
    path = Path(weights["file"])
    assert path.name == "checkpoint_epoch_00001.pyth"
    assert weights["file_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    written = (tmp_path / "test/config.yaml").read_bytes()
    assert found["run"]["config_sha256"] == hashlib.sha256(written).hexdigest() != expected["run"]["config_sha256"]
    assert found["run"]["precision"] == "float32" and found["run"]["versions"]["torch"] == torch.__version__
    assert found["run"]["command"] == {"config": toy_config, "overrides": [*overrides, *test_only]}

    # A run that is finished, tested by another rule: nothing of its evaluation is taken.
    done = run_main(
        "tools/run_net.py", "--cfg", toy_config, *overrides, "SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0.5",
        *("TEST.MAX_PEOPLE", "1"),
    )  # fmt: skip
    assert "the test is the evaluation" not in done.stdout
    rows = [(tmp_path / run / "people.csv").read_text().splitlines() for run in ("run", "test")]
    assert len(rows[0]) == 2 < len(rows[1])  # one on each of the two key frames

    # Tested as another network they would have another number, and no word about it.
    other = [*overrides, *test_only, "BMVIT.BOX_PRIOR", "False"]
    refused = unchanged_by(tmp_path / "test", run_main, "--cfg", toy_config, *other)
    assert "BMVIT.BOX_PRIOR is False, it was True" in refused and "CHANGED_ON_PURPOSE" in refused


def test_a_resumed_run_repeats_a_straight_one_bit_for_bit(run_main, toy_config, overrides, tmp_path):
    """The straight one in this process, the resumed one in another: nothing but the folder joins its halves."""

    def weights(name: str) -> dict:
        return torch.load(tmp_path / name / "checkpoints/checkpoint_epoch_00002.pyth", weights_only=True)["model_state"]

    # The schedule of both runs spans two epochs; drop path makes the training itself random.
    common = [
        *overrides,
        *("SOLVER.MAX_EPOCH", "2", "SOLVER.WARMUP_EPOCHS", "0", "MVIT.DROPPATH_RATE", "0.2"),
        *("TRAIN.CHECKPOINT_PERIOD", "1"),
    ]
    run_main("tools/run_net.py", "--cfg", toy_config, *common, "OUTPUT_DIR", str(tmp_path / "straight"))
    shutil.copytree(tmp_path / "straight", tmp_path / "resumed")
    (tmp_path / "resumed/checkpoints/checkpoint_epoch_00002.pyth").unlink()
    saved = sorted((tmp_path / "resumed/checkpoints").glob("checkpoint_*.pyth"))
    assert [p.name for p in saved] == ["checkpoint_epoch_00001.pyth"]
    resumed = ["OUTPUT_DIR", str(tmp_path / "resumed")]
    again = run_main("tools/run_net.py", "--cfg", toy_config, *common, *resumed, processes=1)
    assert "going on after epoch 1" in again.stdout
    straight, resumed = weights("straight"), weights("resumed")
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["AVA.GROUNDTRUTH_FILE", "nowhere.csv"], "nowhere.csv"),
        (["AVA.VIDEO_DIR", "nowhere"], "AVA.VIDEO_DIR"),
        (["MODEL.NUM_CLASSES", "80"], "set MODEL.NUM_CLASSES 7"),
        (["TRAIN.BATCH_SIZE", "100"], "fewer than TRAIN.BATCH_SIZE (100)"),
        (["SOLVER.BASE_LRR", "1"], "SOLVER.BASE_LR"),
        (["NUM_GPUS", "3", "TRAIN.BATCH_SIZE", "6"], "set NUM_GPUS"),
        (["MODEL.MODEL_NAME", "BMVT"], "BMViT"),
        (["TRAIN.ENABLE", "False", "TEST.CHECKPOINT_FILE_PATH", "nowhere.pyth"], "nowhere.pyth"),
    ],
)
def test_what_cannot_run_says_why_and_fails(run_main, toy_config, overrides, change, message):
    done = run_main("tools/run_net.py", "--cfg", toy_config, *overrides, *change, expect=1)
    assert message in done.stderr and "Traceback" not in done.stderr


def test_a_process_that_cannot_run_says_why_and_fails(run_main, toy_config, overrides):
    change = ["AVA.GROUNDTRUTH_FILE", "nowhere.csv"]
    done = run_main("tools/run_net.py", "--cfg", toy_config, *overrides, *change, processes=1, expect=1)
    assert done.stderr.startswith("error: ") and "nowhere.csv" in done.stderr and "Traceback" not in done.stderr


def test_ctrl_c_keeps_what_is_on_disk_and_the_run_goes_on(repo_root, run_main, toy_config, overrides, tmp_path):
    long = [*overrides, "SOLVER.MAX_EPOCH", "500", "TRAIN.EVAL_PERIOD", "500", "TRAIN.CHECKPOINT_PERIOD", "1"]
    command = [sys.executable, str(repo_root / "tools/run_net.py"), "--cfg", toy_config, *long]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    # A suite started in the background of a shell is deaf to Ctrl-C, and so would be what it starts.
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    folder, deadline = tmp_path / "run/checkpoints", time.monotonic() + 120
    with subprocess.Popen(command, cwd=tmp_path, preexec_fn=hear, **pipes) as running:
        try:
            while not list(folder.glob("checkpoint_*.pyth")) and time.monotonic() < deadline:
                time.sleep(0.2)
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate(timeout=60)
        finally:
            running.kill()  # one that did not hear would train on
    assert running.returncode == 130 and "goes on from the newest" in errors and "Traceback" not in errors
    assert not list(folder.glob(".*.tmp"))
    newest = sorted(folder.glob("checkpoint_*.pyth"))[-1]
    epoch = torch.load(newest, weights_only=True)["epoch"]
    shorter = ["SOLVER.MAX_EPOCH", str(epoch + 1), "CHANGED_ON_PURPOSE", "[SOLVER.MAX_EPOCH]"]
    done = run_main("tools/run_net.py", "--cfg", toy_config, *overrides, *shorter)
    assert f"going on after epoch {epoch}" in done.stdout


def test_unreadable_clips_are_named_counted_and_fatal_when_strict(run_main, toy_config, overrides, toy_data, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for source in (toy_data / "videos").iterdir():
        content = source.read_bytes()
        (videos / source.name).write_bytes(b"not a video" if source.stem == "toy_0001" else content)
    broken = [
        *(*overrides, "AVA.VIDEO_DIR", str(videos), "DATA.CACHE_DIR", ""),
        *("SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0"),
    ]
    done = run_main("tools/run_net.py", "--cfg", toy_config, *broken, "TRAIN.BATCH_SIZE", "13")
    assert "2 clips could not be read" in done.stdout and "toy_0001.mp4" in done.stdout
    strict = [*broken, "DATA.STRICT", "True", "OUTPUT_DIR", str(tmp_path / "s")]
    strict = run_main("tools/run_net.py", "--cfg", toy_config, *strict, expect=1)
    assert "toy_0001.mp4" in strict.stderr


@pytest.mark.parametrize(
    ("fails_in", "advice"), [("training", "TRAIN.GRAD_ACCUM_STEPS 2"), ("testing", "TEST.BATCH_SIZE")]
)
def test_out_of_memory_is_advice_and_exit_code_1(run_main, toy_config, overrides, monkeypatch, fails_in, advice):
    forward = BMViT.forward

    def hungry(model, clips):
        if clips.device.type != "meta" and model.training == (fails_in == "training"):
            raise torch.OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of"
            )
        return forward(model, clips)

    kept: list[bool] = []
    monkeypatch.setattr("slowfast.engine.run.keep_freed_memory", lambda: kept.append(True))
    monkeypatch.setattr(BMViT, "forward", hungry)
    done = run_main("tools/run_net.py", "--cfg", toy_config, *overrides, expect=1)
    first = "a training step" if fails_in == "training" else "a test batch"
    assert done.stderr.startswith(f"error: the machine has too little memory for {first}: ") and kept
    assert "when 2.00 GiB more were asked for" in done.stderr and f"\n  - {advice}" in done.stderr
    assert "Traceback" not in done.stderr


def test_start_weights_are_mentioned_where_the_folder_holds_a_run(run_main, toy_config, overrides, trained, tmp_path):
    same = [*overrides, *("SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0.5")]
    weights = tmp_path / "run/checkpoints/best.pyth"
    done = run_main("tools/run_net.py", "--cfg", toy_config, *same, "TRAIN.CHECKPOINT_FILE_PATH", str(weights))
    assert f"TRAIN.CHECKPOINT_FILE_PATH {weights} is not used: the run goes on from" in done.stdout
