"""slowfast.engine.device.memory: errors about memory become advice, and no other error does."""

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.engine.device.launch import USER_ERRORS
from slowfast.engine.device.memory import MemoryShortError, advice_when_short, peak_bytes

CPU = torch.device("cpu")
CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.25 GiB")
HOST = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: not enough memory: you tried to allocate 8589934592 bytes."
)


def advice(error, *, training=True, device=CPU, **changes):
    cfg = get_cfg()
    for key, value in changes.items():
        section, name = key.split("__")
        cfg[section][name] = value
    with pytest.raises(MemoryShortError) as told, advice_when_short(cfg, device, training=training):
        raise error
    assert isinstance(told.value, USER_ERRORS) and told.value.__cause__ is error
    return str(told.value)


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (CUDA, " when 2.00 GiB more were asked for"),
        (HOST, " when 8.0 GiB more were asked for"),
        (MemoryError(), " at most\n"),
        (MemoryError("Unable to allocate 3.00 GiB for an array"), " at most\n"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), " at most\n"),
        (RuntimeError("CUDA error: out of memory"), " at most\n"),
    ],
)
def test_a_training_step_that_does_not_fit(error, asked):
    text = advice(error)
    assert text.startswith("the machine has too little memory for a training step: ") and asked in text
    for key in (
        "TRAIN.GRAD_ACCUM_STEPS 2",
        "MODEL.ACT_CHECKPOINT True",
        "MODEL.PRECISION bf16",
        "TRAIN.BATCH_SIZE below 16",
    ):
        assert f"\n  - {key}" in text, text
    assert "a process takes 16 clips of DATA.NUM_FRAMES 16 x DATA.TRAIN_CROP_SIZE 256 at once" in text
    assert "a smaller DATA.TRAIN_CROP_SIZE or DATA.NUM_FRAMES" in text and "DATA_LOADER.NUM_WORKERS below 8" in text


def test_what_is_done_already_is_not_advised():
    text = advice(
        HOST, TRAIN__BATCH_SIZE=6, TRAIN__GRAD_ACCUM_STEPS=2, MODEL__ACT_CHECKPOINT=True, MODEL__PRECISION="bf16"
    )
    assert "takes 3 clips" in text and "TRAIN.GRAD_ACCUM_STEPS 3 (now 2)" in text
    assert "ACT_CHECKPOINT" not in text and "PRECISION" not in text
    text = advice(HOST, TRAIN__BATCH_SIZE=1)
    assert "GRAD_ACCUM" not in text and "TRAIN.BATCH_SIZE below" not in text


def test_a_test_batch_that_does_not_fit():
    text = advice(HOST, training=False, TEST__BATCH_SIZE=4)
    assert text.startswith("the machine has too little memory for a test batch")
    assert "TEST.BATCH_SIZE below 4: the same result" in text and "TRAIN." not in text


def test_of_a_gpu_its_size_is_told(monkeypatch):
    properties = type("Properties", (), {"total_memory": 80 << 30, "major": 9, "minor": 0})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 79 << 30)
    text = advice(CUDA, device=torch.device("cuda", 0))
    assert (
        "the GPU has too little memory for a training step: 79.0 GiB were in use at most of 80.0 GiB when 2.00" in text
    )
    assert "NUM_WORKERS" not in text
    assert "MODEL.PRECISION" not in text  # auto is bf16 there already


@pytest.mark.parametrize(
    "message",
    [
        "DataLoader worker (pid 4711) is killed by signal: Killed. ",
        "DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory.",
        "DataLoader worker (pid(s) 4711, 4712) exited unexpectedly",
        "unable to write to file </torch_12_345_6>: No space left on device (28)",
        "unable to allocate shared memory(shm) for file </torch_12_345_6>: Resource temporarily unavailable (11)",
    ],
)
def test_a_loader_process_that_was_ended(message):
    text = advice(RuntimeError(message))
    assert message.strip()[:40] in text and "DATA_LOADER.NUM_WORKERS below 8" in text and "--shm-size" in text


@pytest.mark.parametrize(
    "error",
    [
        *(RuntimeError("shapes do not fit"), ValueError("out of memory"), KeyError("memory")),
        *(
            OSError(28, "No space left on device"),
            RuntimeError("DataLoader worker (pid 1) is killed by signal: Segmentation fault."),
        ),
    ],
)
def test_other_errors_pass_as_they_are(error):
    with pytest.raises(type(error)) as passed, advice_when_short(get_cfg(), CPU, training=True):
        raise error
    assert passed.value is error


def test_advice_is_given_once():
    cfg = get_cfg()
    with (
        pytest.raises(MemoryShortError, match="a training step") as told,
        advice_when_short(cfg, CPU, training=False),
        advice_when_short(cfg, CPU, training=True),
    ):
        raise HOST
    assert "a test batch" not in str(told.value)


def test_the_memory_of_this_process_is_some():
    assert 20 << 20 < peak_bytes(CPU) < 1 << 42
