"""Rules between keys: what makes a config unable to run although each value alone is allowed."""

from collections.abc import Callable, Collection, Iterable

from fvcore.common.config import CfgNode

from slowfast.config.sections.data import height_width
from slowfast.config.sections.train import DATASET_NAMES, KEY_FRAME_DATASETS, TUBE_DATASETS
from slowfast.config.urls import OF_THIS_MACHINE, OF_VIDEOS, problems_of_urls

Check = Callable[[CfgNode], Iterable[str]]
_CHECKS: list[tuple[tuple[str, ...], Check]] = []


def find_problems(cfg: CfgNode, *, broken: Collection[str] = ()) -> list[str]:
    """Returns one line for every rule that the tree breaks.

    broken: dotted keys whose own value is already known to be wrong; rules that read them are not asked.
    """
    problems: list[str] = []
    for keys, check in _CHECKS:
        if not set(keys) & set(broken):
            problems += check(cfg)
    return problems


def _reads(*keys: str) -> Callable[[Check], Check]:
    """Registers a check together with the keys it reads."""

    def register(check: Check) -> Check:
        _CHECKS.append((keys, check))
        return check

    return register


# ----------------------------------------------------------------------------------------------------- processes


@_reads("TRAIN.ENABLE", "TRAIN.BATCH_SIZE", "TRAIN.GRAD_ACCUM_STEPS", "NUM_GPUS")
def _train_batch(cfg: CfgNode) -> Iterable[str]:
    train, processes = cfg.TRAIN, max(cfg.NUM_GPUS, 1)
    if train.ENABLE and train.BATCH_SIZE % (processes * train.GRAD_ACCUM_STEPS):
        divisor = f"NUM_GPUS ({cfg.NUM_GPUS})"
        if train.GRAD_ACCUM_STEPS > 1:
            divisor = f"TRAIN.GRAD_ACCUM_STEPS ({train.GRAD_ACCUM_STEPS})"
            divisor = f"NUM_GPUS ({cfg.NUM_GPUS}) times {divisor}" if processes > 1 else divisor
        yield f"TRAIN.BATCH_SIZE ({train.BATCH_SIZE}) must be divisible by {divisor}"


@_reads("TEST.BATCH_SIZE", "NUM_GPUS")
def _test_batch(cfg: CfgNode) -> Iterable[str]:
    if cfg.TEST.BATCH_SIZE % max(cfg.NUM_GPUS, 1):
        yield f"TEST.BATCH_SIZE ({cfg.TEST.BATCH_SIZE}) must be divisible by NUM_GPUS ({cfg.NUM_GPUS})"


@_reads("NUM_GPUS", "DIST_BACKEND")
def _backend(cfg: CfgNode) -> Iterable[str]:
    if cfg.NUM_GPUS == 0 and cfg.DIST_BACKEND == "nccl":
        yield "DIST_BACKEND (nccl) must be auto or gloo when NUM_GPUS is 0: nccl needs GPUs"


@_reads("TRAIN.DATASET", "TEST.DATASET", "MODEL.IMPORTS")
def _known_datasets(cfg: CfgNode) -> Iterable[str]:
    """A misspelt name is found before anything starts; modules of the user may register others."""
    for section in ("TRAIN", "TEST"):
        name = cfg[section].DATASET
        if name not in DATASET_NAMES and not cfg.MODEL.IMPORTS:
            yield (
                f"{section}.DATASET ({name}) must be {' or '.join(DATASET_NAMES)}; a data set of yours needs its module "
                "in MODEL.IMPORTS"
            )


@_reads("TRAIN.ENABLE", "TEST.ENABLE", "TEST.DATASET", "TEST.CHECKPOINT_FILE_PATH")
def _checkpoint_to_test(cfg: CfgNode) -> Iterable[str]:
    # a published YAML of a classifier that is there to be tested also builds its model; the task asks again
    if cfg.TRAIN.ENABLE or not cfg.TEST.ENABLE or cfg.TEST.DATASET not in KEY_FRAME_DATASETS:
        return
    if not cfg.TEST.CHECKPOINT_FILE_PATH:
        yield (
            "TEST.CHECKPOINT_FILE_PATH ('') must name a checkpoint when TEST.ENABLE is True and TRAIN.ENABLE is False: "
            "an untrained model would be tested"
        )


@_reads("TRAIN.ENABLE", "TRAIN.DATASET", "AVA.TRAIN_GT_BOX_LISTS")
def _annotations_to_train(cfg: CfgNode) -> Iterable[str]:
    if cfg.TRAIN.ENABLE and cfg.TRAIN.DATASET == "ava" and not cfg.AVA.TRAIN_GT_BOX_LISTS:
        yield "AVA.TRAIN_GT_BOX_LISTS ([]) must name a CSV file to train on ava"


@_reads("AVA.FIRST_SECOND", "AVA.VALID_SECONDS")
def _first_second(cfg: CfgNode) -> Iterable[str]:
    if cfg.AVA.VALID_SECONDS and cfg.AVA.VALID_SECONDS[0] < cfg.AVA.FIRST_SECOND:
        yield (
            f"AVA.VALID_SECONDS ({cfg.AVA.VALID_SECONDS}) must not start before AVA.FIRST_SECOND "
            f"({cfg.AVA.FIRST_SECOND}), where the video files start"
        )


@_reads("TEST.DATASET", "TUBES.MAX_GAP", "JHMDB.TEST_FRAME_STEP", "UCF24.TEST_FRAME_STEP")
def _frame_step_and_gap(cfg: CfgNode) -> Iterable[str]:
    if cfg.TEST.DATASET in TUBE_DATASETS:
        section = cfg.TEST.DATASET.upper()
        step = cfg[section].TEST_FRAME_STEP
        if step - 1 > cfg.TUBES.MAX_GAP:
            yield (
                f"TUBES.MAX_GAP ({cfg.TUBES.MAX_GAP}) must be at least {step - 1}, the frames that "
                f"{section}.TEST_FRAME_STEP ({step}) leaves out between two, or no tube is longer than one frame"
            )


# ----------------------------------------------------------------------------------------------------- network


@_reads("MVIT.EMBED_DIM", "MVIT.NUM_HEADS")
def _heads(cfg: CfgNode) -> Iterable[str]:
    if cfg.MVIT.EMBED_DIM % cfg.MVIT.NUM_HEADS:
        yield f"MVIT.EMBED_DIM ({cfg.MVIT.EMBED_DIM}) must be divisible by MVIT.NUM_HEADS ({cfg.MVIT.NUM_HEADS})"


@_reads("MVIT.DEPTH", "MVIT.DIM_MUL", "MVIT.HEAD_MUL", "MVIT.POOL_Q_STRIDE", "MVIT.POOL_KV_STRIDE")
def _block_indices(cfg: CfgNode) -> Iterable[str]:
    for name in ("DIM_MUL", "HEAD_MUL", "POOL_Q_STRIDE", "POOL_KV_STRIDE"):
        outside = [row[0] for row in cfg.MVIT[name] if row[0] >= cfg.MVIT.DEPTH]
        if outside:
            last = cfg.MVIT.DEPTH - 1
            yield f"MVIT.{name} names the blocks {outside}; with MVIT.DEPTH ({cfg.MVIT.DEPTH}) the last is {last}"


@_reads("MVIT.DEPTH", "BMVIT.AUX_BLOCKS")
def _aux_blocks(cfg: CfgNode) -> Iterable[str]:
    last = cfg.MVIT.DEPTH - 1
    if any(block >= last for block in cfg.BMVIT.AUX_BLOCKS):
        yield (
            f"BMVIT.AUX_BLOCKS ({cfg.BMVIT.AUX_BLOCKS}) must be below {last}, the last block of MVIT.DEPTH "
            f"({cfg.MVIT.DEPTH}), which always predicts"
        )


@_reads("MVIT.POOL_KV_STRIDE", "MVIT.POOL_KV_STRIDE_ADAPTIVE")
def _kv_strides(cfg: CfgNode) -> Iterable[str]:
    if cfg.MVIT.POOL_KV_STRIDE and cfg.MVIT.POOL_KV_STRIDE_ADAPTIVE:
        yield (
            f"MVIT.POOL_KV_STRIDE and MVIT.POOL_KV_STRIDE_ADAPTIVE ({cfg.MVIT.POOL_KV_STRIDE_ADAPTIVE}) are both set; "
            "set one of them to []"
        )


@_reads("MVIT.PATCH_2D", "MVIT.PATCH_KERNEL", "MVIT.PATCH_STRIDE", "MVIT.PATCH_PADDING", "DATA.NUM_FRAMES")
def _patch_dimensions(cfg: CfgNode) -> Iterable[str]:
    mvit, wanted = cfg.MVIT, 2 if cfg.MVIT.PATCH_2D else 3
    for name in ("PATCH_KERNEL", "PATCH_STRIDE", "PATCH_PADDING"):
        if len(mvit[name]) != wanted:
            yield f"MVIT.{name} ({mvit[name]}) must have {wanted} numbers when MVIT.PATCH_2D is {mvit.PATCH_2D}"
    if mvit.PATCH_2D and cfg.DATA.NUM_FRAMES != 1:
        yield f"DATA.NUM_FRAMES ({cfg.DATA.NUM_FRAMES}) must be 1 when MVIT.PATCH_2D is True"


@_reads("MVIT.PATCH_2D", "MVIT.PATCH_STRIDE", "DATA.NUM_FRAMES")
def _frames(cfg: CfgNode) -> Iterable[str]:
    stride = cfg.MVIT.PATCH_STRIDE[0]
    if not cfg.MVIT.PATCH_2D and cfg.DATA.NUM_FRAMES % stride:
        yield f"DATA.NUM_FRAMES ({cfg.DATA.NUM_FRAMES}) must be divisible by MVIT.PATCH_STRIDE[0] ({stride})"


@_reads("MVIT.PATCH_STRIDE", "DATA.TRAIN_CROP_SIZE", "DATA.TEST_CROP_SIZE", "DATA.MULTI_SCALE")
def _crop_sizes(cfg: CfgNode) -> Iterable[str]:
    # the patch stride only: a grid that a query stride does not divide is rounded up, as in the published 312 x 312
    # model
    high, wide = cfg.MVIT.PATCH_STRIDE[-2:]
    sizes = [(f"DATA.{name}", cfg.DATA[name]) for name in ("TRAIN_CROP_SIZE", "TEST_CROP_SIZE")]
    sizes += [(f"DATA.MULTI_SCALE[{i}]", size) for i, size in enumerate(cfg.DATA.MULTI_SCALE)]
    for name, size in sizes:
        height, width = height_width(size)
        if height % high or width % wide:
            yield f"{name} ({size}) must be divisible by the spatial MVIT.PATCH_STRIDE ({high}, {wide})"


@_reads("MODEL.COMPILE", "DATA.RESIZE", "DATA.MULTI_SCALE")
def _compile(cfg: CfgNode) -> Iterable[str]:
    data = cfg.DATA
    if cfg.MODEL.COMPILE == "on" and (data.RESIZE == "keep_aspect" or data.MULTI_SCALE):
        yield (
            f"MODEL.COMPILE (on) is for clips of one size: set it to auto, or DATA.RESIZE ({data.RESIZE}) to stretch and "
            f"DATA.MULTI_SCALE ({data.MULTI_SCALE}) to []"
        )


# ----------------------------------------------------------------------------------------------------- training


@_reads("DATA.FEATURE_VIEWS", "DATA.FEATURE_CACHE", "MODEL.FREEZE", "TRAIN.ENABLE", "DATA.MULTI_SCALE")
def _features(cfg: CfgNode) -> Iterable[str]:
    data = cfg.DATA
    if data.FEATURE_VIEWS and not data.FEATURE_CACHE:
        yield f"DATA.FEATURE_CACHE ('') must name a directory for the features of DATA.FEATURE_VIEWS ({data.FEATURE_VIEWS})"
    if data.FEATURE_VIEWS and cfg.TRAIN.ENABLE and not cfg.MODEL.FREEZE:
        yield (
            f"MODEL.FREEZE ([]) must name the image network, [backbone.frames.], with DATA.FEATURE_VIEWS "
            f"({data.FEATURE_VIEWS}): features that are kept do not follow weights that are trained"
        )
    if data.FEATURE_VIEWS and data.MULTI_SCALE:
        yield f"DATA.MULTI_SCALE ({data.MULTI_SCALE}) must be [] with DATA.FEATURE_VIEWS ({data.FEATURE_VIEWS})"


@_reads("DATA.SHOTS", "TRAIN.ENABLE", "TRAIN.DATASET", "MODEL.IMPORTS")
def _shots(cfg: CfgNode) -> Iterable[str]:
    train = cfg.TRAIN
    if cfg.DATA.SHOTS and train.ENABLE and train.DATASET not in KEY_FRAME_DATASETS and not cfg.MODEL.IMPORTS:
        yield (
            f"DATA.SHOTS ({cfg.DATA.SHOTS}) is for people on key frames ({', '.join(KEY_FRAME_DATASETS)}), and TRAIN.DATASET is "
            f"{train.DATASET}: set it to 0"
        )


@_reads("JHMDB.TEST_ON", "JHMDB.HELD_OUT")
def _held_out(cfg: CfgNode) -> Iterable[str]:
    if cfg.JHMDB.TEST_ON == "held_out" and not cfg.JHMDB.HELD_OUT:
        yield "JHMDB.HELD_OUT (0.0) must be above 0 with JHMDB.TEST_ON held_out, or there is nothing to test on"


@_reads("MATCHER.ACTOR", "MATCHER.BOX_L1", "MATCHER.BOX_GIOU", "MATCHER.ACTION")
def _matcher(cfg: CfgNode) -> Iterable[str]:
    if not any(cfg.MATCHER.values()):
        yield "MATCHER.ACTOR, BOX_L1, BOX_GIOU and ACTION are all 0; at least one must be above 0, or any matching is as good"


@_reads("LOSS.ACTOR", "LOSS.BOX_L1", "LOSS.BOX_GIOU", "LOSS.ACTION")
def _loss(cfg: CfgNode) -> Iterable[str]:
    if not any(cfg.LOSS[name] for name in ("ACTOR", "BOX_L1", "BOX_GIOU", "ACTION")):
        yield "LOSS.ACTOR, BOX_L1, BOX_GIOU and ACTION are all 0; at least one must be above 0, or nothing is learnt"


@_reads("TRAIN.ENABLE", "SOLVER.WARMUP_EPOCHS", "SOLVER.MAX_EPOCH")
def _warmup(cfg: CfgNode) -> Iterable[str]:
    solver = cfg.SOLVER
    if cfg.TRAIN.ENABLE and solver.WARMUP_EPOCHS > solver.MAX_EPOCH:
        yield f"SOLVER.WARMUP_EPOCHS ({solver.WARMUP_EPOCHS:g}) must be at most SOLVER.MAX_EPOCH ({solver.MAX_EPOCH})"


@_reads("TRAIN.ENABLE", "SOLVER.OPTIMIZING_METHOD", "SOLVER.NESTEROV", "SOLVER.DAMPENING")
def _nesterov(cfg: CfgNode) -> Iterable[str]:
    solver = cfg.SOLVER
    if cfg.TRAIN.ENABLE and solver.OPTIMIZING_METHOD == "sgd" and solver.NESTEROV and solver.DAMPENING:
        yield f"SOLVER.DAMPENING ({solver.DAMPENING:g}) must be 0 when SOLVER.NESTEROV is True, or SOLVER.NESTEROV False"


@_reads("SOLVER.LR_POLICY", "SOLVER.STEPS", "SOLVER.LRS")
def _steps(cfg: CfgNode) -> Iterable[str]:
    solver = cfg.SOLVER
    if solver.LR_POLICY != "steps_with_relative_lrs":
        return
    if not solver.STEPS or solver.STEPS[0] != 0:
        yield f"SOLVER.STEPS ({solver.STEPS}) must start at 0 for SOLVER.LR_POLICY steps_with_relative_lrs"
    if any(later <= earlier for earlier, later in zip(solver.STEPS, solver.STEPS[1:], strict=False)):
        yield f"SOLVER.STEPS ({solver.STEPS}) must be ascending"
    if len(solver.STEPS) != len(solver.LRS):
        yield f"SOLVER.LRS ({len(solver.LRS)} numbers) must have as many as SOLVER.STEPS ({len(solver.STEPS)})"


# ----------------------------------------------------------------------------------------------------- classifiers


@_reads("TRAIN.ENABLE", "TRAIN.DATASET", "AUG.ENABLE", "AUG.NUM_SAMPLE", "MIXUP.ENABLE")
def _augmentation_of_classifiers(cfg: CfgNode) -> Iterable[str]:
    if not cfg.TRAIN.ENABLE or cfg.TRAIN.DATASET not in KEY_FRAME_DATASETS:
        return
    given = [name for name in ("AUG.ENABLE", "MIXUP.ENABLE") if cfg[name.split(".")[0]].ENABLE]
    given += ["AUG.NUM_SAMPLE"] if cfg.AUG.NUM_SAMPLE > 1 else []
    if given:
        yield (
            f"{', '.join(given)} change the clips of classifiers, and TRAIN.DATASET ({cfg.TRAIN.DATASET}) has people with "
            "boxes: leave them out; DATA.CROP, MULTI_SCALE, RANDOM_FLIP and COLOR_JITTER augment these"
        )


@_reads("TRAIN.ENABLE", "MIXUP.ENABLE", "MIXUP.PROB", "TRAIN.BATCH_SIZE", "TRAIN.GRAD_ACCUM_STEPS", "NUM_GPUS")
def _pairs_to_mix(cfg: CfgNode) -> Iterable[str]:
    train = cfg.TRAIN
    if not (train.ENABLE and cfg.MIXUP.ENABLE and cfg.MIXUP.PROB) or train.DATASET in KEY_FRAME_DATASETS:
        return
    parts = max(cfg.NUM_GPUS, 1) * train.GRAD_ACCUM_STEPS
    if train.BATCH_SIZE % (2 * parts):
        yield (
            f"TRAIN.BATCH_SIZE ({train.BATCH_SIZE}) must be divisible by {2 * parts}: MIXUP.ENABLE mixes videos in pairs, in "
            f"each of {max(cfg.NUM_GPUS, 1)} processes (NUM_GPUS {cfg.NUM_GPUS}) times TRAIN.GRAD_ACCUM_STEPS "
            f"({train.GRAD_ACCUM_STEPS}); or set MIXUP.ENABLE False"
        )


@_reads("TRAIN.ENABLE", "MIXUP.ENABLE", "DATA.MULTI_LABEL")
def _mixup_of_many_labels(cfg: CfgNode) -> Iterable[str]:
    if cfg.TRAIN.ENABLE and cfg.MIXUP.ENABLE and cfg.DATA.MULTI_LABEL:
        yield "MIXUP.ENABLE (True) mixes clips of one label; with DATA.MULTI_LABEL True it must be False"


@_reads("MODEL.LOSS_FUNC", "DATA.MULTI_LABEL", "MIXUP.ENABLE", "TRAIN.ENABLE", "TRAIN.DATASET")
def _loss_of_classifiers(cfg: CfgNode) -> Iterable[str]:
    loss = cfg.MODEL.LOSS_FUNC
    if loss in ("", "multi_mse") or not cfg.TRAIN.ENABLE:  # the latter is asked about with MASK
        return
    if loss in ("bce", "bce_logit"):
        if cfg.TRAIN.DATASET not in KEY_FRAME_DATASETS and not cfg.DATA.MULTI_LABEL:
            yield f"MODEL.LOSS_FUNC ({loss}) is for DATA.MULTI_LABEL True; videos of one label need soft_cross_entropy"
    elif cfg.DATA.MULTI_LABEL:
        yield f"MODEL.LOSS_FUNC ({loss}) is for videos of one label; DATA.MULTI_LABEL True needs bce_logit"
    elif cfg.TRAIN.DATASET in KEY_FRAME_DATASETS:
        yield f"MODEL.LOSS_FUNC ({loss}) is for classifiers; people on {cfg.TRAIN.DATASET} need bce, or leave it out"
    elif loss == "cross_entropy" and cfg.MIXUP.ENABLE:
        yield "MODEL.LOSS_FUNC (cross_entropy) takes labels, and MIXUP.ENABLE makes soft targets: set soft_cross_entropy"


# ----------------------------------------------------------------------------------------------- masked pre-training


@_reads("MASK.ENABLE", "MASK.PRED_HOG", "MODEL.MODEL_NAME", "MODEL.IMPORTS", "MODEL.LOSS_FUNC", "MIXUP.ENABLE")
def _masked_model(cfg: CfgNode) -> Iterable[str]:
    masks, loss = cfg.MODEL.MODEL_NAME == "MaskMViT", cfg.MODEL.LOSS_FUNC
    if masks and not cfg.MASK.ENABLE:
        yield "MASK.ENABLE (False) must be True for MODEL.MODEL_NAME MaskMViT"
    if cfg.MASK.ENABLE and not masks and not cfg.MODEL.IMPORTS:
        yield f"MASK.ENABLE (True) is for MODEL.MODEL_NAME MaskMViT; for {cfg.MODEL.MODEL_NAME} it must be False"
    if masks and not cfg.MASK.PRED_HOG:
        yield "MASK.PRED_HOG (False) must be True for MODEL.MODEL_NAME MaskMViT: pixels are not predicted here"
    if masks and cfg.MIXUP.ENABLE:
        yield "MIXUP.ENABLE (True) mixes labels, and MODEL.MODEL_NAME MaskMViT has none: set it to False"
    if masks != (loss == "multi_mse") and loss:
        which = "MODEL.MODEL_NAME MaskMViT" if masks else f"MODEL.MODEL_NAME {cfg.MODEL.MODEL_NAME}"
        yield f"MODEL.LOSS_FUNC ({loss}) is not for {which}; leave it out{', or set multi_mse' if masks else ''}"


@_reads("MASK.ENABLE", "AUG.MASK_RATIO", "AUG.MASK_TUBE", "AUG.MASK_FRAMES")
def _mask(cfg: CfgNode) -> Iterable[str]:
    aug = cfg.AUG
    if cfg.MASK.ENABLE and not aug.MASK_RATIO:
        yield "AUG.MASK_RATIO (0.0) must be above 0 with MASK.ENABLE, or nothing is hidden and nothing learnt"
    if not cfg.MASK.ENABLE and aug.MASK_RATIO:
        yield f"AUG.MASK_RATIO ({aug.MASK_RATIO:g}) must be 0 without MASK.ENABLE: other models see whole clips"
    if aug.MASK_TUBE and aug.MASK_FRAMES:
        yield "AUG.MASK_TUBE and AUG.MASK_FRAMES are both True; set one of them to False"


@_reads("MASK.ENABLE", "MASK.PRETRAIN_DEPTH", "MVIT.DEPTH")
def _blocks_that_predict(cfg: CfgNode) -> Iterable[str]:
    depths, last = cfg.MASK.PRETRAIN_DEPTH, cfg.MVIT.DEPTH - 1
    if cfg.MASK.ENABLE and (not depths or depths != sorted(set(depths)) or depths[-1] > last):
        yield f"MASK.PRETRAIN_DEPTH ({depths}) must name blocks from 0 to {last}, ascending (MVIT.DEPTH is {last + 1})"


@_reads("MASK.ENABLE", "AUG.MASK_WINDOW_SIZE", "DATA.NUM_FRAMES", "MVIT.PATCH_STRIDE", "MVIT.PATCH_2D")
def _mask_over_time(cfg: CfgNode) -> Iterable[str]:
    times = 1 if cfg.MVIT.PATCH_2D else cfg.DATA.NUM_FRAMES // cfg.MVIT.PATCH_STRIDE[0]
    window = cfg.AUG.MASK_WINDOW_SIZE
    if cfg.MASK.ENABLE and window[0] != times and not cfg.MVIT.PATCH_2D:
        yield (
            f"AUG.MASK_WINDOW_SIZE ({window}) must have {times} times, DATA.NUM_FRAMES ({cfg.DATA.NUM_FRAMES}) over "
            f"MVIT.PATCH_STRIDE[0] ({cfg.MVIT.PATCH_STRIDE[0]})"
        )


# ---------------------------------------------------------------------------------------------------------- places

_reads(*OF_THIS_MACHINE, *OF_VIDEOS)(problems_of_urls)
