"""Keys of training: which data, how many clips a step, what is kept."""

from slowfast.config.keys import Key, Section, at_least, not_empty

DATASET_NAMES = (
    *("ava", "jhmdb", "ucf24"),
    *("kinetics", "ssv2", "charades", "imagenet", "folder", "jhmdb_videos"),
)
KEY_FRAME_DATASETS = ("ava", "jhmdb", "ucf24")  # people on key frames
TUBE_DATASETS = ("jhmdb", "ucf24")  # annotated frame by frame, scored as TUBES says
DATASET_DOC = (
    "ava: AVA-format files, keys AVA.*; jhmdb: JHMDB-21, keys JHMDB.*; ucf24: UCF101-24, keys UCF24.*; kinetics, "
    "ssv2 and charades: lists of videos, keys DATA.PATH_*, only to test; or one of yours, whose module is in "
    "MODEL.IMPORTS. imagenet is understood so that published YAML files load and their models build; there is no loader "
    "for it and the registry of data sets says so."
)

TRAIN = Section(
    "TRAIN",
    "Training",
    {
        "ENABLE": Key(True, "Train. False: only test."),
        "DATASET": Key("ava", "Data to train on. " + DATASET_DOC, not_empty()),
        "BATCH_SIZE": Key(16, "Clips of one optimiser step, over all processes. Our default.", at_least(1)),
        "GRAD_ACCUM_STEPS": Key(
            1,
            "Forward and backward passes of one optimiser step; each sees BATCH_SIZE / GRAD_ACCUM_STEPS clips.",
            at_least(1),
        ),
        "EVAL_PERIOD": Key(1, "Epochs between two evaluations on the test split.", at_least(1)),
        "CHECKPOINT_PERIOD": Key(1, "Epochs between two checkpoints.", at_least(1)),
        "KEEP_CHECKPOINTS": Key(3, "Newest checkpoints to keep; older ones are deleted.", at_least(1)),
        "AUTO_RESUME": Key(True, "Continue from the newest checkpoint of OUTPUT_DIR when there is one."),
        "CHECKPOINT_FILE_PATH": Key(
            "",
            "Weights to start from (this project's or PySlowFast's). Not used when a run is resumed. Empty: random.",
        ),
    },
)
