"""What a compiled network moves on a GPU, counted without one: the rule by hand, and a limit for the first blocks of BMViT-S."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from slowfast.config import load_cfg

# Bytes of a train step's forward and backward graph: the first two blocks of BMViT-S with its heads, 4 clips, as traced by
# torch 2.14. Lower it with every change that moves less; a change that moves 5 % more needs a reason, which goes here.
# 7.154e9 until keys and values of seen tokens were turned off on a GPU: their gradient adds with atomics, in any order.
# 8.033e9 until biases of queries and kernels of pooling were no longer copied.
# 7.865e9 until poolings wrote behind the class token (7.6e9), and casts and views were counted as they are read.
RECORDED = 7.382e9
TWO_BLOCKS = ("MVIT.DEPTH", "2", "MVIT.DIM_MUL", "[[1, 2.0]]", "MVIT.HEAD_MUL", "[[1, 2.0]]",
              "MVIT.POOL_Q_STRIDE", "[[0, 1, 1, 1], [1, 1, 2, 2]]")  # fmt: skip


@pytest.fixture(scope="module")
def bench(repo_root: Path):
    """tools/bench/<name>.py as a module."""
    before = list(sys.path)
    sys.path.insert(0, str(repo_root / "tools"))
    yield lambda name: importlib.import_module(f"bench.{name}")
    sys.path[:] = before


@pytest.fixture
def count(bench):
    """(kind, operations, bytes) of the pieces of a function's graph, kernels first."""
    traffic: ModuleType = bench("traffic")

    def of(function, *inputs: Tensor) -> list[tuple[str, float, float]]:
        graph = make_fx(function)(*inputs).graph
        return [(piece.kind, piece.operations, piece.bytes) for piece in traffic.pieces(graph)]

    return of


X, W = torch.zeros(8, 16), torch.zeros(16, 16)  # 512 and 1024 bytes


def test_a_product_and_what_follows_it(count):
    """The product reads 512 + 1024 and writes 512; the sum reads its result and x again, and writes 512."""
    assert count(lambda x, w: (x @ w).relu() + x, X, W) == [
        ("linear layers", 2.0 * 8 * 16 * 16, 2048),
        ("other sums, casts and copies", 0.0, 3 * 512),
    ]


def test_what_is_fused_writes_only_what_others_read(count):
    """Float32 within, bfloat16 to the product: 512 read, 256 written; the product 256 + 512 + 256."""
    found = count(lambda x, w: (x * 2 + 1).bfloat16() @ w, X, W.bfloat16())
    assert [moved for _, _, moved in found] == [1024, 512 + 256]


def test_operations_on_both_sides_of_a_product_are_two_regions(count):
    """y is written for the product and read again behind it: 512 + 512, 2048, and 512 + 512 + 512."""
    found = count(lambda x, w: (y := x + 1) * (y @ w), X, W)
    assert [moved for _, _, moved in found] == [2048, 1024, 1536]


def test_a_view_moves_what_it_shows_and_an_expansion_what_it_repeats_once(count):
    assert [moved for *_, moved in count(lambda x: x[:4] + 1, X)] == [256 + 256]
    assert [moved for *_, moved in count(lambda x: x[:1].expand(8, 16) + x, X)] == [512 + 512]
    assert [moved for *_, moved in count(lambda x: x.t().reshape(4, 32).view(-1) * 2, X)] == [512 + 512]


def test_a_gather_reads_what_it_takes(count):
    places = torch.tensor([0, 3])
    assert [moved for *_, moved in count(lambda x, at: x[at] * 2, X, places)] == [128 + 16 + 128]


def test_the_gradient_of_a_weight_holds_up_nothing(count):
    """GELU's value, for the weight's gradient only, is made where its derivative reads the same input: one region, not two."""

    def backward(hidden: Tensor, grad: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        of_hidden = torch.ops.aten.gelu_backward(grad @ weight, hidden)
        return grad.t() @ F.gelu(hidden), of_hidden

    found = count(backward, X, X, W)
    assert [moved for *_, moved in found] == [2048, 512 + 512 + 1024, 512 + 512 + 512 + 512]


def test_what_nobody_waits_for_lies_where_it_is_made_of(count):
    """The squares and their sum, behind the product as what else reads x there: 512 + 512 read, 512 + 64 written."""
    found = count(lambda x, w: (((x + 1) @ w) * x, (x * x).sum(0)), X, W)
    assert [moved for *_, moved in found] == [2048, 1024, 512 + 512 + 512 + 64]


def test_only_what_is_looked_at_is_written(count):
    assert [moved for *_, moved in count(lambda x, w: (x + 1)[:4] @ w, X, W)] == [256 + 1024 + 256, 512 + 256]


def test_another_type_of_what_is_in_memory_is_not_kept(count):
    """Both regions read x in bfloat16, 256 bytes, and none writes it in float32."""

    def function(x: Tensor, w: Tensor) -> Tensor:
        wide = torch.ops.prims.convert_element_type(x, torch.float32)
        return ((wide * 2).bfloat16() @ w) * wide

    found = count(function, X.bfloat16(), W.bfloat16())
    assert [moved for *_, moved in found] == [256 + 512 + 256, 256 + 256, 256 + 256 + 512]


def test_a_wide_sum_of_short_numbers_is_made_where_it_is_read(count):
    """x + y in float32 is read on both sides of the product, and written nowhere: each reads x and y in bfloat16."""

    def function(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        wide = torch.ops.prims.convert_element_type(x, torch.float32) + y
        return ((wide * 2).bfloat16() @ w) + wide

    found = count(function, X.bfloat16(), X.bfloat16() + 1, W.bfloat16())
    assert [moved for *_, moved in found] == [256 + 512 + 256, 2 * 256 + 256, 256 + 2 * 256 + 512]


@pytest.mark.long
def test_no_change_makes_a_train_step_move_more(bench):
    """Fails 5 % above what is recorded. Norms that leave float32 to the products behind them make it 9 % in the forward pass."""
    roofline = bench("roofline")
    cfg = load_cfg("configs/AVA/BMViT_S.yaml", TWO_BLOCKS)
    found = roofline.traced_pieces(cfg, 4, training=True)
    moved = sum(piece.bytes for piece in found)
    assert moved <= 1.05 * RECORDED, f"{moved:.4g} bytes, {RECORDED:.4g} recorded"
    assert moved >= 0.98 * RECORDED, f"now {moved:.4g} bytes: record that as RECORDED in this file"
    ideal = roofline.ideal_pieces(cfg, 4, training=True)
    # Counted from the graph and from the plan. Keys and values that no window sees are left out by the plan alone.
    for kind, more in (("linear layers", 1.17), ("depthwise convolutions", 1), ("patch embedding", 1)):
        ours, plan = (sum(piece.operations for piece in some if piece.kind == kind) for some in (found, ideal))
        assert ours == pytest.approx(more * plan, rel=0.04), kind


def test_the_ideal_is_that_of_the_published_operations(bench):
    """110.3 GMACs a clip less what keys and values of seen tokens only leave out, and the class token."""
    roofline = bench("roofline")
    cfg = load_cfg("configs/AVA/BMViT_S.yaml", [])
    ideal = roofline.summed(roofline.ideal_pieces(cfg, 1, training=False))
    assert ideal.operations / 2e9 == pytest.approx(110.3, rel=0.025)
    with pytest.raises(ValueError, match="this config has a ViT"):
        roofline.ideal_pieces(load_cfg("configs/AVA/BMViT_ViT_B.yaml", []), 1, training=False)
