import pytest
import torch
import torch.nn.functional as F

from slowfast.layers.kernels import Linear, choice, linear

LARGE = 2 * 500  # rows: enough for the convolution
SMALL = 2 * 5


@pytest.mark.parametrize("rows", [LARGE, SMALL])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("contiguous", [True, False])
def test_values_and_gradients_are_those_of_a_linear_layer(product_kernel, rows, bias, contiguous):
    torch.manual_seed(0)
    layer = Linear(64, 96, bias=bias)
    x = torch.randn(2, rows // 2, 64)
    x = (x if contiguous else x.transpose(0, 1).contiguous().transpose(0, 1)).requires_grad_()
    inputs = (x, *layer.parameters())
    found, expected = layer(x), F.linear(x, layer.weight, layer.bias)
    assert found.shape == expected.shape == (2, rows // 2, 96)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    direction = torch.randn_like(found)
    for a, b in zip(
        torch.autograd.grad(found, inputs, direction), torch.autograd.grad(expected, inputs, direction), strict=True
    ):
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()


def used_convolution(x, weight):
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        linear(x, weight, None)
    return any("convolution" in event.key for event in profile.key_averages())


def test_convolution_is_used_for_large_float32_only_where_onednn_is_faster(product_kernel):
    weight = torch.randn(96, 64)
    if product_kernel == "MKL":
        assert not used_convolution(torch.randn(LARGE, 64), weight)
        return
    assert used_convolution(torch.randn(LARGE, 64), weight)
    assert not used_convolution(torch.randn(SMALL, 64), weight)
    assert not used_convolution(torch.randn(LARGE, 64, dtype=torch.float64), weight.double())
    with torch.autocast("cpu", torch.bfloat16):
        assert not used_convolution(torch.randn(LARGE, 64), weight)
    with torch.backends.mkldnn.flags(enabled=False):
        assert not used_convolution(torch.randn(LARGE, 64), weight)
    assert 2 * SMALL * 64 * 96 < choice._LARGE_PRODUCT < LARGE * 64 * 96


def test_an_exported_graph_may_take_any_number_of_rows():
    rows = torch.export.Dim("rows", min=2, max=10 * LARGE)
    with torch.no_grad():
        exported = torch.export.export(
            Linear(64, 96).eval(), (torch.randn(LARGE, 64),), dynamic_shapes={"x": {0: rows}}
        )
    assert exported.module()(torch.randn(SMALL, 64)).shape == (SMALL, 96)


def test_an_exported_graph_holds_a_linear_layer():
    graph = torch.export.export(Linear(64, 96).eval(), (torch.randn(LARGE, 64),)).graph
    targets = {str(node.target) for node in graph.nodes}
    assert "aten.linear.default" in targets and not any("conv" in target for target in targets)
