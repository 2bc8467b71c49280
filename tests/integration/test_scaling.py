"""`tools/benchmark.py scaling`: its sums by hand, its counts against the configs, its measurements against their page."""

import importlib
import math
import sys
from dataclasses import replace

import pytest

from slowfast.config import load_cfg
from slowfast.engine.record.summary import model_summary


@pytest.fixture(scope="module")
def scaling(repo_root):
    before = list(sys.path)
    sys.path.insert(0, str(repo_root / "tools"))
    yield importlib.import_module("bench.scaling")
    sys.path[:] = before


def test_all_reduce_by_hand(scaling):
    """151.4 MB between 8: each sends 7 of 8 parts twice, 264.95 MB; at 100 MB/s, and 2 x 3 messages of 1 ms."""
    assert scaling.all_reduce_bytes(151.4e6, 8) == pytest.approx(264.95e6)
    assert scaling.all_reduce_seconds(151.4e6, 8, 100e6, 1e-3) == pytest.approx(2.6555)
    assert scaling.all_reduce_seconds(151.4e6, 1, 100e6, 1e-3) == 0 and scaling.all_reduce_bytes(1.0, 2) == 1.0
    bandwidth, latency = scaling.fit({8: 0.08 + 0.002, 64: 0.64 + 0.002}, 2)
    assert (bandwidth, latency) == (pytest.approx(100e6), pytest.approx(1e-3))


def test_units_and_memory_by_hand(scaling):
    """Tokens of BMViT-S 16x256: 8 x 64 x 64, 8 x 32 x 32, 8 x 16 x 16 twice, as its last stage keeps the grid."""
    net = scaling.S
    assert net.stages == ((1, 32768, 96), (2, 8192, 192), (11, 2048, 384), (2, 2048, 768)) and net.blocks == 16
    assert net.units == 3145728 + 2 * 1572864 + 11 * 786432 + 2 * 1572864 == 18087936
    assert net.largest_block == 3145728
    assert scaling.L.stages == ((2, 121680, 144), (6, 30420, 288), (36, 8000, 576), (4, 8000, 1152))
    assert scaling.MVITV2_S.stages[3] == (2, 392, 768)
    small = scaling.Network("n", 2.0, 0.0, (2, 4, 4), ((1, 10, 10), (2, 5, 10)))
    assert scaling.memory(small, 3, per_unit=50.0) == 16 * 2e6 + 3 * 200 * 50
    assumed = replace(scaling.Assumed(), bytes_per_unit=50.0, bf16_share=0.5)
    assert scaling.checkpointed(small, 3, assumed, gpus=4) == 8e6 + 3 * (4 * 200 + 25 * 100)


def test_a_step_by_hand(scaling):
    """A network of 25 M parameters and 10 GMACs; 0.01 s a GMAC, 3 clips: 0.3 s of work, of which 0.2 hide gradients."""
    network = scaling.Network("n", 25.0, 10.0, (32, 10, 10), ((4, 10, 10),))
    assumed = scaling.Assumed(
        bytes_per_unit=50.0,
        work_per_gmac=0.01,
        launches_per_block=0.1,
        decode_seconds=0.02,
        in_node=1e9,
        between_nodes=1e8,
        latency=0.0,
    )
    alone, near, far = (scaling.step_of(network, gpus, 3, assumed) for gpus in (1, 8, 16))
    assert alone.work == pytest.approx(0.3) and alone.launched == pytest.approx(0.4)
    assert (alone.all_reduce, alone.exposed, alone.share, alone.reduced) == (0, 0, 0, 0)
    assert near.all_reduce == pytest.approx(0.175) and near.exposed == 0  # 2 x 7/8 x 100 MB at 1 GB/s
    assert far.all_reduce == pytest.approx(1.875) and far.exposed == pytest.approx(1.675)
    assert far.share == pytest.approx(1.675 / 1.975)
    assert alone.cores == pytest.approx(3 * 0.04 / 0.3) and alone.cores_launched == pytest.approx(3 * 0.04 / 0.4)
    assert alone.to_device == pytest.approx(3 * 3200 * 3 / 0.3)
    assert scaling.least_bandwidth(network, 16, 3, assumed) == pytest.approx(187.5e6 / 0.2)


@pytest.mark.parametrize(
    ("name", "config"), [("S", "AVA/BMViT_S"), ("B", "AVA/BMViT_B"), ("MVITV2_S", "Kinetics/MVITv2_S_16x4")]
)
def test_counts_are_those_of_the_configs(scaling, repo_root, name, config):
    network, cfg = getattr(scaling, name), load_cfg(repo_root / f"configs/{config}.yaml", [])
    summary = model_summary(cfg)
    assert network.parameters == pytest.approx(summary.parameters / 1e6, abs=0.01)
    assert network.gmacs == pytest.approx(summary.gmacs, abs=0.06)
    assert network.clip == summary.input_size and network.blocks == cfg.MVIT.DEPTH
    assert network.stages[-1][1:] == (math.prod(summary.token_grid), summary.channels)


def test_what_is_called_measured_stands_on_the_page_of_measurements(scaling, repo_root):
    page = " ".join((repo_root / "docs/PERFORMANCE.md").read_text(encoding="utf-8").split())
    assert len(scaling.checks()) == 8
    for check in scaling.checks():
        assert check.row in page and f"{check.measured:g}" in check.row, check
        assert abs(check.off) < 0.15, check
    for told in ("4 clips needs 5.2 GiB", "53 ms of work for the GPU and takes 210 ms"):
        assert told in page
    assert "| 256 x 456, a key frame every 12 | 20.2 |" in (repo_root / "docs/DATASETS.md").read_text(encoding="utf-8")


def test_the_tables_of_the_page_are_printed(scaling, repo_root, capsys):
    """docs/SCALING.md shows what the command prints, whatever changes here."""
    scaling.main(clips=None, measure=False, repeats=1)
    out = capsys.readouterr().out
    page = (repo_root / "docs/SCALING.md").read_text(encoding="utf-8")
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert len(rows) == 14 + 8 + 10
    assert not [row for row in rows if row not in page]


@pytest.mark.long
def test_gloo_is_measured(scaling):
    found = scaling.measure_gloo((0.1, 1.0), repeats=2)
    assert set(found) == {0.1, 1.0} and all(seconds > 0 for seconds in found.values())
