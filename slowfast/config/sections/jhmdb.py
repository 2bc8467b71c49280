"""Keys of JHMDB-21, annotated in every frame."""

from slowfast.config.keys import Key, Section, at_least, not_empty, one_of

JHMDB = Section(
    "JHMDB",
    "JHMDB-21",
    {
        "VIDEO_DIR": Key("data/jhmdb/videos", "Directory of CLASS/VIDEO.mp4 files.", not_empty()),
        "ANNOTATION_DIR": Key(
            "data/jhmdb",
            "Directory of jhmdb21_videos.csv (videos, frame counts, splits) and jhmdb21_boxes.csv.gz (a box a frame, "
            "in pixels).",
            not_empty(),
        ),
        "SPLIT": Key(1, "Which of the three official train/test splits.", one_of(1, 2, 3)),
        "TRAIN_FRAME_STEP": Key(1, "Train on every n-th annotated frame of a video.", at_least(1)),
        "TEST_FRAME_STEP": Key(
            1,
            "Test on every n-th annotated frame of a video. Anything but 1 is not comparable with published frame-mAP.",
            at_least(1),
        ),
    },
)
