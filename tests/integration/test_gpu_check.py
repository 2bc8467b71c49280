"""tools/gpu_check.py: its driver loses nothing, its steps run on a CPU, and they find what is planted."""

import importlib
import json
import re
import sys
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError
from slowfast.video.stored.cache import CachedVideos
from tests.unit.video import video_maker
from tests.unit.video.video_maker import write_video

# A step without torch, by its name: it notes a row, and then ends as its name says.
STEP = """
import json, pathlib, sys, time
name, result = sys.argv[1], pathlib.Path(sys.argv[2])
row = {"what": f"row of {name}", "ours": "1 | 2", "against": "", "ratio": "", "goal": ""}
def save(faults, ended):
    result.write_text(json.dumps({"rows": [row], "values": {}, "faults": faults, "ended": ended}))
save([], False)
print(f"{name} was here", flush=True)
if name == "slow":
    time.sleep(60)
if name == "crash":
    sys.exit(3)
save(["off by 1"] if name == "wrong" else [], True)
"""


@pytest.fixture(scope="module")
def steps(repo_root: Path):
    """The modules of tools/gpu_steps; a script finds them by the folder it is in."""
    before = list(sys.path)
    sys.path.insert(0, str(repo_root / "tools"))
    names = (
        "plan",
        "driver",
        "report",
        "packages",
        "layer_checks",
        "whole_models",
        "gpu_tests",
        "training",
        "opencv_cache",
    )
    yield SimpleNamespace(**{name: importlib.import_module(f"gpu_steps.{name}") for name in names})
    sys.path[:] = before


@pytest.fixture
def tiny(steps, tmp_path):
    return steps.report.Options("cpu", True, tmp_path)


# -------------------------------------------------------------------------------------------------------- the driver


@pytest.fixture
def drive(steps, tmp_path, monkeypatch):
    """The driver over steps that are made up; returns its exit code and the folder of results."""
    (tmp_path / "tools/gpu_steps").mkdir(parents=True)
    (tmp_path / "tools/gpu_steps/one_step.py").write_text(STEP)
    monkeypatch.setattr(steps.driver, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(steps.driver, "_CPU_PATIENCE", 1)

    def call(*names: str, limit: int = 30, **options) -> tuple[int, Path]:
        plan = [steps.plan.Step(name, "", "for a test", 1 if name == "slow" else limit) for name in names]
        monkeypatch.setattr(steps.driver, "choose", lambda only: plan)
        words = ["--out", str(tmp_path / "out"), "--device", "cpu"]
        return steps.driver.main(words, **options), tmp_path / "out"

    return call


def test_a_step_that_fails_stops_no_other_and_nothing_is_lost(drive, capsys):
    code, out = drive("slow", "first", "wrong", "crash", "last")
    printed = capsys.readouterr().out
    assert code == 1
    assert printed.strip().splitlines()[-1] == (
        "2 of 5 steps passed in 0.0 minutes; failed: wrong, crash; stopped at its limit: slow"
    )
    states = {path.stem: json.loads(path.read_text())["state"] for path in out.glob("*.json")}
    assert states == {"slow": "stopped at its limit", "first": "passed", "wrong": "failed", "crash": "failed",
                      "last": "passed"}  # fmt: skip
    table = (out / "table.md").read_text()
    assert [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| row")] == [
        f"| row of {name}" for name in ("slow", "first", "wrong", "crash", "last")
    ]
    assert "| 1 / 2 |" in table  # a bar would end the cell
    assert "exit code 3; crash was here" in table and "off by 1" in table
    assert (out / "slow.log").read_text() == "slow was here\n"


def test_what_a_step_leaves_of_its_time_is_the_next_ones(drive, steps, monkeypatch):
    limits: list[float] = []

    def run(step, args, limit, left):
        limits.append(limit)
        return steps.driver.Result(step.name, "passed", {"first": 10.0, "wrong": 70.0, "last": 5.0}[step.name])

    monkeypatch.setattr(steps.driver, "_run", run)
    drive("first", "wrong", "last", "first")
    assert limits == [30, 30 + 20, 30, 30 + 25]  # "wrong" took more than it had, as one does that is ended late


def test_what_has_no_time_left_is_said(drive, capsys):
    times = iter([0.0, 10.0, 533.0, 534.0])  # of 540 seconds; a step needs at least 10
    code, out = drive("first", "last", clock=lambda: next(times))
    assert code == 1 and json.loads((out / "last.json").read_text())["state"] == "not run, no time left"
    assert "1 of 2 steps passed in 8.9 minutes; not run, no time left: last" in capsys.readouterr().out


def test_results_of_an_earlier_run_are_not_taken_for_new_ones(drive, tmp_path):
    drive("first")
    (tmp_path / "tools/gpu_steps/one_step.py").write_text("raise SystemExit('nothing works')")
    code, out = drive("first")
    found = json.loads((out / "first.json").read_text())
    assert code == 1 and found["state"] == "failed" and found["rows"] == []
    assert found["faults"] == ["exit code 1; nothing works"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "depthwise", "speed"], "--only speed: there is no such step; steps: machine, depthwise, attention"),
        (["--minutes", "0"], "--minutes must be above 0, got 0"),
        (["--data", "nowhere"], "--data nowhere: no such folder"),
        (["--wheels", "nowhere"], "--wheels nowhere: no .whl file in this folder"),
    ],
)
def test_a_wrong_option_says_so(steps, words, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        steps.driver.main(["--out", str(tmp_path), *words])
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_every_step_has_its_function(steps):
    assert len({step.name for step in steps.plan.STEPS}) == len(steps.plan.STEPS) == 12
    # A run in which every step is cut at its limit ends within nine minutes, with its table written.
    assert sum(step.limit for step in steps.plan.STEPS) + steps.driver._KEPT_BACK <= 9 * 60
    assert all(step.least < step.limit for step in steps.plan.STEPS)
    for step in steps.plan.STEPS:
        assert callable(getattr(importlib.import_module(f"gpu_steps.{step.module}"), step.name))


def test_wheels_of_what_is_missing_are_unpacked(steps, tmp_path):
    wheels, into = tmp_path / "wheels", tmp_path / "packages"
    wheels.mkdir()
    for name in ("surely_missing", "numpy"):
        with zipfile.ZipFile(wheels / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}/__init__.py", "here = True\n")
    assert steps.packages.unpack_missing(wheels, into) == ["surely_missing"]
    assert [path.name for path in into.iterdir()] == ["surely_missing"]
    (wheels / "also_missing-1.0-cp311-cp311-linux_x86_64.whl").touch()
    with pytest.raises(ValueError, match=r"also_missing-1\.0-cp311-cp311-linux_x86_64\.whl is not pure Python"):
        steps.packages.unpack_missing(wheels, into)


# ---------------------------------------------------------------------------------------- numbers, and planted faults


@pytest.fixture
def quick(steps, monkeypatch):
    """Each layer is timed once, and only the two largest of them are looked at."""
    layer_checks = steps.layer_checks
    monkeypatch.setattr(layer_checks, "_LONG", 0.0)
    real = layer_checks.record_calls

    def largest(*args):
        return tuple(dict(sorted(calls.items(), key=lambda item: -item[0].channels)[:2]) for calls in real(*args))

    monkeypatch.setattr(layer_checks, "record_calls", largest)
    return layer_checks


@pytest.mark.long
def test_a_wrong_gradient_kernel_of_ours_is_found(quick, steps, tiny, monkeypatch):
    from slowfast.layers.kernels.depthwise import convolution

    good = steps.report.Report()
    quick.depthwise(tiny, good)
    assert good.faults == [] and len(good.rows) == 2 and "PyTorch, channels" in good.rows[0].against

    real = convolution._frame_gradients

    def one_step_short(x, weight, grad, stride, needs_x, needs_weight):
        grad_x, grad_weight = real(x, weight, grad, stride, needs_x, needs_weight)
        grad_weight[:, :, 0] = 0
        return grad_x, grad_weight

    monkeypatch.setattr(convolution, "_frame_gradients", one_step_short)
    bad = steps.report.Report()
    quick.depthwise(tiny, bad)
    assert bad.faults and all(", ours: in torch.float32 off by" in text for text in bad.faults)


@pytest.mark.long
def test_a_wrong_or_raising_attention_is_found(quick, steps, tiny, monkeypatch):
    from bench import layers

    good = steps.report.Report()
    quick.attention(tiny, good)
    assert good.faults == []
    widths = [int(row.what.split(" wide")[0].split()[-1]) for row in good.rows if " wide" in row.what]
    assert widths == sorted(widths, reverse=True) and "ms" in good.rows[1].ours

    real = layers.attend_fused
    monkeypatch.setattr(
        layers, "attend_fused", lambda q, k, v, *tables, **grids: real(q, 1.01 * k, v, *tables, **grids)
    )
    bad = steps.report.Report()
    quick.attention(tiny, bad)
    assert len(bad.faults) == 2 and "off by" in bad.faults[0]

    def refuses(*arguments, **options):
        raise RuntimeError("head width above 128")

    monkeypatch.setattr(layers, "attend_fused", refuses)
    refused = steps.report.Report()
    quick.attention(tiny, refused)
    assert len(refused.faults) == 2 and refused.faults[0].endswith("RuntimeError: head width above 128")
    assert "plain" not in refused.rows[0].against


def test_a_model_that_is_wrong_in_one_precision_is_found(steps):
    class Model(torch.nn.Linear):
        def forward(self, x):
            out = super().forward(x.flatten(1))
            return out * 1.2 if torch.is_autocast_enabled("cpu") and self.wrong else out

    torch.manual_seed(0)
    model, clip = Model(24, 5), torch.randn(1, 3, 2, 2, 2)
    for model.wrong, faults in ((False, 0), (True, 1)):
        report = steps.report.Report()
        steps.whole_models.compare_precisions("it", model, clip, report)
        assert len(report.faults) == faults and len(report.rows) == 2
    assert report.faults[0].startswith("it in bfloat16: outputs off by")


def test_waits_are_counted(steps):
    def waits_twice():
        for _ in range(2):
            warnings.warn("called a synchronizing CUDA operation", stacklevel=2)
        warnings.warn("something else", stacklevel=2)
        return 7

    assert steps.whole_models.waits_of(waits_twice, torch.device("cpu")) == (7, 2)


# --------------------------------------------------------------------------------------- tests and training as a step


@pytest.mark.long
def test_queries_of_a_wrong_kernel_are_found(quick, steps, tiny, monkeypatch):
    good = steps.report.Report()
    quick.queries(tiny, good)
    assert good.faults == [] and good.rows and "one kernel" in str(good.values)

    from bench import layers

    real = layers._by_products

    def one_table_for_all(x, first, weight, bias, *rows, width):
        return real(x, first, weight, bias, rows[0], rows[1], rows[2].roll(1, 0), width=width)

    monkeypatch.setattr(layers, "_by_products", one_table_for_all)
    bad = steps.report.Report()
    quick.queries(tiny, bad)
    assert bad.faults and all(", matrix products: in torch.float32 off by" in text for text in bad.faults)


@pytest.mark.long
def test_a_file_of_tests_that_fails_is_a_fault(steps, tmp_path):
    file = tmp_path / "test_it.py"
    file.write_text("import pytest\n@pytest.mark.gpu\ndef test_it(): assert 1 == 2\ndef test_other(): assert False\n")
    (tmp_path / "test_that_names_it.py").write_text('TEXT = "@pytest.mark.gpu"\n')
    assert steps.gpu_tests.marked_files(tmp_path) == [file]
    report = steps.report.Report()
    steps.gpu_tests.run_file(file, report, must_pass=False)
    assert report.values == {"test_it.py": {"failed": 1, "deselected": 1}}
    assert len(report.faults) == 1 and report.faults[0].startswith("test_it.py: exit code 1; FAILED")


def test_a_file_of_tests_that_hangs_is_ended(steps, tmp_path):
    file = tmp_path / "test_it.py"
    file.write_text("import time\nprint('before', flush=True)\ntime.sleep(60)\n")
    report = steps.report.Report()
    steps.gpu_tests.run_file(file, report, must_pass=True, seconds=1)
    assert len(report.faults) == 1 and report.faults[0].startswith("test_it.py: stopped after 1 s")


def test_a_run_that_gives_up_a_kernel_is_a_fault(steps):
    report = steps.report.Report()
    steps.training.check_text("step 1\nthe compiled model is not used, it raises X; the model runs\n", report)
    assert report.faults == ["the run says: the compiled model is not used, it raises X; the model runs"]
    steps.training.check_text("the compiled model gives what the model as written does: outputs off by 1e-3\n", report)
    assert len(report.faults) == 1 and report.rows[0].ours == "outputs off by 1e-3"


@pytest.mark.parametrize(
    ("code", "last", "on_a_gpu", "fault"),
    [
        (0, "2 passed, 37 deselected in 6.66s", True, None),
        (0, "1 skipped, 37 deselected in 6.66s", False, None),
        (0, "1 skipped, 37 deselected in 6.66s", True, "a.py: no test ran (1 skipped, 37 deselected in 6.66s)"),
        (-11, "Fatal Python error", True, "a.py: exit code -11; Fatal Python error"),
    ],
)
def test_what_pytest_says_is_judged(steps, code, last, on_a_gpu, fault):
    report = steps.report.Report()
    steps.gpu_tests.judge("a.py", code, f"s\n{last}\n", report, must_pass=on_a_gpu)
    assert report.faults == ([] if fault is None else [fault])


def log(run: Path, losses: dict[int, float]) -> None:
    run.mkdir(exist_ok=True)
    lines = [json.dumps({"kind": "train", "step": step, "loss": loss}) for step, loss in losses.items()]
    (run / "log.jsonl").write_text("\n".join(lines) + '\n{"kind": "tra')


@pytest.mark.parametrize(
    ("losses", "text", "fault"),
    [
        ({1: 3.0, 2: 2.0, 3: 1.0}, "going on after epoch 1", None),
        ({1: 3.0, 2: 2.0, 3: 1.0}, "", "began anew"),
        ({1: 3.0, 3: 1.0}, "going on after epoch 1", r"every step once: \[1, 3\]"),
        ({1: 3.0, 2: 2.0}, "going on after epoch 1", "nothing behind step 2"),
        ({1: 3.0, 2: 2.0, 3: float("nan")}, "going on after epoch 1", r"not finite in steps \[3\]"),
    ],
)
def test_a_log_that_does_not_go_on_is_found(steps, losses, text, fault, tmp_path):
    log(tmp_path / "run", losses)
    report = steps.report.Report()
    steps.training.check_log(tmp_path / "run", text, 2, report)
    assert (report.faults == []) if fault is None else re.search(fault, report.faults[0])


def test_a_training_is_killed_behind_its_first_checkpoint(steps, tmp_path):
    program = (
        "import pathlib, time\nrun = pathlib.Path('{run}')\n(run / 'checkpoints').mkdir(parents=True)\n"
        'with (run / "log.jsonl").open("a") as log:\n    log.write(\'{{"kind": "train", "step": 4}}\\n\')\n'
        "(run / 'checkpoints/1.pyth').touch()\ntime.sleep({seconds})\nraise SystemExit('too early')"
    )
    run = tmp_path / "run"
    command = [sys.executable, "-c", program.format(run=run, seconds=60)]
    assert steps.training.run_and_kill(command, run, tmp_path / "out.txt") == 4
    with pytest.raises(RuntimeError, match=r"exit code 1\) before it was killed: \['no data'\]"):
        steps.training.run_and_kill(
            [sys.executable, "-c", "raise SystemExit('no data')"], tmp_path / "b", tmp_path / "b.txt"
        )


@pytest.mark.slow
@pytest.mark.timeout(3600)  # limits are of the clock, which a busy machine stretches
def test_every_step_runs_on_a_cpu(run_tool, tmp_path):
    options = ("--out", str(tmp_path), "--device", "cpu", "--tiny", "--minutes", "55")
    done = run_tool("tools/gpu_check.py", *options, seconds=3500)
    assert "12 of 12 steps passed in" in done.stdout.strip().splitlines()[-1]
    table = (tmp_path / "table.md").read_text()
    assert "resumed after SIGKILL" in table and "MViTv2-S" in table and "plain path" in table


# ------------------------------------------------------------------------------------- videos on a machine without PyAV


def test_opencv_fills_the_cache_with_the_pixels_of_pyav(steps, tmp_path, monkeypatch):
    """With B-frames, at two rates, in colours."""
    grey = video_maker.picture
    monkeypatch.setattr(video_maker, "picture", lambda number: grey(number) // np.array([1, 2, 4], dtype=np.uint8))
    videos, rates = tmp_path / "videos", {"group/a": 30, "b": 25}
    for name, fps in rates.items():
        (videos / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(videos / f"{name}.mp4", fps=fps)
    assert steps.opencv_cache.fill(videos, tmp_path / "cache", threads=2) == 2
    files = VideoFiles(videos)
    by_opencv = CachedVideos(files, tmp_path / "cache", decoder=steps.opencv_cache.ByOpenCV())
    for name, fps in rates.items():
        entries = [cached._entry(name, 1) for cached in (by_opencv, CachedVideos(files, tmp_path / "pyav"))]
        assert np.array_equal(*(entry.frames for entry in entries))
        for what in ("times", "frame_seconds", "end"):
            assert np.allclose(*(getattr(entry.timeline, what) for entry in entries), rtol=0, atol=1e-9), what
        assert entries[0].timeline.times[1] == pytest.approx(1 / fps)
    assert by_opencv.built == 0


def test_opencv_refuses_what_it_would_read_otherwise(steps, tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, frames=10)
    small = CachedVideos(VideoFiles(tmp_path), tmp_path / "cache", short_side=8, decoder=steps.opencv_cache.ByOpenCV())
    with pytest.raises(ValueError, match="CACHE_SHORT_SIDE must be 0"):
        small.read("a", np.array([0.0]), center=0)
    path.write_bytes(b"no video")
    with pytest.raises(ClipReadError, match=r"a.mp4: OpenCV cannot open it"):
        steps.opencv_cache.fill(tmp_path, tmp_path / "cache", threads=1)
    path.unlink()
    cut = write_video(
        tmp_path / "b.avi", frames=20, codec="mpeg4", b_frames=0
    )  # it tells the number of frames at its start
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 9 // 10])
    with pytest.raises(ClipReadError, match=r"b.avi: OpenCV decoded \d+ of 20 frames"):
        steps.opencv_cache.fill(tmp_path, tmp_path / "cache", threads=1)
