"""Keys of UCF101-24, annotated in the frames in which an action goes on."""

from slowfast.config.keys import Key, Section, at_least, not_empty

UCF24 = Section(
    "UCF24",
    "UCF101-24",
    {
        "VIDEO_DIR": Key(
            "data/ucf24/videos", "Directory of CLASS/VIDEO.avi (or .mp4, ...) files; see AVA.VIDEO_DIR.", not_empty()
        ),
        "ANNOTATION_FILE": Key(
            "data/ucf24/pyannot_with_class_names.pkl.gz",
            "Pickle of the annotations: the corrected ones (pyannot with class names and training list), or ACT's "
            "UCF101v2-GT.pkl. Read without running anything that it may ask for.",
            not_empty(),
        ),
        "IGNORE_MISSING_VIDEOS": Key(
            False, "True: annotated videos without a file are counted, printed and left out. False: an error."
        ),
        "SPLIT": Key(1, "Which train/test split of the file. Publications use 1; pyannot has no other.", at_least(1)),
        "TRAIN_FRAME_STEP": Key(
            1,
            "Train on every n-th annotated frame of a video. Frames without an action are not trained on.",
            at_least(1),
        ),
        "TEST_FRAME_STEP": Key(
            1,
            "Test on every n-th frame of a video. Anything but 1 is not comparable with published frame-mAP.",
            at_least(1),
        ),
    },
)
