"""What tools/benchmark.py measures of networks and their layers, on the toy network and a CPU, and its sums."""

import os
import re
import sys
import time
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg


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


@pytest.mark.parametrize("class_token", [True, False])
def test_every_way_of_queries_gives_the_same_numbers(tool, class_token):
    from bench.layer_calls import AttentionCall
    from bench.layers import difference, query_trials

    trials = query_trials(
        AttentionCall(2, 8, (2, 4, 4), (2, 2, 3), class_token, (True, True, True)), 2, torch.device("cpu")
    )
    results = {name: trial.both() for name, trial in trials.items()}
    assert list(results) == ["matrix products", "one kernel", "plain"]
    assert results["plain"][0].shape == (2, 2, 32 + class_token, 16)
    for result in results.values():
        assert difference(result, results["plain"]) < 1e-5
    assert (
        query_trials(
            AttentionCall(2, 8, (2, 4, 4), (2, 2, 3), class_token, (False, True, True)), 2, torch.device("cpu")
        )
        == {}
    )


def pair_by_pair(q, k, v, score_mod):
    logits = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    index = [
        torch.arange(size).view([-1 if i == axis else 1 for i in range(4)]) for axis, size in enumerate(logits.shape)
    ]
    return score_mod(logits, *index).softmax(-1) @ v


def test_calls_are_those_of_the_network(tool, repo_root):
    from bench.layer_calls import record_calls

    cfg, cpu, cuda = (
        load_cfg(repo_root / "configs/Kinetics/MVITv2_S_16x4.yaml"),
        torch.device("cpu"),
        torch.device("cuda"),
    )
    attentions, poolings = record_calls(cfg, cpu)
    assert sum(attentions.values()) == 16 and sum(poolings.values()) == 32  # k and v are pooled together
    assert all(call.class_token and call.channels == 96 for call in attentions)
    assert {call.shared for call in poolings} == {(1, 96), (2, 96)}  # of all heads of queries; of keys, and of values
    # There keys and values are pooled out of all tokens (`choice.SEEN_TOKENS`), with gaps between the windows.
    on_gpu = record_calls(cfg, cuda)[1]
    assert max(call.stride for call in poolings) == (1, 3, 3) and max(call.stride for call in on_gpu) == (1, 8, 8)
    attentions, poolings = record_calls(load_cfg(repo_root / "configs/AVA/BMViT_ViT_B.yaml"), cpu)
    assert list(attentions.values()) == [12] and not poolings


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
