"""The choice of a kernel, with candidates and a clock that a test can read."""

import pytest
import torch

from slowfast.layers.kernels.fastest import Fastest


class ToldClock:
    """Milliseconds as told for each candidate; counts what was timed."""

    device_type = "cpu"

    def __init__(self, times: dict) -> None:
        self.times, self.recording, self.timed = times, False, 0

    def may_run(self) -> bool:
        return not self.recording

    def milliseconds(self, run) -> float:
        run()
        self.timed += 1
        return self.times.get(CALLS[-1], 0.0) if CALLS else 0.0


CALLS: list[str] = []


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.clear()


def candidate(name, function=lambda x: 2 * x):
    def run(x, *_):
        CALLS.append(name)
        return function(x)

    return run


def raises(error):
    def run(x):
        raise error

    return run


def make(times, **functions):
    candidates = {name: candidate(name, function) for name, function in functions.items()}
    return Fastest("doubling", candidates, clock=ToldClock(times))


def double(x):
    return 2 * x


def test_a_candidate_three_times_as_slow_is_not_measured_again():
    choose = make({"a": 1.0, "b": 3.0, "c": 3.1}, a=double, b=double, c=double)
    choose(torch.ones(2))
    called_once_for_its_result = 1
    assert CALLS.count("b") == called_once_for_its_result + 3
    assert CALLS.count("c") == called_once_for_its_result + 1


def test_the_faster_one_is_measured_once_and_kept(caplog):
    caplog.set_level("INFO")
    choose = make({"a": 3.0, "b": 1.0, "c": 2.0}, a=double, b=double, c=double)
    x = torch.ones(2, 3)
    assert torch.equal(choose(x), 2 * x)
    assert CALLS[-1] == "b" and set(CALLS) == {"a", "b", "c"}
    assert "doubling, 2x3 float32: b (a 3.000 ms, b 1.000 ms, c 2.000 ms)" in caplog.text
    timed = choose.clock.timed
    CALLS.clear()
    choose(torch.zeros(2, 3))
    assert CALLS == ["b"] and choose.clock.timed == timed


@pytest.mark.parametrize("other", [torch.ones(3, 2), torch.ones(2, 3).double(), torch.ones(3, 2).t()])
def test_another_shape_type_or_layout_is_measured_anew(other):
    choose = make({"a": 1.0, "b": 2.0}, a=double, b=double)
    choose(torch.ones(2, 3))
    choose.clock.times = {"a": 2.0, "b": 1.0}
    choose(other)
    assert CALLS[-1] == "b"
    choose(torch.ones(2, 3))
    assert CALLS[-1] == "a"


def test_other_arguments_are_measured_apart():
    choose = make({"a": 1.0, "b": 2.0}, a=double, b=double)
    choose(torch.ones(2), (1, 1, 1))
    timed = choose.clock.timed
    choose(torch.ones(2), (1, 2, 2))
    assert choose.clock.timed > timed


def test_one_that_raises_is_named_and_not_used_again(caplog):
    choose = make({"a": 2.0, "b": 1.0}, a=double, b=raises(ValueError("no such architecture")))
    choose(torch.ones(2))
    choose(torch.ones(3))
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["doubling: b is not used: ValueError: no such architecture"]
    assert CALLS[-1] == "a"


def test_one_with_other_numbers_is_named_and_given_up_for_all_shapes(caplog):
    wrong_for_three = lambda x: 2 * x if len(x) != 3 else 2.1 * x  # noqa: E731
    choose = make({"a": 2.0, "b": 1.0}, a=double, b=wrong_for_three)
    choose(torch.ones(2))
    assert CALLS[-1] == "b"
    assert torch.equal(choose(torch.ones(3)), torch.full((3,), 2.0))
    assert "b is not used: it is off by 0.1 where the largest value is 2" in caplog.text
    choose(torch.ones(2))
    assert CALLS[-1] == "a"


def test_another_shape_of_the_result_is_a_difference(caplog):
    choose = make({"a": 2.0, "b": 1.0}, a=double, b=lambda x: torch.cat([x, x]))
    choose(torch.ones(2))
    assert "b is not used: its shape is (4,), expected (2,)" in caplog.text


def test_rounding_is_no_difference():
    choose = make({"a": 2.0, "b": 1.0}, a=double, b=lambda x: (2 * x).bfloat16().float())
    choose(torch.rand(100))
    assert CALLS[-1] == "b"


def test_when_the_first_raises_the_next_is_the_definition():
    choose = make({"b": 1.0}, a=raises(RuntimeError("not for this type")), b=double)
    assert torch.equal(choose(torch.ones(2)), torch.full((2,), 2.0))


def test_the_error_of_the_last_one_is_raised():
    choose = make({}, a=raises(RuntimeError("first")), b=raises(RuntimeError("second")))
    with pytest.raises(RuntimeError, match="second"):
        choose(torch.ones(2))


def test_running_out_of_memory_strikes_nothing_off():
    choose = make({}, a=double, b=raises(torch.OutOfMemoryError("full")))
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        choose(torch.ones(2))
    assert set(choose.candidates) == {"a", "b"}


def test_numbers_that_are_not_finite_decide_nothing():
    choose = make({"a": 2.0, "b": 1.0}, a=double, b=double)
    choose(torch.full((2,), float("nan")))
    assert CALLS == ["a", "a"] and not choose.chosen
    choose(torch.ones(2))
    assert CALLS[-1] == "b"


def test_no_timing_while_a_graph_is_recorded(caplog):
    choose = make({"a": 2.0, "b": 1.0}, a=double, b=double)
    choose.clock.recording = True
    choose(torch.ones(2))
    assert CALLS == ["a"] and choose.clock.timed == 0
    assert "doubling: 2 float32 was not met before the recording of a CUDA graph" in caplog.text
    choose.clock.recording = False
    choose(torch.ones(2))
    choose.clock.recording = True
    choose(torch.ones(2))
    assert CALLS[-1] == "b"


def test_other_devices_take_the_first():
    choose = Fastest("doubling", {"a": candidate("a"), "b": candidate("b")})  # the clock of CUDA
    choose(torch.ones(2))
    assert CALLS == ["a"]


def test_a_batch_of_nothing_takes_the_first_and_strikes_nothing_off():
    choose = make({"a": 2.0, "b": 1.0}, a=double, b=lambda x: 2 * x / len(x))
    assert choose(torch.ones(0, 3)).shape == (0, 3)
    assert CALLS == ["a"] and set(choose.candidates) == {"a", "b"}


def test_deterministic_algorithms_take_the_first():
    choose = make({"a": 2.0, "b": 1.0}, a=double, b=double)
    torch.use_deterministic_algorithms(True)
    try:
        choose(torch.ones(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert CALLS == ["a"]
