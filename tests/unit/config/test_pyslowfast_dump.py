"""Every key that PySlowFast has, as its dumps write it: at each published network's values, and at other values."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from slowfast.config import load as load_module
from slowfast.config import load_cfg
from slowfast.config.foreign.pyslowfast import ACCEPTED, TIED
from slowfast.config.foreign.pyslowfast_defaults import UPSTREAM
from slowfast.config.foreign.pyslowfast_differences import rows_of_adaptive
from slowfast.config.load import load_cfg_with_sources

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
DUMP = Path(__file__).with_name("pyslowfast_dump.yaml")
# Shipped configs with the values of a published file of PySlowFast.
PUBLISHED = sorted(
    f"{path.parent.name}/{path.stem}"
    for folder in ("Kinetics", "SSv2", "ImageNet", "masked_ssl")
    for path in (CONFIGS / folder).glob("*.yaml")
)
MASKED = ("MASK.ENABLE", "MASK.PRED_HOG", "MASK.PRETRAIN_DEPTH", "AUG.MASK_RATIO", "AUG.MASK_WINDOW_SIZE")
# PySlowFast writes null where nothing is set, and '' for no path.
NULL_THERE = (
    *("SOLVER.CLIP_GRAD_VAL", "SOLVER.CLIP_GRAD_L2NORM"),
    *("MVIT.POOL_KVQ_KERNEL", "MVIT.POOL_KV_STRIDE_ADAPTIVE", "AUG.COLOR_JITTER"),
)


@pytest.fixture
def load(tmp_path):
    def load_tree(tree: dict, overrides=()):
        path = tmp_path / "dump.yaml"
        path.write_text(yaml.safe_dump(tree))
        return load_cfg_with_sources(path, overrides)

    return load_tree


def dump_with(values: dict[str, Any]) -> dict:
    """The dump as a tree, with other values under dotted keys."""
    tree = yaml.safe_load(DUMP.read_text())
    for key, value in values.items():
        *sections, last = key.split(".")
        level = tree
        for section in sections:
            level = level[section]
        assert last in level, key
        level[last] = value
    return tree


def at(tree: dict, key: str) -> Any:
    for part in key.split("."):
        tree = tree[part]
    return tree


def dotted(tree: dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_dump_of_a_published_network_is_that_network(load, name):
    shipped = load_cfg(CONFIGS / f"{name}.yaml")
    values = {key: at(shipped, key) for key in (*UPSTREAM, *MASKED)}
    written = values | {key: None for key in NULL_THERE if not values[key]}
    written |= {"DATA.PATH_TO_DATA_DIR": "", "TEST.SAVE_RESULTS_PATH": ""}
    if rows := rows_of_adaptive(values):  # filled in by building the model
        written["MVIT.POOL_KV_STRIDE"] = rows
    if shipped.MODEL.MODEL_NAME == "MaskMViT":
        written["MODEL.ARCH"] = "maskmvit"
    cfg, report = load(dump_with(written))
    assert {key: at(cfg, key) for key in values} == values
    assert report.differing == {} and report.notes == ()


def test_a_dump_runs_without_gpus(load):
    """It has DIST_BACKEND nccl, PySlowFast's default, which is not read there without GPUs."""
    cfg, report = load(dump_with({"DIST_BACKEND": "nccl"}), ["NUM_GPUS", "0"])
    assert (cfg.NUM_GPUS, cfg.DIST_BACKEND) == (0, "auto") and report.notes == ()
    assert load(dump_with({"DIST_BACKEND": "nccl"}))[0].DIST_BACKEND == "nccl"


# Where another value changes what other keys may be, the message is about these.
NAMED_THERE = {"MVIT.DEPTH": "MVIT.POOL_KV_STRIDE and MVIT.POOL_KV_STRIDE_ADAPTIVE"}


def another(value: Any) -> Any:
    """A value of the same type, as PySlowFast asks for, which no rule was written for."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 8 if value in (float("inf"), float("-inf")) else value + (8 if isinstance(value, int) else 0.05)
    if isinstance(value, list):
        return value[:-1] if value else [1]
    return {None: 5}.get(value, f"{value}x")


def test_another_value_of_any_key_is_honoured_told_of_or_refused_with_its_name(monkeypatch):
    """One by one: in our tree it changes the config, or the error is about it. Keys that are only accepted: all at once."""
    untouched, _ = load_cfg_with_sources(DUMP)
    entries, _ = load_module._read_file(DUMP, chain=())
    monkeypatch.setattr(load_module, "_read_file", lambda path, chain: (list(entries), []))  # read once, not 150 times
    tried = {key: another(value) for key, value in dotted(yaml.safe_load(DUMP.read_text()))}
    accepted = {key: value for key, value in tried.items() if key in ACCEPTED}
    cfg, report = load_cfg_with_sources(DUMP, [part for pair in accepted.items() for part in pair])
    assert cfg == untouched and set(report.accepted) == set(accepted)
    assert "DATA.SKIP_ROWS" in report.differing and "DEMO.FPS" in report.harmless
    refused = []
    for key in tried.keys() - accepted.keys():
        try:
            cfg, _ = load_cfg_with_sources(DUMP, [key, tried[key]])
        except ValueError as error:
            lines = str(error).splitlines()[1:]
            assert any(NAMED_THERE.get(key, key) in line for line in lines), (key, lines)
            refused.append(key)
        else:
            assert cfg != untouched, key
    assert set(TIED) & tried.keys() <= set(refused) and 50 < len(refused) < len(tried) - len(accepted) - 50


@pytest.mark.parametrize(
    "key", ["AUG.AA_TYPE", "TRAIN.CHECKPOINT_FILE_PATH", "TEST.CHECKPOINT_FILE_PATH", "MODEL.LOSS_FUNC"]
)
def test_nothing_behind_a_text_is_no_text(load, key):
    """`CHECKPOINT_FILE_PATH:` in a file, or None as PySlowFast reads it: not the file "None"."""
    assert at(load(dump_with({key: None}))[0], key) == ""
    assert at(load(dump_with({}), [key, "None"])[0], key) == ""


def test_nothing_behind_a_text_that_must_be_one_is_refused_without_advice_to_quote_it(load):
    with pytest.raises(ValueError, match=r"AUG.RE_MODE must be text, not None \(.*:\d+\)$"):
        load(dump_with({"AUG.RE_MODE": None}))


def test_nccl_without_gpus_in_a_file_that_is_no_dump_stays_an_error(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("NUM_GPUS: 0\nDIST_BACKEND: nccl\n")
    with pytest.raises(ValueError, match=r"DIST_BACKEND \(nccl\) must be auto or gloo when NUM_GPUS is 0"):
        load_cfg(path)
