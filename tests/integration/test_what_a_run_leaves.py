"""GETTING_STARTED's table of what a run leaves in OUTPUT_DIR is what a run leaves: of a detector, and of a classifier."""

import re
from pathlib import Path

import torch

from slowfast.commands.runs.demo import phases
from slowfast.config import get_cfg, load_cfg
from slowfast.engine.run import run
from slowfast.toy import demo
from slowfast.toy.demo import Demo
from tests.integration.conftest import REPORTED
from tests.integration.small_classifiers import SMALL, data_of

RARE = {"such a test", "a training that met one"}  # when a run leaves what these do not


def section(repo_root: Path) -> str:
    text = (repo_root / "GETTING_STARTED.md").read_text(encoding="utf-8")
    return text.split("## What a run leaves in OUTPUT_DIR", 1)[1].split("\n## ", 1)[0]


def documented(repo_root: Path, kind: str) -> set[str]:
    """The names in the first column; without rows that are of the other kind alone."""
    other = {"detector": "of a classifier", "classifier": "of a detector"}[kind]
    rows = re.findall(r"^\| (`.+?`) \|.*\| ([^|]+) \|$", section(repo_root), flags=re.MULTILINE)
    common = [(names, when) for names, when in rows if other not in when and when not in RARE]
    assert len(rows) - len(common) >= len(RARE)
    return {name.rstrip("/") for names, _ in common for name in re.findall(r"`([^`]+)`", names)}


def left_by(cfg) -> set[str]:
    assert cfg.TEST.REPORT and get_cfg().TEST.REPORT  # the default that the table names
    run(cfg, torch.device("cpu"))
    return {path.name for path in Path(cfg.OUTPUT_DIR).iterdir()}


def test_a_detector_leaves_what_the_table_names_and_nothing_else(repo_root, toy_config, overrides):
    cfg = load_cfg(toy_config, [*overrides, "SOLVER.MAX_EPOCH", "2", "TENSORBOARD.ENABLE", "True", *REPORTED])
    assert left_by(cfg) == documented(repo_root, "detector")


def test_a_classifier_leaves_what_the_table_names_and_nothing_else(repo_root, small_sets, tmp_path):
    config = repo_root / "configs/Kinetics/MVITv2_S_16x4.yaml"
    more = ["OUTPUT_DIR", str(tmp_path / "run"), "TENSORBOARD.ENABLE", "True", *REPORTED]
    cfg = load_cfg(str(config), [*SMALL, *data_of(config, small_sets), *more])
    assert left_by(cfg) == documented(repo_root, "classifier")


def test_what_the_demo_leaves_beside_it_is_told(repo_root, tmp_path):
    told = set(re.findall(r"`([a-z0-9_.]+)/?`", section(repo_root).split("The demo leaves", 1)[1]))
    assert told == (set(demo._LEFT_BEHIND) | {"data", "cache", "real.html"}) - documented(repo_root, "detector")
    assert len(phases(Demo(repo_root / "configs/Toy/BMViT_toy.yaml", [], tmp_path))) == 5
