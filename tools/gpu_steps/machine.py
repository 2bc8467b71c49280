"""What the machine is, and the two rates that bound every layer: bytes copied and multiply-adds of matrix products."""

import importlib.metadata
import platform
import shutil
import subprocess

import torch
from bench.rows import Row
from bench.timing import interleaved
from bench.utilisation import MatrixProduct
from gpu_steps.report import Options, Report
from gpu_steps.setups import CONFIGS

from slowfast.config import load_cfg
from slowfast.engine.device.compiling import choose_compiling
from slowfast.utils.processes.cores import effective_cores

PACKAGES = ("torch", "torchvision", "triton", "numpy", "scipy", "av", "opencv-python-headless", "fvcore", "pytest")


def machine(options: Options, report: Report) -> None:
    """Versions, the device, and its rates. Raises RuntimeError where there is no such device."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "PyTorch sees no CUDA device (torch.cuda.is_available() is False); --device cpu --tiny runs without"
        )
    device = torch.device(options.device)
    for name in PACKAGES:
        report.value(name, _version(name))
    report.value("cudnn", torch.backends.cudnn.version())
    report.value("python", platform.python_version())
    report.value("cores", effective_cores().count)
    report.value("machine", f"{_name(device)}, torch {torch.__version__}, Triton {_version('triton')}, cuDNN "
                            f"{torch.backends.cudnn.version()}, Python {platform.python_version()}")  # fmt: skip
    if shutil.which("nvidia-smi") and device.type == "cuda":
        subprocess.run(["nvidia-smi"], check=False)  # into the log
    _compiling(device, report)
    _matrix_rates(device, report)
    _copy_rate(device, report)


def _compiling(device: torch.device, report: Report) -> None:
    """Whether a run compiles its model here: where it does not, the speeds of the other steps are those of eager models."""
    chosen = choose_compiling(load_cfg(CONFIGS / "AVA/BMViT_S.yaml"), device)
    report.value("compiling", str(chosen))
    report.row(Row("what MODEL.COMPILE auto comes to", str(chosen), "", ""))
    if device.type == "cuda" and not chosen.on:
        report.fault(str(chosen))


def _name(device: torch.device) -> str:
    if device.type == "cpu":
        return f"CPU {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    found = torch.cuda.get_device_properties(device)
    return f"{found.name}, {found.total_memory / 2**30:.0f} GiB, sm_{found.major}{found.minor}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _matrix_rates(device: torch.device, report: Report) -> None:
    kinds = {"float32": (torch.float32, "highest")}
    if device.type == "cuda":
        kinds |= {"TF32": (torch.float32, "high"), "bfloat16": (torch.bfloat16, "highest")}
    before = torch.get_float32_matmul_precision()
    for kind, (dtype, setting) in kinds.items():
        torch.set_float32_matmul_precision(setting)
        product = MatrixProduct(device, dtype)
        rate = product.flops / interleaved({kind: product}, repeats=3, device=device)[kind].median
        report.value(f"matrix rate {kind}, TFLOP/s", rate / 1e12)
        report.row(Row(f"matrix products of {product.size}, {kind}", f"{rate / 1e12:.3g} TFLOP/s", "", ""))
    torch.set_float32_matmul_precision(before)


def _copy_rate(device: torch.device, report: Report) -> None:
    size, times = (2**30, 10) if device.type == "cuda" else (2**25, 2)
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        for _ in range(times):
            target.copy_(source)

    rate = 2 * size * times / interleaved({"copy": copy}, repeats=3, device=device)["copy"].median
    report.value("copy rate, TB/s", rate / 1e12)
    report.row(Row(f"copy of {size // 2**20} MiB, read and written", f"{rate / 1e12:.3g} TB/s", "", ""))
