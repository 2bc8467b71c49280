"""GETTING_STARTED's table of what a run leaves in OUTPUT_DIR is what a run leaves."""

import re
from pathlib import Path

import torch

from slowfast.config import load_cfg
from slowfast.engine.run import run

OF_CLASSIFIERS = {"scores.npz"}  # test_classification looks at it


def documented(repo_root: Path) -> set[str]:
    text = (repo_root / "GETTING_STARTED.md").read_text(encoding="utf-8")
    table = text.split("## What a run leaves in OUTPUT_DIR", 1)[1].split("\n## ", 1)[0]
    firsts = re.findall(r"^\| (`.+?`) \|", table, flags=re.MULTILINE)
    return {name.rstrip("/") for first in firsts for name in re.findall(r"`([^`]+)`", first)}


def test_the_table_names_everything_and_nothing_else(repo_root, toy_config, overrides, tmp_path):
    cfg = load_cfg(toy_config, [*overrides, "SOLVER.MAX_EPOCH", "2", "TENSORBOARD.ENABLE", "True"])
    assert cfg.TEST.REPORT  # the default that the table names
    run(cfg, torch.device("cpu"))
    assert {path.name for path in (tmp_path / "run").iterdir()} == documented(repo_root) - OF_CLASSIFIERS
