import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from slowfast.layers.kernels.attention import key_code
from slowfast.layers.rel_pos import distance_index
from slowfast.layers.tensor_cache import _LARGEST, cached_tensor


def counting():
    calls = []

    @cached_tensor
    def ones(size):
        calls.append(size)
        return torch.ones(size)

    return ones, calls


def test_made_once_for_each_key():
    ones, calls = counting()
    assert ones(2) is ones(2)
    assert ones(3).shape == (3,)
    assert calls == [2, 3]


def test_does_not_grow_without_end():
    ones, calls = counting()
    for size in range(_LARGEST + 1):
        ones(size)
    ones(0)
    assert len(calls) == _LARGEST + 2  # the cache was emptied once, so 0 was made again


def test_made_under_inference_mode_it_still_trains():
    ones, _ = counting()
    with torch.inference_mode():
        ones(2)
    x = torch.ones(2, requires_grad=True)
    (x * ones(2)).sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_stand_ins_of_a_trace_are_not_kept():
    ones, _ = counting()
    with FakeTensorMode():
        assert isinstance(ones(2), FakeTensor)
    assert not isinstance(ones(2), FakeTensor)
    with FakeTensorMode():
        assert isinstance(ones(2), FakeTensor)


def test_what_a_cuda_graph_makes_while_it_is_recorded_is_not_kept(monkeypatch):
    ones, calls = counting()
    kept = ones(2)
    with monkeypatch.context() as recording:
        recording.setattr(torch.cuda, "is_initialized", lambda: True)
        recording.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
        assert ones(2) is kept
        ones(3)
    assert ones(3) is ones(3)
    assert calls == [2, 3, 3]


def test_default_device_does_not_leak_into_the_cache():
    cpu = torch.device("cpu")
    with torch.device("meta"):
        code = key_code((1, 2, 3), (True, True, True), False, 4, cpu, torch.float32)
        index = distance_index(5, 3, cpu)
    assert code.device == index.device == cpu
