"""Attention above 128 channels is not trained by cuDNN: asked on a pretended GPU, whose tensors have no numbers."""

import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode

from slowfast.layers import kernels
from slowfast.layers.kernels import attention, choice

CUDA = torch.device("cuda", 0)
SMALL, BIG = ((8, 8, 8), (8, 8, 8)), ((8, 32, 32), (8, 16, 16))  # 96 + 24 and 96 + 40 channels, as in blocks 2 and 1


@pytest.fixture
def asked(monkeypatch) -> list[tuple[int, bool]]:
    """(channels, whether PyTorch may take cuDNN) of each attention."""
    found = []

    def attend(q, k, v, **_):
        found.append((q.shape[-1], torch.backends.cuda.cudnn_sdp_enabled()))
        return torch.empty_like(q)

    monkeypatch.setattr(F, "scaled_dot_product_attention", attend)
    return found


def attend(grids) -> torch.Tensor:
    """One attention of the pretended GPU with positions along all three axes."""
    (q_grid, k_grid), draw = grids, lambda *shape: torch.empty(*shape, device=CUDA, dtype=torch.bfloat16)
    lengths = [grid[0] * grid[1] * grid[2] + 1 for grid in grids]
    q, k, v = (draw(1, 2, length, 96) for length in (lengths[0], lengths[1], lengths[1]))
    tables = tuple(draw(2 * max(a, b) - 1, 96) for a, b in zip(q_grid, k_grid, strict=True))
    return attention.attend(q, k, v, tables, q_grid=q_grid, k_grid=k_grid, class_token=True)


@pytest.mark.parametrize(
    ("grids", "training", "setting", "expected"),
    [
        (BIG, True, "measured", (136, False)),
        (BIG, False, "measured", (136, True)),  # it has a forward pass
        (SMALL, True, "measured", (120, True)),
        (BIG, True, "all", (136, True)),
    ],
)
def test_what_cudnn_may_take(asked, monkeypatch, grids, training, setting, expected):
    monkeypatch.setattr(choice, "_setting", setting)
    with FakeTensorMode(), torch.set_grad_enabled(training):
        attend(grids)
    assert asked == [expected]
    assert torch.backends.cuda.cudnn_sdp_enabled()  # the rest of the process is left alone


def test_a_compiled_graph_holds_the_same_limit():
    """One graph, with the limit around the attention: what PyTorch chooses when it takes the graph apart."""
    graphs: list[torch.fx.GraphModule] = []

    def keep(module: torch.fx.GraphModule, _: list):
        graphs.append(module)
        return module.forward

    torch._dynamo.reset()
    with FakeTensorMode():
        for grids in (SMALL, BIG):
            torch.compile(attend, backend=keep, fullgraph=True, dynamic=False)(grids)
    torch._dynamo.reset()
    held = [any("sdpa_kernel" in str(node.target) for node in graph.graph.nodes) for graph in graphs]
    assert held == [False, True]


def test_the_log_says_so():
    _, off = kernels.describe(CUDA, autocast=True).split("; off, never measured on cuda: ")
    assert "cuDNN's attention in training above 128 channels" in off and off.endswith("(MODEL.KERNELS all turns it on)")
