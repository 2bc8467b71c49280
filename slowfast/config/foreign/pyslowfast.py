"""PySlowFast keys that this project does not read: accepted without effect, tied to one value, or known by a new name.

A key of PySlowFast is in exactly one place: a section of ours under the same name, ACCEPTED, TIED, or RENAMED. A key in
none of them is unknown, and an error.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Tied:
    """A key whose other values would ask for something we do not have. neutral: the values we can honour."""

    neutral: tuple[Any, ...]
    why: str


def _group(section: str, names: str, why: str) -> dict[str, str]:
    prefix = f"{section}." if section else ""
    return {prefix + name: why for name in names.split()}


_OTHER_NETWORK = "belongs to a network that is not built here"
_OTHER_AUGMENTATION = "augmentation of pre-training by contrast, or of networks that are not built here"
_CLASSIFICATION_DATA = "belongs to loaders of PySlowFast that are not here"
_PLOTS = "plots of PySlowFast that are not made here"
_DEMO = "demo of PySlowFast that is not here"
_SSL = "pre-training by contrast is not done here"
_LOADED_BY_NAME = "weights are recognised by their names and renamed by a table"

ACCEPTED: dict[str, str] = {
    **_group("", "TASK", "the task follows from MODEL.MODEL_NAME"),
    **_group("", "SHARD_ID", "several machines are started by torchrun"),
    **_group("", "LOG_MODEL_INFO", "the model summary is always printed"),
    **_group("BENCHMARK", "NUM_EPOCHS LOG_PERIOD SHUFFLE", "benchmark of PySlowFast that is not here"),
    **_group(
        "BN",
        "USE_PRECISE_STATS NUM_BATCHES_PRECISE WEIGHT_DECAY NORM_TYPE NUM_SPLITS NUM_SYNC_DEVICES GLOBAL_SYNC MOMENTUM "
        "EPSILON",
        "MViT has no batch norm",
    ),
    **_group(
        "RESNET",
        "TRANS_FUNC NUM_GROUPS WIDTH_PER_GROUP INPLACE_RELU STRIDE_1X1 ZERO_INIT_FINAL_BN ZERO_INIT_FINAL_CONV DEPTH "
        "NUM_BLOCK_TEMP_KERNEL SPATIAL_STRIDES SPATIAL_DILATIONS",
        _OTHER_NETWORK,
    ),
    **_group(
        "X3D",
        "WIDTH_FACTOR DEPTH_FACTOR BOTTLENECK_FACTOR DIM_C5 DIM_C1 SCALE_RES2 BN_LIN5 CHANNELWISE_3x3x3",
        _OTHER_NETWORK,
    ),
    **_group("NONLOCAL", "LOCATION GROUP INSTANTIATION POOL", _OTHER_NETWORK),
    **_group("SLOWFAST", "BETA_INV ALPHA FUSION_CONV_CHANNEL_RATIO FUSION_KERNEL_SZ", _OTHER_NETWORK),
    **_group("MVIT.REV", "RESPATH_FUSE BUFFER_LAYERS RES_PATH PRE_Q_FUSION", "read only with MVIT.REV.ENABLE"),
    **_group("MODEL", "SINGLE_PATHWAY_ARCH MULTI_PATHWAY_ARCH DROPCONNECT_RATE FROZEN_BN", _OTHER_NETWORK),
    **_group("MODEL", "HEAD_ACT", "models return raw logits"),
    **_group("MODEL", "FC_INIT_STD", "MViT's classifier is initialised with MVIT.HEAD_INIT_SCALE"),
    **_group("MODEL", "FP16_ALLREDUCE", "gradients are summed in float32"),
    **_group("DETECTION", "SPATIAL_SCALE_FACTOR", "RoIAlign's scale is always the backbone's own stride"),
    **_group("TRAIN", "CHECKPOINT_INFLATE CHECKPOINT_IN_INIT", _LOADED_BY_NAME),
    **_group(
        "TRAIN",
        "KILL_LOSS_EXPLOSION_FACTOR",
        "a loss that is not finite is never learned from: its step is skipped, and many in a row stop the run",
    ),
    **_group("TRAIN", "CHECKPOINT_EPOCH_RESET", "TRAIN.CHECKPOINT_FILE_PATH always starts at epoch 0"),
    **_group("TRAIN", "CHECKPOINT_CLEAR_NAME_PATTERN", _LOADED_BY_NAME),
    **_group("AUG", "RE_SPLIT", "PySlowFast does not read it either"),
    **_group("AUG", "GEN_MASK_LOADER", "masks are drawn with the clips wherever MASK.ENABLE is True"),
    **_group("VIS_MASK", "ENABLE", "pictures of masked clips are not made here"),
    **_group("MASK", "TIME_STRIDE_LOSS NORM_PRED_PIXEL", "read only where pixels are predicted, MASK.PRED_HOG False"),
    **_group("MASK", "PER_FRAME_MASKING DECODER_SEP_POS_EMBED", "read only with MASK.MAE_ON"),
    **_group(
        "MASK",
        "DECODER_EMBED_DIM DEC_KV_KERNEL DEC_KV_STRIDE DECODER_DEPTH",
        "read only with MASK.MAE_ON or MASK.HEAD_TYPE separate_xformer",
    ),
    **_group(
        "CONTRASTIVE",
        "T DIM LENGTH QUEUE_LEN MOMENTUM MOMENTUM_ANNEALING TYPE INTERP_MEMORY MEM_TYPE NUM_CLASSES_DOWNSTREAM "
        "NUM_MLP_LAYERS MLP_DIM BN_MLP BN_SYNC_MLP LOCAL_SHUFFLE_BN MOCO_MULTI_VIEW_QUEUE DELTA_CLIPS_MIN "
        "DELTA_CLIPS_MAX PREDICTOR_DEPTHS SEQUENTIAL SIMCLR_DIST_ON SWAV_QEUE_LEN KNN_ON",
        _SSL,
    ),
    **_group(
        "DATA",
        "PATH_TO_PRELOAD_IMDB LOADER_CHUNK_SIZE LOADER_CHUNK_OVERALL_SIZE SKIP_ROWS IN22K_TRAINVAL IN22k_VAL_IN1K "
        "DUMMY_LOAD",
        _CLASSIFICATION_DATA,
    ),
    **_group("DATA", "DECODING_BACKEND", "video files are always read with PyAV"),
    **_group("DATA", "DECODING_SHORT_SIZE", "frames are decoded at full size; the cache's is DATA.CACHE_SHORT_SIDE"),
    **_group("DATA", "INPUT_CHANNEL_NUM", "clips are always RGB"),
    **_group(
        "DATA",
        "TRAIN_PCA_EIGVAL TRAIN_PCA_EIGVEC COLOR_RND_GRAYSCALE TIME_DIFF_PROB SSL_COLOR_JITTER SSL_COLOR_BRI_CON_SAT "
        "SSL_COLOR_HUE SSL_MOCOV2_AUG SSL_BLUR_SIGMA_MIN SSL_BLUR_SIGMA_MAX",
        _OTHER_AUGMENTATION,
    ),
    **_group("DATA_LOADER", "ENABLE_MULTI_THREAD_DECODE", "decoding threads are left to PyAV"),
    **_group("PREFETCH", "NUM_LOADERS", "loader processes are DATA_LOADER.NUM_WORKERS"),
    **_group("SOLVER", "GAMMA STEP_SIZE WARMUP_FACTOR", "belongs to a learning rate policy that is not here"),
    **_group("AVA", "TRAIN_PCA_JITTER_ONLY", "there is no PCA jitter; ours is DATA.COLOR_JITTER"),
    **_group("AVA", "FULL_TEST_ON_VAL", "evaluation always takes the whole test split"),
    **_group("AVA", "IMG_PROC_BACKEND", "there is one way to transform images"),
    **_group("AVA", "TRAIN_PCA_EIGVAL TRAIN_PCA_EIGVEC", "there is no PCA jitter; ours is DATA.COLOR_JITTER"),
    **_group("TEST", "CHECKPOINT_SQUEEZE_TEMPORAL", "kernels of weights are fitted by their shape"),
    **_group("DATA", "CROP_SIZE", "PySlowFast's first versions had it and read TRAIN_CROP_SIZE and TEST_CROP_SIZE"),
    **_group("MULTIGRID", "EPOCH_FACTOR SHORT_CYCLE_FACTORS LONG_CYCLE_FACTORS", "read only with a multigrid cycle"),
    **_group(
        "MULTIGRID",
        "BN_BASE_SIZE EVAL_FREQ LONG_CYCLE_SAMPLING_RATE DEFAULT_B DEFAULT_T DEFAULT_S",
        "read only with a multigrid cycle",
    ),
    **_group("TENSORBOARD", "LOG_DIR", "events go to OUTPUT_DIR"),
    **_group("TENSORBOARD", "PREDICTIONS_PATH CLASS_NAMES_PATH CATEGORIES_PATH", _PLOTS),
    **_group("TENSORBOARD.CONFUSION_MATRIX", "ENABLE FIGSIZE SUBSET_PATH", _PLOTS),
    **_group("TENSORBOARD.HISTOGRAM", "ENABLE SUBSET_PATH TOPK FIGSIZE", _PLOTS),
    **_group(
        "TENSORBOARD.MODEL_VIS",
        "ENABLE MODEL_WEIGHTS ACTIVATIONS INPUT_VIDEO LAYER_LIST TOPK_PREDS COLORMAP",
        _PLOTS,
    ),
    **_group("TENSORBOARD.MODEL_VIS.GRAD_CAM", "ENABLE LAYER_LIST USE_TRUE_LABEL COLORMAP", _PLOTS),
    **_group("TENSORBOARD.WRONG_PRED_VIS", "ENABLE TAG SUBSET_PATH", _PLOTS),
    **_group(
        "DEMO",
        "ENABLE LABEL_FILE_PATH WEBCAM INPUT_VIDEO DISPLAY_WIDTH DISPLAY_HEIGHT DETECTRON2_CFG DETECTRON2_WEIGHTS "
        "DETECTRON2_THRESH BUFFER_SIZE OUTPUT_FILE OUTPUT_FPS INPUT_FORMAT CLIP_VIS_SIZE NUM_VIS_INSTANCES PREDS_BOXES "
        "THREAD_ENABLE NUM_CLIPS_SKIP GT_BOXES STARTING_SECOND FPS VIS_MODE COMMON_CLASS_THRES UNCOMMON_CLASS_THRES "
        "COMMON_CLASS_NAMES SLOWMO",
        _DEMO,
    ),
}

_NO_PICKLES = "checkpoints are PyTorch files; Caffe2 pickles can run code and are not read"

TIED: dict[str, Tied] = {
    "MODEL.ARCH": Tied(("mvit", "maskmvit"), "only the MViT family is built here"),
    "MODEL.DETACH_FINAL_FC": Tied((False,), "the whole network is trained"),
    "MVIT.NORM": Tied(("layernorm",), "layer norm is the only one built here"),
    "MVIT.NORM_STEM": Tied((False,), "there is no norm before the first block"),
    "MVIT.MODE": Tied(("conv",), "pooling by convolution is the only one built here"),
    "MVIT.POOL_FIRST": Tied((False,), "tokens are pooled after the projections"),
    "MVIT.USE_FIXED_SINCOS_POS": Tied((False,), "position embeddings are learned"),
    "MVIT.REV.ENABLE": Tied((False,), "reversible MViT is not built here"),
    "MVIT.LAYER_SCALE_INIT_VALUE": Tied((0.0,), "blocks have no layer scale"),
    "MASK.MAE_ON": Tied((False,), "masked autoencoders are not trained here, only MaskFeat"),
    "MASK.MAE_RND_MASK": Tied((False,), "masks are blocks or frames, as the MASK keys of AUG say"),
    "MASK.SCALE_INIT_BY_DEPTH": Tied((False,), "weights start alike in all blocks"),
    "AUG.MAX_MASK_PATCHES_PER_BLOCK": Tied((None,), "the largest block follows from AUG.MASK_WINDOW_SIZE"),
    "MULTIGRID.SHORT_CYCLE": Tied((False,), "there is no multigrid training"),
    "MULTIGRID.LONG_CYCLE": Tied((False,), "there is no multigrid training"),
    "AVA.BGR": Tied((False,), "clips are always RGB"),
    "AVA.TEST_FORCE_FLIP": Tied((False,), "test clips are never mirrored"),
    "TRAIN.CHECKPOINT_TYPE": Tied(("pytorch",), _NO_PICKLES),
    "TEST.CHECKPOINT_TYPE": Tied(("pytorch",), _NO_PICKLES),
    "DATA.TRAIN_JITTER_MOTION_SHIFT": Tied((False,), "a crop stays where it is in all frames"),
    "DATA.TRAIN_CROP_NUM_TEMPORAL": Tied((1,), "the clips of a video are AUG.NUM_SAMPLE"),
    "DATA.TRAIN_CROP_NUM_SPATIAL": Tied((1,), "the clips of a video are AUG.NUM_SAMPLE"),
    "SOLVER.LARS_ON": Tied((False,), "there is no LARS"),
}

RENAMED: dict[str, str] = {
    "AVA.TRAIN_USE_COLOR_AUGMENTATION": "DATA.COLOR_JITTER (a strength, 0 is off)",
}
