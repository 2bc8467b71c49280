"""What a result was made with: versions, commit, configuration, weights, command. It goes into metrics.json as "run"."""

import hashlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

import slowfast
from slowfast.engine.device.precision import choose_precision
from slowfast.weights.file import weight_path

ROOT = Path(slowfast.__file__).resolve().parents[1]
_GIT_SECONDS = 10


def provenance(
    cfg: CfgNode,
    model: nn.Module,
    device: torch.device,
    *,
    weights: str = "",
    config_file: str = "",
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that tells two results of this project apart.

    weights:     the file they were read from; "" where this run trained them
    config_file, overrides: of the command

    Returns
      dataset:           name of what was tested
      date:              now, in UTC: 2026-11-28T15:20:00+00:00
      precision, device: names
      versions:          of this project, torch, torchvision, what decodes and resizes (PyAV, numpy, OpenCV), Python, CUDA
      commit:            of the clone that the code is in, with "-dirty" where files differ from it; None without one
      config_sha256:     of the text in config.yaml
      weights:           state_sha256: of what was tested, in memory, see `state_sha256`; file, file_sha256: where it was
                         read from a file, else None
      command:           config and overrides
    """
    return {
        "dataset": cfg.TEST.DATASET,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "precision": choose_precision(cfg.MODEL.PRECISION, device).name,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})",
        "versions": {
            "slowfast": slowfast.__version__,
            "torch": torch.__version__,
            "torchvision": _installed("torchvision"),
            "av": _installed("av"),
            "numpy": _installed("numpy"),
            "opencv": _installed("opencv-python-headless") or _installed("opencv-python"),
            "python": platform.python_version(),
            "cuda": torch.version.cuda if device.type == "cuda" else None,
        },
        "commit": commit(ROOT),
        "config_sha256": hashlib.sha256(cfg.dump().encode()).hexdigest(),
        "weights": {
            "state_sha256": state_sha256(model.state_dict()),
            "file": weights or None,
            "file_sha256": file_sha256(weight_path(weights)) if weights else None,
        },
        "command": {"config": config_file or None, "overrides": list(overrides)},
    }


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Of names, types, shapes and bytes of the tensors in the order of their names: the same on every device."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def file_sha256(path: str | Path) -> str:
    """As `sha256sum` says it. Raises OSError."""
    digest = hashlib.sha256()  # file_digest came with Python 3.11
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def commit(root: Path) -> str | None:
    """The commit of the clone at `root`, "-dirty" behind it where a file differs; None where `root` is no clone.

    An installed package inside another project's clone is not that project's.
    """
    if not (root / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*"],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):  # no git on this machine, or it hangs on a network disk
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
