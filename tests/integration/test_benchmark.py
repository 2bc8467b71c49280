"""The benchmark tool runs, on the toy network and a CPU, and does its sums right."""

import importlib
import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg

TOY = "configs/Toy/BMViT_toy.yaml"
SMALL = ["DATA.NUM_FRAMES", "4", "DATA.TRAIN_CROP_SIZE", "[32, 32]", "DATA.TEST_CROP_SIZE", "[32, 32]"]


@pytest.fixture(scope="module")
def tool(repo_root: Path):
    """tools/benchmark.py as a module; it puts its folder on the path by itself."""
    before = list(sys.path)
    sys.path.insert(0, str(repo_root / "tools"))
    yield importlib.import_module("benchmark")
    sys.path[:] = before


@pytest.fixture
def run(tool, repo_root, capsys, monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr("bench.layers._LONG_ENOUGH", 0.0)

    def call(what: str, *options: str, blocks: Sequence[str] = ()) -> str:
        line = [what, "--cfg", str(repo_root / TOY), "--device", "cpu", "--threads", "1", "--repeats", "1", *options]
        assert tool.main([*line, "--set", *SMALL, *blocks]) == 0
        return capsys.readouterr().out

    yield call
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_train_prints_speed_utilisation_and_memory(run, monkeypatch):
    monkeypatch.setattr("bench.detector.peak_megabytes", lambda make, setup, device: 200.0 if setup.plain else 100.0)
    out = run("train", "--clips", "2", "--people", "2")
    assert "checked: tokens, ours against plain" in out
    assert "model FLOP utilisation ours, plain" in out
    assert re.search(r"peak memory ours +100 MiB, 50 a clip +0.50 of the plain path", out)


def test_infer_prints_latency_and_frames_of_video(run):
    out = run("infer")
    found = re.search(
        r"^ours +latency (\S+) ms for 1 clips; (\S+) frames/s read, (\S+) frames/s of video", out, re.MULTILINE
    )
    latency, read, sustained = map(float, found.groups())
    assert read == pytest.approx(4 / latency * 1e3, rel=0.01)  # clips of 4 frames, every second frame of a video
    assert sustained == pytest.approx(2 * read, rel=0.01)


@pytest.mark.slow
def test_infer_compares_runtimes(run, monkeypatch):
    """In this process: each case of a real run has one of its own."""
    from bench import runtimes

    @contextmanager
    def made_here(makers, device):
        yield {name: make(*arguments) for name, (make, *arguments) in makers.items()}

    monkeypatch.setattr(runtimes, "made", made_here)
    two_blocks = ["MVIT.DEPTH", "2", "MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2]]"]
    out = run("infer", "--runtimes", "onnx", "int8", blocks=two_blocks)
    assert re.search(r"^checked: onnx against eager: boxes \S+, actor \S+, scores \S+$", out, re.MULTILINE)
    sizes = dict(re.findall(r"^(onnx|int8) file: (\S+) MB$", out, re.MULTILINE))
    assert float(sizes["int8"]) < float(sizes["onnx"])
    assert re.findall(r"^(\w+) +\d+\.\d+ +\S+ +\S+x", out, re.MULTILINE) == ["eager", "onnx", "int8"]

    monkeypatch.setattr(runtimes, "onnx_bytes", lambda program, example, facts: files.pop())
    files = [b""]
    monkeypatch.setattr(runtimes, "int8_bytes", lambda content, metadata: content)
    monkeypatch.setattr(runtimes, "open_onnx", lambda file, threads: (Wrong(), {}))
    with pytest.raises(RuntimeError, match=r"ONNX Runtime differs by more than 0\.0001"):
        run("infer", "--runtimes", "onnx", blocks=two_blocks)


class Wrong:
    """A session whose boxes, actors and scores are all a half."""

    def run(self, names, given):
        return [np.full((1, 1, 1), 0.5, np.float32)] * 3


def test_matcher_prints_a_share(run):
    assert "of the step's CPU time" in run("matcher", "--people", "2")


def test_memory_prints_a_line_for_each_size(run):
    assert len(run("memory", "--frames", "4", "--sizes", "32").splitlines()) == 3


def test_pooling_compares_every_candidate(run):
    out = run("pooling")
    assert "1 x 2x8x8 of 48 channels, kernel 3x3x3, stride 1x1x1" in out
    assert out.count("PyTorch, channels first") == out.count("PyTorch, channels last") == out.count("  ours ") == 6
    assert "not timed" not in out


def test_attention_compares_every_way(run, monkeypatch):
    from bench import layers

    def no_compiler(*args, **options):
        raise RuntimeError("no compiler here") from OSError("g++ not found")

    monkeypatch.setattr(layers, "flexed", no_compiler)
    out = run("attention")
    assert "1 x 1 heads of 48, queries 2x8x8, keys 2x2x2" in out
    assert out.count("mask given to PyTorch") == out.count("  plain ") == out.count("ours, in the product") == 3
    assert out.count("OSError: g++ not found") == 6 and "not timed" not in out


def test_numbers_that_differ_are_not_timed(run, monkeypatch):
    from bench import layers

    monkeypatch.setattr(layers, "flexed", layers.attend_plain)
    monkeypatch.setattr(layers, "masked", lambda *args, **options: 1.1 * layers.attend_plain(*args, **options))
    out = run("attention")
    assert out.count("not timed: off by 1.0e-01 of the largest value") == 6


@pytest.mark.parametrize("class_token", [True, False])
def test_every_way_of_attention_gives_the_same_numbers(tool, class_token):
    """FlexAttention's bias is computed without its kernel, pair by pair: compiling it takes half a minute."""
    from bench.layer_calls import AttentionCall
    from bench.layers import attention_trials, difference

    call = AttentionCall(2, 8, (2, 4, 4), (2, 2, 3), class_token, (True, True, True))
    trials = attention_trials(call, 2, torch.device("cpu"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.layers._flex_kernel", sys.modules["bench.layers"]._flex_kernel._torchdynamo_orig_callable)
        patch.setattr("torch.nn.attention.flex_attention.flex_attention", pair_by_pair)
        results = {name: trial.forward() for name, trial in trials.items()}
    assert len(results) == 4
    for result in results.values():
        assert difference([result], [results["plain"]]) < 1e-5


def pair_by_pair(q, k, v, score_mod):
    logits = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    index = [
        torch.arange(size).view([-1 if i == axis else 1 for i in range(4)]) for axis, size in enumerate(logits.shape)
    ]
    return score_mod(logits, *index).softmax(-1) @ v


def test_calls_are_those_of_the_network(tool, repo_root):
    from bench.layer_calls import record_calls

    attentions, poolings = record_calls(load_cfg(repo_root / "configs/Kinetics/MVITv2_S_16x4.yaml"))
    assert sum(attentions.values()) == 16 and sum(poolings.values()) == 32  # k and v are pooled together
    assert all(call.class_token and call.channels == 96 for call in attentions)
    attentions, poolings = record_calls(load_cfg(repo_root / "configs/AVA/BMViT_ViT_B.yaml"))
    assert list(attentions.values()) == [12] and not poolings


def test_loader_prints_its_ratio_to_the_usual_route(tool, repo_root, capsys, monkeypatch):
    """A video of a second and clips of 32 pixels: the checks and the lines are those of the real run."""
    monkeypatch.setattr("bench.loader.SECONDS", 1)
    monkeypatch.setattr("bench.loader.SIZE", (48, 64))
    threads = torch.get_num_threads()
    small = ["DATA.TRAIN_CROP_SIZE", "32", "DATA.TEST_CROP_SIZE", "32", "DATA.TRAIN_JITTER_SCALES", "[48,56]"]
    line = ["loader", "--task", "classification", "--device", "cpu", "--videos", "1", "--repeats", "1"]
    assert tool.main([*line, "--set", *small, "DATA.NUM_FRAMES", "4", "AUG.RE_PROB", "0"]) == 0
    torch.set_num_threads(threads)
    out = capsys.readouterr().out
    compared, off = re.search(
        r"checked: (\d) clips of both routes differ by at most (\S+) of 255 on average", out
    ).groups()
    assert int(compared) == 2 and float(off) < 1
    rows = re.findall(r"^(\w[\w ]+?) +(\S+) clips/s +(\S+) cpu s a clip +(\S+)x$", out, re.MULTILINE)
    assert [name for name, *_ in rows] == ["usual route", "ours", "our decoding alone", "decoding all frames"]
    seconds = {name: float(cpu) for name, _, cpu, _ in rows}
    ratio = {name: float(value) for name, *_, value in rows}
    assert ratio["usual route"] == 1
    assert ratio["ours"] == pytest.approx(seconds["usual route"] / seconds["ours"], rel=0.1)
    assert re.search(r"^ours: \d+% decoding", out, re.MULTILINE)
    assert re.search(r"^workers, each with a core of its own, for a step of 32 clips: \d+ for 0.1 s", out, re.MULTILINE)


def test_transforms_print_what_a_worker_is_spared(tool, capsys, monkeypatch):
    monkeypatch.setattr("bench.transforms.CACHED", {"AVA": (48, 64)})
    monkeypatch.setattr("bench.transforms.CLIPS", 2)
    threads = torch.get_num_threads()
    line = ["loader", "--task", "transforms", "--device", "cpu", "--repeats", "1", "--cfg", "configs/AVA/BMViT_S.yaml"]
    assert tool.main([*line, "--set", "DATA.TRAIN_CROP_SIZE", "32", "DATA.NUM_FRAMES", "4"]) == 0
    torch.set_num_threads(threads)
    out = capsys.readouterr().out
    assert float(re.search(r"^checked: 2 still clips differ by at most (\S+) of 255 levels", out, re.MULTILINE)[1]) < 5
    rows = re.findall(r"^(\w[\w ,]+?) +(\S+) cpu ms a clip +(\S+)x$", out, re.MULTILINE)
    assert [name for name, *_ in rows] == [
        *("worker, before", "worker, now", "worker, no colours"),
        "colours on this CPU as device",
    ]
    with pytest.raises(ValueError, match=r"changes no colours: DATA\.COLOR_JITTER is 0"):
        tool.main([*line, "--set", "DATA.COLOR_JITTER", "0"])


def test_predict_prints_overhead_shares_and_what_clips_share(run):
    out = run("predict", "--seconds", "2", "--clips", "2")
    assert re.search(r"^texture.mp4: 60 frames, 2 s; 4 clips of \(3, 4, 32, 32\), a key frame every 0.5 s$", out, re.M)
    shares = dict(
        re.findall(
            r"([a-z][a-z -]*?) ([\d.]+)%", out[out.index("shares of predict in CPU time:") + 30 :].splitlines()[0]
        )
    )
    assert set(shares) == {
        *("decode", "convert and resize", "choose frames"),
        *("batch and post-processing", "forward", "output"),
    }
    assert sum(map(float, shares.values())) == pytest.approx(100, abs=0.5)
    inside = float(re.search(r"predict over the decode \+ forward that are in it: ([\d.]+)", out).group(1))
    assert inside == pytest.approx(100 / (float(shares["decode"]) + float(shares["forward"])), rel=0.01)
    assert re.search(
        r"^predict over decode \+ forward alone: [\d.]+ in CPU time, [\d.]+ in wall time; goal 1.10$", out, re.M
    )
    assert re.search(r"^speed of predict: [\d.]+ frames/s, [\d.]+ x real time$", out, re.M)
    # 4 key frames of 4 frames, 1/6 s apart, half a second from each other: 3 steps, so that one frame is shown twice.
    shown = re.search(r"^frames: (\d+) of the (\d+) that clips show are converted and resized, \d+%$", out, re.M)
    assert int(shown[2]) == 16 and int(shown[1]) <= 13
    assert re.search(r"^patch embedding: [\d.]+% of the forward pass", out, re.M)


def test_endless_prints_a_slope(run, tool):
    from bench.endless import slope

    out = run("endless", "--seconds", "20", "--clips", "2")
    assert len(re.findall(r"^at +[\d.]+ min of video: +[\d.]+ MiB resident$", out, re.M)) == 5
    assert re.search(
        r"^0.333333 min of video, a key frame every 1 s, tracked, in .* MiB an hour of video, at most", out, re.M
    )
    assert slope(np.array([0.0, 1800.0, 3600.0]), np.array([100.0, 103.0, 106.0])) == pytest.approx(6)


def test_parts_inside_parts_count_once(tool, monkeypatch):
    """By hand: 1 s outside, 2 s inside, 4 s outside again, of a clock that is told."""
    from bench import prediction

    now = iter([0.0, 0.0, 1.0, 3.0, 7.0])
    monkeypatch.setattr(prediction.time, "process_time", lambda: next(now))
    watch = prediction.Stopwatch()
    with watch.part("out"), watch.part("in"):
        pass
    assert watch.seconds == {"out": 1.0 + 4.0, "in": 2.0}


def test_gpu_needs_one(tool, capsys):
    assert tool.main(["gpu", "--device", "cpu"]) == 2
    assert "needs a CUDA device" in capsys.readouterr().out


def test_some_of_the_benchmarks_by_name():
    from bench.rows import choose

    named = dict.fromkeys(("model", "infer, batch 1", "infer, batch 16", "train"))
    assert list(choose(named, None)) == list(named)
    assert list(choose(named, ["infer", "train"])) == ["infer, batch 1", "infer, batch 16", "train"]
    with pytest.raises(ValueError, match="--only speed: there is no such part; parts: model, infer, batch 1"):
        choose(named, ["model", "speed"])


def test_a_table_holds_what_there_is_and_goes_on_after_a_failure(tool, tmp_path, capsys):
    from bench.rows import Row, run_all

    def fails():
        raise ValueError("a | in\nlines")

    out = tmp_path / "table.md"
    named = {"a": lambda: [Row("speed", "1 ms", "2 ms", "2x", "3x")], "b": fails, "c": lambda: [Row("c", "", "", "")]}
    assert run_all(named, heading="a machine", out=out) == 1
    assert out.read_text().splitlines() == [
        "a machine",
        "",
        "| what | ours | against | ratio | goal |",
        "|---|---:|---:|---:|---:|",
        "| speed | 1 ms | 2 ms | 2x | 3x |",
        "| b | failed |  | ValueError: a / in |  |",
        "| c |  |  |  |  |",
    ]
    assert "failed: ValueError" in capsys.readouterr().out


def test_the_largest_batch_is_on_the_line_through_two_peaks(tool):
    from bench.timing import predicted_batch

    assert predicted_batch({2: 300.0, 4: 500.0}, 1000.0) == 9  # 100 and 100 a clip
    assert predicted_batch({4: 500.0, 2: 300.0}, 100.0) == 2


def test_a_predicted_batch_that_does_not_fit_is_made_smaller(tool, monkeypatch, capsys):
    from bench import timing

    def peak(make, batch, device):
        if batch > 8:
            raise torch.OutOfMemoryError("full")
        return 100.0 + 100.0 * batch

    monkeypatch.setattr(timing, "peak_megabytes", peak)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1060 * 2**20, 2000 * 2**20))
    assert timing.largest_batch(lambda batch: None, device=torch.device("cuda")) == (8, 100.0)
    assert "a batch of 9 does not fit" in capsys.readouterr().out


def test_cases_on_a_cpu_live_in_processes_of_their_own(tool):
    """sleep(0.2) takes 0.2 s of wall time and next to none of CPU time, in a child that ends with the block."""
    from bench.timing import interleaved, made

    with made({"slow": (partial, time.sleep, 0.2), "fast": (partial, time.sleep, 0)}, torch.device("cpu")) as cases:
        children = [case._process for case in cases.values()]
        assert len({child.pid for child in children} | {os.getpid()}) == 3
        timings = interleaved(cases, repeats=2, device=torch.device("cpu"))
    assert len(timings["slow"].wall) == 2
    assert 0.2 <= timings["slow"].median < 2 and timings["slow"].cpu_median < 0.1
    assert timings["fast"].median < 0.2
    assert not any(child.is_alive() for child in children)


def test_a_case_that_fails_in_its_process_says_where_to_look(tool):
    from bench.timing import made

    message = "the process of a case ended; its own error is printed above"
    with made({"broken": (int, "no number")}, torch.device("cpu")) as cases, pytest.raises(RuntimeError, match=message):
        cases["broken"].timed()


def test_utilisation_by_hand(tool):
    from bench.timing import Timing
    from bench.utilisation import MATRIX, MatrixProduct, print_utilisation

    device = torch.device("cpu")
    flops = MatrixProduct(device).flops
    # The matrix product does `flops` in 2 s of CPU; the model 3 passes of 2 clips of flops / 24 multiply-adds in 4 s.
    timings = {"ours": Timing([1.0], [4.0]), MATRIX: Timing([9.0], [2.0])}
    shares = print_utilisation(timings, gmacs=flops / 24 / 1e9, clips=2, passes=3, device=device)
    assert shares == {"ours": pytest.approx(0.25)}


def test_options_are_checked(tool, capsys):
    for line, message in (
        (["train", "--set", "MODEL.COMPILE"], "--set takes KEY VALUE pairs; MODEL.COMPILE lacks a value"),
        (["train", "--clips", "0"], "--clips must be at least 1, got 0"),
    ):
        with pytest.raises(SystemExit):
            tool.main(line)
        assert message in capsys.readouterr().err


def test_frames_are_seen_once(tool, repo_root, capsys):
    small = ["DATA.TRAIN_CROP_SIZE", "[64, 64]", "MVIT.DEPTH", "1", "MVIT.EMBED_DIM", "16", "MVIT.NUM_HEADS", "2"]
    threads, lite = torch.get_num_threads(), str(repo_root / "configs/JHMDB/BMViT_lite.yaml")
    line = ["frames", "--cfg", lite, "--device", "cpu", "--threads", "1", "--repeats", "1"]
    try:
        assert tool.main([*line, "--set", *small]) == 0
        printed = capsys.readouterr().out
        with pytest.raises(SystemExit, match="for backbones that see single frames, not for MViT"):
            tool.main(["frames", "--cfg", str(repo_root / TOY), "--device", "cpu", "--set", *SMALL])
    finally:
        torch.set_num_threads(threads)
    for what in ("folded", "from features"):
        assert float(re.search(rf"^{what}: largest difference (\S+) of", printed, re.MULTILINE)[1]) < 1e-3
    assert re.search(r"^one frame, the rest kept( +\S+){5}$", printed, re.MULTILINE)


@pytest.mark.long
def test_realtime_compares_before_it_times(tool, repo_root, capsys, monkeypatch):
    """In PyTorch; the two ONNX files have tests of their own, and take half a minute to write."""
    import bench.realtime

    monkeypatch.setattr(bench.realtime, "_exported", lambda loaded, folder: {})
    threads, lite = torch.get_num_threads(), str(repo_root / "configs/JHMDB/BMViT_lite.yaml")
    small = ["DATA.TEST_CROP_SIZE", "[64, 64]", "MVIT.DEPTH", "1", "MVIT.EMBED_DIM", "16", "MVIT.NUM_HEADS", "2"]
    line = ["realtime", "--cfg", lite, "--device", "cpu", "--threads", "1", "--repeats", "1", "--seconds", "0.5"]
    try:
        assert tool.main([*line, "--set", *small, "TEST.ACTOR_THRESHOLD", "0"]) == 0
        printed = capsys.readouterr().out
        with pytest.raises(SystemExit, match="for backbones that see single frames, not for MViT"):
            tool.main(["realtime", "--cfg", str(repo_root / TOY), "--device", "cpu", "--set", *SMALL])
        monkeypatch.setattr(bench.realtime, "_AGREEMENT", 0.0)
        with pytest.raises(RuntimeError, match="speeds of different numbers mean nothing"):
            tool.main([*line, "--set", *small, "TEST.ACTOR_THRESHOLD", "0"])
    finally:
        torch.set_num_threads(threads)
    # Half a second, a key frame every two frames of it; a clip shows every fourth frame, so that half of them are shown.
    found = re.search(r"15 frames, 0.5 s; (\d+) key frames, .*; (\d+) of the (\d+) frames that clips show go", printed)
    key_frames, seen, asked = map(int, found.groups())
    assert key_frames == 8 and asked == 8 * key_frames and seen <= 9
    off, people = re.search(
        r"checked: eager, frames once against eager, whole clips: (\S+) at most, (\d+) people", printed
    ).groups()
    assert float(off) < 1e-5 and int(people) == 16 * key_frames  # 4 x 4 tokens
    assert re.search(
        r"^eager, frames once: [\d.]+ key frames/s, \d+ frames/s of video by the clock; .*; goal 15$", printed, re.M
    )
    assert re.search(r"^eager, frames once, [\d.]+ ms a key frame: .*image network [\d.]+", printed, re.M)


def test_kept_memory_is_timed_and_counted(tool, run, monkeypatch):
    from bench import kept
    from bench.timing import in_this_process

    told = []
    monkeypatch.setattr(kept, "keep_freed_memory", lambda: told.append(True) or True)
    monkeypatch.setattr(kept, "peak_megabytes", lambda make, setup, keep, device: 110.0 if keep else 100.0)
    with in_this_process():
        out = run("kept", "--people", "2")
    assert re.findall(r"^(given back|kept) +\d+\.\d+ +\S+ +\S+x", out, re.MULTILINE) == ["given back", "kept"]
    assert re.search(r"^peak memory kept +110 MiB beyond the built model$", out, re.MULTILINE) and told == [True]
