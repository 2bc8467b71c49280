"""The tables of tools/benchmark.py cpu, gpu and startup, and its options."""

import re

import pytest

from tests.integration.benchmark.sizes import SMALL, TOY


def test_gpu_needs_one(tool, capsys):
    assert tool.main(["gpu", "--device", "cpu"]) == 2
    assert "needs a CUDA device" in capsys.readouterr().out


def test_cpu_prints_a_table_of_one_processor(tool, repo_root, tmp_path, monkeypatch, capsys):
    from bench import cpu

    monkeypatch.setattr(cpu, "has_bfloat16_units", lambda: False)
    out = tmp_path / "table.md"
    assert tool.main(["cpu", "--cfg", str(repo_root / TOY), "--only", "bfloat16", "--out", str(out)]) == 0
    heading, _, *table = out.read_text().splitlines()
    assert re.search(
        r"torch \S+, \d+ thread\(s\), load [\d.]+ on \d+ cores, \d{4}-\d\d-\d\d; times are CPU sec", heading
    )
    assert heading.endswith("model not compiled by torch.compile: MODEL.COMPILE auto does so on a GPU only")
    assert table[2] == "| inference in bfloat16 | not measured | this CPU has no AVX512-BF16 or AMX |  | 1.8x |"
    info = tmp_path / "cpuinfo"
    info.write_text("model name\t: A 9\ncpu family\t: 25\nmodel\t\t: 1\n\nmodel name\t: B\n")
    assert cpu.processor(info) == "A 9, family 25, model 1"
    assert cpu.processor(tmp_path / "none") == "unknown processor"


def test_on_a_cpu_with_bfloat16_its_inference_is_compared_with_float32(tool, repo_root, tmp_path, monkeypatch):
    """On a CPU that only pretends to have it; the compiled way is left out, which takes half a minute."""
    from bench import cpu
    from bench.timing import in_this_process

    monkeypatch.setattr(cpu, "has_bfloat16_units", lambda: True)
    monkeypatch.setattr(cpu, "WAYS", cpu.WAYS[:2])
    out = tmp_path / "table.md"
    line = [
        "cpu",
        "--cfg",
        str(repo_root / TOY),
        "--repeats",
        "1",
        "--only",
        "bfloat16",
        "--out",
        str(out),
        "--set",
        *SMALL,
    ]
    with in_this_process():
        assert tool.main(line) == 0
    found = re.search(
        r"^\| inference in bfloat16, logits off by (\S+) of the largest \| .* ms \| float32 .* ms \| \S+x",
        out.read_text(),
        re.M,
    )
    assert 1e-4 < float(found[1]) < 0.05  # not float32 on both sides


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


def test_options_are_checked(tool, capsys):
    for line, message in (
        (["train", "--set", "MODEL.COMPILE"], "--set takes KEY VALUE pairs; MODEL.COMPILE lacks a value"),
        (["train", "--clips", "0"], "--clips must be at least 1, got 0"),
    ):
        with pytest.raises(SystemExit):
            tool.main(line)
        assert message in capsys.readouterr().err


def test_startup_tells_what_commands_import_and_their_share_of_a_run(tool, monkeypatch, capsys):
    from bench import startup

    commands = {"runs": ("runs.runs", ""), "new-dataset": ("data.new_dataset", "")}
    monkeypatch.setattr(startup, "COMMANDS", commands)
    startup.main(rows=1200, repeats=1)
    out = capsys.readouterr().out
    assert re.search(r"^runs +0\.\d\d *$", out, re.M) and re.search(r"^new-dataset +\d\.\d\d  cv2$", out, re.M)
    whole, python, imported, share = re.search(
        r"evaluate-ava, 1,200 rows: (\S+) s of CPU; Python itself (\S+) s, imports (\S+) s\nshare of the imports: (\d+)%",
        out,
    ).groups()
    assert 0 < float(python) < float(whole) and float(imported) / float(whole) == pytest.approx(
        int(share) / 100, abs=0.05
    )
