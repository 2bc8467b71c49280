"""What `pip install .` carries: the wheel is built from a copy of the tree and looked at."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from slowfast import __version__
from tests.rules.sources import ROOT, name_of, python_files

ENTRY = 'bmvit = "slowfast.commands.bmvit:main"'


def pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_there_is_one_version():
    assert re.findall(r'^version = "(.+)"$', pyproject(), flags=re.MULTILINE) == [__version__]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == __version__


def test_the_citation_has_what_the_format_asks_for():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["title"] == "BMViT" and citation["type"] == "software" and citation["license"] == "Apache-2.0"
    paper = citation["preferred-citation"]
    assert {"type", "title", "authors", "year", "doi"} <= set(paper)
    assert paper["doi"] == "10.1109/CVPR52733.2024.01781" and paper["year"] == 2024
    assert [author["family-names"] for author in paper["authors"]] == ["Ntinou", "Sanchez", "Tzimiropoulos"]
    assert "2312.17686" in str(paper["identifiers"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a copy, because a build leaves folders in the tree that it is made from."""
    pytest.importorskip("setuptools", reason="setuptools builds the wheel; it is in the test extra")
    source = tmp_path_factory.mktemp("source")
    for name in ("slowfast", "configs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    build = "import sys, setuptools.build_meta as b; out = sys.argv[1]; b.build_wheel(out); b.build_sdist(out)"
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run([sys.executable, "-c", build, str(out)], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return next(out.glob("*.whl"))


def test_it_carries_every_module_and_config(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {name_of(path) for path in python_files("slowfast")} | {"slowfast/py.typed"}
    configs = {f"slowfast/{name_of(path)}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert len(configs) >= 24
    assert sorted((wanted | configs) - names) == []
    strangers = {name for name in names if not name.startswith(("slowfast/", "bmvit-"))}
    assert strangers == set(), "a wheel that installs tests/ or tools/ would be in everyone's way"


def test_it_gives_the_command(wheel):
    assert ENTRY in pyproject()
    archive = zipfile.ZipFile(wheel)
    (entry,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    assert "bmvit = slowfast.commands.bmvit:main" in archive.read(entry).decode()


def test_the_source_archive_carries_the_configs(wheel):
    (path,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {name_of(path) for path in (ROOT / "configs").rglob("*.yaml")} <= names
    assert {"pyproject.toml", "setup.py", "slowfast/py.typed"} <= names


def test_an_installed_package_finds_its_configs(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    command = [sys.executable, "-m", "slowfast.commands", "print-config", "--cfg", "configs/Toy/RoI_toy.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert str(Path("installed/slowfast/configs/Toy/BMViT_toy.yaml:4")) in done.stdout
