"""Every YAML file loads, validates and builds its model; every key of the configuration is read by the code."""

import ast
from pathlib import Path

import pytest
import torch
import yaml

from slowfast.config import load_cfg
from slowfast.config.load import SCHEMA
from slowfast.models import build_model
from tests.rules.sources import ROOT, name_of, python_files, tree_of

BACKBONES = sorted((ROOT / "configs" / "backbones").glob("*.yaml"))  # tables that the others stand on
RECIPES = sorted((ROOT / "configs" / "recipes").glob("*.yaml"))
CONFIGS = sorted(set((ROOT / "configs").rglob("*.yaml")) - set(BACKBONES) - set(RECIPES))


def test_there_are_as_many_as_there_were():
    assert len(CONFIGS) >= 24, [name_of(path) for path in CONFIGS]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.relative_to(ROOT / "configs").as_posix())
def test_it_loads_validates_and_builds(path: Path):
    cfg = load_cfg(path)
    assert cfg.is_frozen()
    with torch.device("meta"):
        model = build_model(cfg)
    assert sum(p.numel() for p in model.parameters()) > 10_000
    assert {p.device.type for p in model.parameters()} == {"meta"}
    opening = path.read_text(encoding="utf-8").splitlines()[:12]
    shown = [line for line in opening if line.startswith("#") and "python tools/" in line and name_of(path) in line]
    assert shown, f"{name_of(path)} must open with a command that uses it"  # test_documents tries the command


def bases_of(path: Path) -> list[Path]:
    bases = yaml.safe_load(path.read_text(encoding="utf-8")).get("_BASE_", [])
    return [(path.parent / base).resolve() for base in (bases if isinstance(bases, list) else [bases])]


def test_every_table_of_a_backbone_and_every_recipe_is_stood_on():
    stood_on = {base for path in CONFIGS + BACKBONES + RECIPES for base in bases_of(path)}
    assert [name_of(path) for path in BACKBONES + RECIPES if path not in stood_on] == []


def test_the_stages_of_a_published_backbone_are_written_once():
    written = {}
    for path in CONFIGS + BACKBONES:
        mvit = yaml.safe_load(path.read_text(encoding="utf-8")).get("MVIT", {})
        if path not in BACKBONES and "Toy" not in path.parts:
            assert not {"DIM_MUL", "HEAD_MUL"} & set(mvit), name_of(path)
        table = str([mvit.get(key) for key in ("DEPTH", "EMBED_DIM", "DIM_MUL", "POOL_Q_STRIDE")])
        if path in BACKBONES and "DEPTH" in mvit:
            assert table not in written, (name_of(path), name_of(written[table]))
            written[table] = path
    assert len(written) >= 6


class Reads(ast.NodeVisitor):
    """Keys read in one file: `cfg.SOLVER.BASE_LR`, or `s = cfg.SOLVER` and then `s.BASE_LR`."""

    def __init__(self, tree: ast.Module) -> None:
        self.sections = {key.split(".")[0] for key in SCHEMA if "." in key}
        self.aliases: dict[str, set[str]] = {}
        self.keys: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._remember(target, node.value)
            elif isinstance(node, ast.keyword) and node.arg:
                self._remember(ast.Name(node.arg), node.value)
        self.visit(tree)

    def _remember(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one_target, one_value in zip(target.elts, value.elts, strict=False):
                self._remember(one_target, one_value)
        elif isinstance(target, ast.Name) and isinstance(value, ast.Attribute) and value.attr in self.sections:
            self.aliases.setdefault(target.id, set()).add(value.attr)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        base = node.value
        if isinstance(base, ast.Attribute) and base.attr in self.sections:
            self.keys.add(f"{base.attr}.{node.attr}")
        elif isinstance(base, ast.Name):
            self.keys |= {f"{section}.{node.attr}" for section in self.aliases.get(base.id, ())}
        if isinstance(base, ast.Name | ast.Attribute) and "cfg" in (getattr(base, "id", ""), getattr(base, "attr", "")):
            self.keys.add(node.attr)
        self.generic_visit(node)


def keys_read() -> set[str]:
    # Of slowfast/config these two act on keys; the others declare and check them.
    acting = ("slowfast/config/classes.py", "slowfast/config/extensions.py")
    files = [
        path
        for path in python_files("slowfast", "tools")
        if not name_of(path).startswith("slowfast/config/") or name_of(path) in acting
    ]
    return set().union(*(Reads(tree_of(path)).keys for path in files))


def test_no_key_is_dead():
    assert len(SCHEMA) >= 100
    dead = sorted(set(SCHEMA) - keys_read())
    assert not dead, "nothing outside slowfast/config reads " + ", ".join(dead)


def test_a_key_that_nobody_reads_would_be_found():
    source = """
def build(cfg):
    s, name = cfg.SOLVER, cfg.MODEL.MODEL_NAME
    return s.BASE_LR, cfg.NUM_GPUS, name.MOMENTUM
"""
    found = Reads(ast.parse(source)).keys
    assert found >= {"SOLVER.BASE_LR", "MODEL.MODEL_NAME", "NUM_GPUS"} and "SOLVER.MOMENTUM" not in found


def test_no_code_reads_a_key_that_does_not_exist():
    sections = {key.split(".")[0] for key in SCHEMA if "." in key}
    unknown = {
        key for key in keys_read() if key.split(".")[0] in sections and key.split(".")[-1].isupper() and "." in key
    }
    assert sorted(unknown - set(SCHEMA)) == []
