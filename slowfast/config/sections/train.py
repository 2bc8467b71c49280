"""Keys of training: which data, how many clips a step, what is kept."""

from slowfast.config.keys import Key, Section, at_least, not_empty, one_of

DATASET_NAMES = (
    *("ava", "jhmdb", "ucf24"),
    *("kinetics", "ssv2", "charades", "imagenet", "folder", "jhmdb_videos"),
)
KEY_FRAME_DATASETS = ("ava", "jhmdb", "ucf24")  # people on key frames
TUBE_DATASETS = ("jhmdb", "ucf24")  # annotated frame by frame, scored as TUBES says
DATASET_DOC = (
    "People on key frames: ava: AVA-format files, keys AVA.*; jhmdb: JHMDB-21, keys JHMDB.*; ucf24: UCF101-24, keys "
    "UCF24.*. Labelled videos, keys DATA.PATH_*: kinetics: lists of videos; ssv2: Something-Something v2; charades: frame "
    "lists, many labels; imagenet: images in class folders; folder: your own videos in class folders, without a list; "
    "jhmdb_videos: JHMDB-21 as videos with one label, keys JHMDB.*. Or one of yours, whose module is in MODEL.IMPORTS."
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
        "PARALLEL": Key(
            "ddp",
            "How several processes share the work. ddp: each has all of the model. fsdp: each has a part of every weight, "
            "gradient and moment (FSDP2), for models that do not fit into one GPU otherwise.",
            one_of("ddp", "fsdp"),
        ),
        "EVAL_PERIOD": Key(1, "Epochs between two evaluations on the test split.", at_least(1)),
        "CHECKPOINT_PERIOD": Key(1, "Epochs between two checkpoints.", at_least(1)),
        "CHECKPOINT_STEPS": Key(
            0,
            "Optimiser steps between two checkpoints within an epoch, which a run goes on from exactly. 0: none.",
            at_least(0),
        ),
        "CHECKPOINT_MINUTES": Key(
            30.0, "Minutes since the last checkpoint after which one is written within an epoch. 0: none.", at_least(0)
        ),
        "TIME_LIMIT": Key(
            0.0,
            "Minutes after which training saves and ends with exit code 75, as after SIGTERM or SIGUSR1. Leave time for one "
            "step and one checkpoint. 0: no limit.",
            at_least(0),
        ),
        "BEST_METRIC": Key(
            "",
            "The number of an evaluation that chooses checkpoints/best.pyth and EARLY_STOPPING, by its name in log.jsonl, such as "
            "person_AP or AP/stand; larger is better. Empty: the one that the result is known by (mAP, top1).",
        ),
        "EARLY_STOPPING": Key(
            0,
            "Evaluations in a row without a new best number after which training ends; the schedule stays that of MAX_EPOCH. "
            "0: train to the end.",
            at_least(0),
        ),
        "SHARDED_CHECKPOINTS": Key(
            False,
            "Each process writes what it holds, into a folder checkpoint_epoch_00012.distcp, instead of the first one everything "
            "into one file. Either is gone on from, on any number of processes; tools/convert_checkpoint.py turns one into the "
            "other.",
        ),
        "KEEP_CHECKPOINTS": Key(3, "Newest checkpoints to keep; older ones are deleted.", at_least(1)),
        "AUTO_RESUME": Key(True, "Continue from the newest checkpoint of OUTPUT_DIR when there is one."),
        "CHECKPOINT_FILE_PATH": Key(
            "",
            "Weights to start from (this project's or PySlowFast's). Not used when a run is resumed. Empty: random.",
        ),
    },
)
