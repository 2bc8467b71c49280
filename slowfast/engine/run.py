"""One run from start to end, in each of its processes: train, test, and what is left in OUTPUT_DIR."""

from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from slowfast.datasets.build import read_annotations
from slowfast.engine.checkpoint import load_weights
from slowfast.engine.summary import model_summary
from slowfast.engine.test import test, write_text_atomically
from slowfast.engine.train import train
from slowfast.models.build import build_model
from slowfast.utils import distributed
from slowfast.utils.logging import get_logger, setup_logging


def run(cfg: CfgNode, device: torch.device) -> None:
    """Train if TRAIN.ENABLE, then test if TEST.ENABLE. Everything it leaves is in OUTPUT_DIR."""
    output = Path(cfg.OUTPUT_DIR)
    if distributed.is_main():
        output.mkdir(parents=True, exist_ok=True)
        write_text_atomically(cfg.dump(), output / "config.yaml")
    distributed.barrier()
    setup_logging(output)
    log = get_logger()
    log.info("%d process(es) on %s, torch %s, output in %s", distributed.world_size(), device, torch.__version__, output)
    log.info("%s", model_summary(cfg))

    test_set = read_annotations(cfg, "test")
    for note in test_set.notes:
        log.info("test: %s", note)
    if cfg.TRAIN.ENABLE:
        train_set = read_annotations(cfg, "train")
        for note in train_set.notes:
            log.info("train: %s", note)
        model = train(cfg, device, train_set, test_set)
    else:
        model = build_model(cfg).to(device)
        log.info("%s", load_weights(model, cfg.TEST.CHECKPOINT_FILE_PATH))
    if cfg.TEST.ENABLE:
        test(cfg, device, model, test_set)
