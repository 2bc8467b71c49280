"""Packages that a machine lacks, out of wheels in a folder: for a machine that reaches no package index."""

import importlib.metadata
import zipfile
from pathlib import Path


def unpack_missing(wheels: Path, into: Path) -> list[str]:
    """Unpack the wheels of `wheels` that are not installed into the folder `into`; their names.

    Only wheels of pure Python can be used like this. Raises FileNotFoundError where the folder has no wheel.
    """
    found = sorted(wheels.glob("*.whl"))
    if not found:
        raise FileNotFoundError(f"--wheels {wheels}: no .whl file in this folder")
    used = []
    for wheel in found:
        name = wheel.name.split("-", 1)[0]
        if _installed(name):
            continue
        if not wheel.stem.endswith("-none-any"):
            raise ValueError(f"--wheels: {wheel.name} is not pure Python (py3-none-any), so it cannot just be unpacked")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(into)
        used.append(name)
    return used


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
