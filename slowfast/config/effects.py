"""What each key changes: whether a run may go on, or a checkpoint be tested, with another value than it was trained with.

One table, of which a test says that it has every key. A new key belongs into one of its groups.
"""

from enum import Enum


class Effect(Enum):
    """What another value of a key changes."""

    NETWORK = "which function the weights are"
    CLIP = "what the network is shown, in training and in testing"
    TRAINING = "what training makes of the weights"
    START = "where a training starts, and nothing once it has"
    EVALUATION = "what a test shows or how it is scored"
    PLACE = "where files lie, how they are read, how fast and how much is written"


def _of(section: str, names: str) -> tuple[str, ...]:
    """ "TEST", "A B" -> ("TEST.A", "TEST.B")"""
    return tuple(f"{section}.{name}" for name in names.split())


_KEYS = {
    Effect.NETWORK: (
        *_of("MODEL", "MODEL_NAME BACKBONE NUM_CLASSES"),
        *_of("MVIT", "EMBED_DIM NUM_HEADS DEPTH MLP_RATIO QKV_BIAS CLS_EMBED_ON USE_MEAN_POOLING"),
        *_of("MVIT", "PATCH_2D PATCH_KERNEL PATCH_STRIDE PATCH_PADDING DIM_MUL HEAD_MUL DIM_MUL_IN_ATT"),
        *_of("MVIT", "POOL_Q_STRIDE POOL_KV_STRIDE POOL_KV_STRIDE_ADAPTIVE POOL_KVQ_KERNEL RESIDUAL_POOLING"),
        *_of("MVIT", "SEPARATE_QKV USE_ABS_POS SEP_POS_EMBED REL_POS_SPATIAL REL_POS_TEMPORAL"),
        *_of("BMVIT", "BOX_TOKENS ACTION_TOKENS HEAD_DEPTH HEAD_HIDDEN ACTOR_LOGITS BOX_PRIOR BOX_PRIOR_SIZE"),
        *_of("BMVIT", "AUX_BLOCKS RIVALS ACTION_SCORES"),
        *_of("FRAME_CNN", "MOTION_CHANNELS MOTION_RADIUS"),
        *_of("DETECTION", "ALIGNED ROI_XFORM_RESOLUTION ACTION_SCORES"),
        *_of("MASK", "ENABLE PRETRAIN_DEPTH HEAD_TYPE PRED_HOG"),
    ),
    Effect.CLIP: _of("DATA", "NUM_FRAMES SAMPLING_RATE TARGET_FPS RESIZE MEAN STD REVERSE_INPUT_CHANNEL"),
    Effect.TRAINING: (
        *("RNG_SEED", "NUM_SHARDS"),
        *_of("MODEL", "LOSS_FUNC DROPOUT_RATE FREEZE"),
        *_of("FRAME_CNN", "INPUT_DROPOUT"),
        *_of("BMVIT", "HEAD_DROPOUT"),
        *_of("MVIT", "DROPPATH_RATE DROPOUT_RATE HEAD_INIT_SCALE REL_POS_ZERO_INIT ZERO_DECAY_POS_CLS"),
        *_of("MATCHER", "ACTOR BOX_L1 BOX_GIOU ACTION"),
        *_of("LOSS", "CRITERION ACTOR BOX_L1 BOX_GIOU ACTION NO_ACTOR_WEIGHT ACTOR_TYPE ACTION_TYPE ACTION_TOKENS"),
        *_of("LOSS", "FOCAL_ALPHA FOCAL_GAMMA ASYMMETRIC_GAMMA_POS ASYMMETRIC_GAMMA_NEG ASYMMETRIC_CLIP"),
        *_of("SOLVER", "BASE_LR BASE_LR_SCALE_NUM_SHARDS HEAD_LR_MULT OPTIMIZING_METHOD BETAS MOMENTUM NESTEROV"),
        *_of("SOLVER", "DAMPENING WEIGHT_DECAY ZERO_WD_1D_PARAM LR_POLICY COSINE_AFTER_WARMUP COSINE_END_LR STEPS"),
        *_of("SOLVER", "LRS MAX_EPOCH WARMUP_EPOCHS WARMUP_START_LR CLIP_GRAD_VAL CLIP_GRAD_L2NORM LAYER_DECAY"),
        *_of("SOLVER", "EMA_DECAY"),
        *_of("TRAIN", "DATASET BATCH_SIZE"),
        *_of("DATA", "TRAIN_CROP_SIZE MULTI_SCALE RANDOM_FLIP FLIP_SWAPS COLOR_JITTER CROP CROP_SCALE MIN_VISIBLE"),
        *_of("DATA", "CACHE_SHORT_SIDE PATH_LABEL_SEPARATOR LABEL_FILE HELD_OUT TRAIN_JITTER_SCALES"),
        *_of("DATA", "TRAIN_JITTER_SCALES_RELATIVE TRAIN_JITTER_ASPECT_RELATIVE TRAIN_JITTER_FPS INV_UNIFORM_SAMPLE"),
        *_of("DATA", "MULTI_LABEL FEATURE_VIEWS SHOTS"),
        *_of("AUG", "ENABLE NUM_SAMPLE SAMPLE_ONCE AA_TYPE COLOR_JITTER INTERPOLATION RE_PROB RE_MODE RE_COUNT"),
        *_of("AUG", "MASK_RATIO MASK_TUBE MASK_FRAMES MASK_WINDOW_SIZE"),
        *_of("MIXUP", "ENABLE ALPHA CUTMIX_ALPHA PROB SWITCH_PROB LABEL_SMOOTH_VALUE"),
        *_of("AVA", "PIXELS TRAIN_LISTS TRAIN_GT_BOX_LISTS TRAIN_EXCLUSION_FILE TRAIN_LABEL_MAP_FILE CLASSES"),
        *_of("AVA", "FIRST_SECOND FIRST_FRAME VALID_SECONDS TRAIN_PREDICT_BOX_LISTS DETECTION_SCORE_THRESH"),
        *_of("JHMDB", "SPLIT TRAIN_FRAME_STEP HELD_OUT"),
        *_of("UCF24", "ANNOTATION_FILE SPLIT TRAIN_FRAME_STEP"),
    ),
    Effect.START: (
        *_of("TRAIN", "CHECKPOINT_FILE_PATH"),
        *_of("MODEL", "HEAD_REINIT CHECKPOINT_ENTRY CHECKPOINT_GRID"),
    ),
    Effect.EVALUATION: (
        *_of("TEST", "ENABLE DATASET CHECKPOINT_FILE_PATH ACTOR_THRESHOLD NMS_IOU MAX_PEOPLE PROTOCOL KEY_FRAMES"),
        *_of("TEST", "FRAME_ORDER REPORT NUM_ENSEMBLE_VIEWS NUM_TEMPORAL_CLIPS VIEW_SAMPLING NUM_SPATIAL_CROPS"),
        *_of("TEST", "SAVE_RESULTS_PATH"),
        *_of("TRAIN", "ENABLE EVAL_PERIOD BEST_METRIC EARLY_STOPPING"),
        *_of("DATA", "TEST_CROP_SIZE USE_OFFSET_SAMPLING IN_VAL_CROP_RATIO ENSEMBLE_METHOD"),
        *_of("DETECTION", "BOXES"),
        *_of("AVA", "TEST_LISTS GROUNDTRUTH_FILE EXCLUSION_FILE LABEL_MAP_FILE TEST_PREDICT_BOX_LISTS"),
        *_of("JHMDB", "TEST_FRAME_STEP TEST_ON TEST_PREDICT_BOX_LISTS DETECTION_SCORE_THRESH"),
        *_of("UCF24", "TEST_FRAME_STEP"),
        *_of("TUBES", "FRAMES AP MATCHING LINKING LINK_IOU OVERLAP_WEIGHT MAX_GAP NMS_IOU TOP_K MIN_BOX_SCORE"),
        *_of("TUBES", "MIN_SCORE MIN_LENGTH TUBE_NMS_IOU TRIM TRIM_SMOOTHNESS"),
    ),
    Effect.PLACE: (
        *(
            "NUM_GPUS",
            "OUTPUT_DIR",
            "LOG_PERIOD",
            "DIST_BACKEND",
            "COLLECTIVE_TIMEOUT",
            "NUM_THREADS",
            "CHANGED_ON_PURPOSE",
        ),
        *_of("MODEL", "IMPORTS PRECISION ACT_CHECKPOINT COMPILE KERNELS DEPTHWISE"),
        *_of(
            "TRAIN",
            "GRAD_ACCUM_STEPS PARALLEL CHECKPOINT_PERIOD CHECKPOINT_STEPS CHECKPOINT_MINUTES TIME_LIMIT KEEP_CHECKPOINTS AUTO_RESUME "
            "SHARDED_CHECKPOINTS",
        ),
        *_of("TEST", "BATCH_SIZE"),
        *_of(
            "DATA",
            "STRICT MAX_UNREADABLE NAMES_MAY_LEAVE PROBE_SECONDS CACHE_DIR FEATURE_CACHE PATH_TO_DATA_DIR PATH_PREFIX",
        ),
        *_of("DATA", "REMOTE_CACHE_DIR REMOTE_CACHE_GB REMOTE_TRIES REMOTE_TIMEOUT"),
        *_of("DATA_LOADER", "NUM_WORKERS PIN_MEMORY TIMEOUT"),
        *_of("AVA", "VIDEO_DIR FRAME_DIR FRAME_LIST_DIR FRAME_PATTERN ANNOTATION_DIR IGNORE_MISSING_VIDEOS"),
        *_of("JHMDB", "VIDEO_DIR ANNOTATION_DIR"),
        *_of("UCF24", "VIDEO_DIR IGNORE_MISSING_VIDEOS"),
        *_of("TENSORBOARD", "ENABLE"),
    ),
}
EFFECTS: dict[str, Effect] = {key: effect for effect, keys in _KEYS.items() for key in keys}
# Files that are given with their folders: one that has only moved is the same file.
FILES = frozenset(
    {
        *_of("AVA", "TRAIN_LISTS TRAIN_GT_BOX_LISTS TRAIN_EXCLUSION_FILE TRAIN_LABEL_MAP_FILE TRAIN_PREDICT_BOX_LISTS"),
        *("DATA.LABEL_FILE", "UCF24.ANNOTATION_FILE"),
    }
)
# With another value of one of these a training does not go on, and weights are not tested, unless it is on purpose.
TO_GO_ON = frozenset({Effect.NETWORK, Effect.CLIP, Effect.TRAINING})
TO_TEST = frozenset({Effect.NETWORK, Effect.CLIP})


def all_listed() -> list[str]:
    """Every key as often as the table has it."""
    return [key for keys in _KEYS.values() for key in keys]
