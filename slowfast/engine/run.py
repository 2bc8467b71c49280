"""One run from start to end, in each of its processes: train, test, and what is left in OUTPUT_DIR."""

import os
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from slowfast.config.sections.train import CLASSIFICATION_DATASETS
from slowfast.datasets.annotations.annotated_set import AnnotatedSet
from slowfast.datasets.build import build_clips, read_annotations
from slowfast.engine.classification import test_classifier
from slowfast.engine.compiling import choose_compiling, compile_in_place
from slowfast.engine.files import save_config
from slowfast.engine.summary import model_summary
from slowfast.engine.test import test
from slowfast.engine.train import train
from slowfast.layers import kernels
from slowfast.models.build import build_model
from slowfast.utils import distributed
from slowfast.utils.logging import get_logger, setup_logging
from slowfast.video.cache import CachedVideos, PrefillReport
from slowfast.weights.checkpoint import load_weights


def run(cfg: CfgNode, device: torch.device) -> None:
    """Train if TRAIN.ENABLE, then test if TEST.ENABLE. Everything it leaves is in OUTPUT_DIR."""
    output = Path(cfg.OUTPUT_DIR)
    if distributed.is_main():
        output.mkdir(parents=True, exist_ok=True)
    distributed.barrier()
    setup_logging(output)
    log = get_logger()
    log.info(
        "%d process(es) on %s, torch %s, output in %s", distributed.world_size(), device, torch.__version__, output
    )
    kernels.use(cfg.MODEL.KERNELS)
    log.info("%s", model_summary(cfg))
    log.info("%s; %s", kernels.describe(device, autocast=cfg.TRAIN.MIXED_PRECISION), choose_compiling(cfg, device))

    if cfg.TEST.DATASET in CLASSIFICATION_DATASETS:
        save_config(cfg)
        test_classifier(cfg, device)
        return
    test_set = read_annotations(cfg, "test")
    for note in test_set.notes:
        log.info("test: %s", note)
    fill_cache(cfg, "test", test_set)
    if cfg.TRAIN.ENABLE:
        train_set = read_annotations(cfg, "train")
        for note in train_set.notes:
            log.info("train: %s", note)
        fill_cache(cfg, "train", train_set)
        model = train(cfg, device, train_set, test_set)
    else:
        model = build_model(cfg).to(device)
        names = test_set.label_map.names
        log.info("%s", load_weights(model, cfg.TEST.CHECKPOINT_FILE_PATH, class_names=names))
        compile_in_place(cfg, model, device, graphs=True)
        save_config(cfg)
    if cfg.TEST.ENABLE:
        test(cfg, device, model, test_set)


def fill_cache(cfg: CfgNode, split: str, annotated: AnnotatedSet) -> None:
    """With DATA.CACHE_DIR, decode what the cache lacks before the first clip is asked for: each process its share."""
    pixels = build_clips(cfg, split, annotated).pixels
    if not isinstance(pixels, CachedVideos):
        return
    processes = distributed.world_size()
    share = annotated.key_frames.videos[distributed.rank() :: processes]
    neighbours = int(os.environ.get("LOCAL_WORLD_SIZE", processes))  # the processes on this machine
    report = pixels.prefill(share, num_workers=max(1, (os.cpu_count() or 1) // neighbours))
    get_logger().info("%s: %s", split, PrefillReport.of_all(distributed.gather_objects(report)))
