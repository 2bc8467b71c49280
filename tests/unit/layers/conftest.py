"""Fixtures of the layer tests."""

import pytest


@pytest.fixture(params=["oneDNN", "MKL"])
def product_kernel(request, monkeypatch) -> str:
    """Large float32 products on a CPU through either library, whichever this machine's CPU would get."""
    monkeypatch.setattr("slowfast.layers.kernels.choice.multiplies_faster", lambda: request.param == "oneDNN")
    return request.param
