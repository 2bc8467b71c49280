import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from slowfast.layers.kernels import choice, recompute
from slowfast.layers.mlp import Mlp
from slowfast.layers.mvit_block import BlockSpec, MultiScaleBlock


def saved_elements(run):
    """Elements that autograd keeps of run(), which returns what to keep alive."""
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        run()
    return sum(kept)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_same_gradients_and_less_memory(monkeypatch, dropout):
    torch.manual_seed(0)
    mlp, norm = Mlp(16, hidden=64, dim_out=16, dropout=dropout), torch.nn.LayerNorm(16)
    x = torch.randn(2, 50, 16, requires_grad=True)
    inputs = (x, *mlp.parameters(), *norm.parameters())
    gradients, kept = {}, {}
    for smallest in (1, 2**30):
        monkeypatch.setattr(choice, "_WORTH_RECOMPUTING", smallest)
        torch.manual_seed(1)
        gradients[smallest] = torch.autograd.grad(mlp(recompute.normed(norm, x)).square().sum(), inputs)
        kept[smallest] = saved_elements(lambda: mlp(recompute.normed(norm, x)))
    for a, b in zip(gradients[1], gradients[2**30], strict=True):
        assert torch.equal(a, b)
    assert kept[1] <= kept[2**30] - x.shape[0] * x.shape[1] * (16 + 64)  # the norm's and GELU's outputs


def test_a_block_keeps_no_norm_no_gelu_and_no_seen_tokens(monkeypatch):
    """Elements kept of one block: what recomputation saves, counted by hand."""
    grid, clips, dim = (2, 12, 16), 2, 16
    spec = BlockSpec(dim, 2 * dim, 2 * dim, 2, grid, (1, 1, 1), (1, 4, 4), (3, 3, 3), (3, 3, 3))
    options = dict.fromkeys(("class_token", "residual_pooling"), True)
    block = MultiScaleBlock(spec, **options, rel_pos_temporal=False, rel_pos_spatial=False)
    x = torch.randn(clips, 1 + 2 * 12 * 16, dim, requires_grad=True)
    tokens, seen = clips * (1 + 2 * 12 * 16), clips * (1 + 2 * 8 * 11)  # 3 and 4 windows of 3, the first cut

    def kept(smallest: int) -> int:
        """Elements of the tensors that are kept, each counted once, without parameters."""
        monkeypatch.setattr(choice, "_WORTH_RECOMPUTING", smallest)
        own = {parameter.data_ptr() for parameter in block.parameters()}
        found: dict[int, torch.Tensor] = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda a: a if a.data_ptr() in own else found.setdefault(a.data_ptr(), a), lambda a: a
        ):
            block(x, grid)
        return sum(tensor.numel() for tensor in found.values())

    norms = 2 * tokens * dim + tokens * 2 * dim  # norm1 for attention and for the skip, norm2
    saved = kept(2**30) - kept(1)
    statistics = 3 * 2 * tokens  # the mean and the deviation of every token in every norm
    assert saved >= norms + statistics + seen * dim + tokens * 8 * dim  # and GELU's output, four times as wide


def test_last_step_runs_once(monkeypatch):
    monkeypatch.setattr(choice, "_WORTH_RECOMPUTING", 1)
    x = torch.randn(4, 4, requires_grad=True)
    weight = torch.randn(4, 4, requires_grad=True)
    exponentials = []
    with FlopCounterMode(display=False) as counter:
        recompute.recomputed(lambda a: (exponentials.append(1) or a.exp()) @ weight, x).sum().backward()
    assert len(exponentials) == 2
    assert counter.get_total_flops() == 3 * 2 * 4**3  # one product forward, two backward, none again


def test_nothing_happens_without_gradients(monkeypatch):
    monkeypatch.setattr(choice, "_WORTH_RECOMPUTING", 1)
    monkeypatch.setattr(recompute, "checkpoint", None)
    assert recompute.recomputed(lambda a: a + 1, torch.zeros(1)).item() == 1
    with torch.no_grad():
        assert recompute.recomputed(lambda a: a + 1, torch.zeros(1, requires_grad=True)).item() == 1
