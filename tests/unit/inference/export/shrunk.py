"""Checkpoints of the configured networks, shrunk to two blocks on small clips, with random weights everywhere."""

from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from slowfast.config import load_cfg
from slowfast.models.build import build_model

CLASSES = ["stand", "sit", "wave", "jump", "run"]


def shrunk_config(path: Path) -> CfgNode:
    """The config at `path` with two blocks, few channels, and clips of 32 pixels."""
    cfg = load_cfg(path)
    m, tree = cfg.MVIT, cfg.clone()
    tree.defrost()
    plain = cfg.MODEL.BACKBONE == "ViT"
    tree.MVIT.DEPTH, tree.MVIT.EMBED_DIM, tree.MVIT.NUM_HEADS = 2, 24, 2 if plain else 1
    for key in ("DIM_MUL", "HEAD_MUL", "POOL_Q_STRIDE", "POOL_KV_STRIDE"):
        tree.MVIT[key] = [row for row in m[key] if row[0] < 2]
    tree.BMVIT.AUX_BLOCKS = []
    tree.DATA.NUM_FRAMES = min(cfg.DATA.NUM_FRAMES, max(4, m.PATCH_STRIDE[0]))  # a token may stand for 8 frames
    tree.DATA.TRAIN_CROP_SIZE = tree.DATA.TEST_CROP_SIZE = 32
    tree.MODEL.NUM_CLASSES = len(CLASSES)
    tree.freeze()
    return tree


def save_checkpoint(cfg: CfgNode, path: Path) -> Path:
    """Random weights: positions and the last layers of heads, which start at zero, included. Counters stay counters."""
    torch.manual_seed(0)
    state = build_model(cfg).state_dict()
    state = {n: v + 0.1 * torch.randn_like(v) if v.is_floating_point() else v for n, v in state.items()}
    known = {"class_names": CLASSES, "class_ids": [1, 2, 4, 7, 9]}
    torch.save({"model_state": state, "cfg": cfg.dump(), **known}, path)
    return path
