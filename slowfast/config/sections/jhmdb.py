"""Keys of JHMDB-21, annotated in every frame."""

from slowfast.config.keys import STR, Key, Section, at_least, between, from_to_below, list_of, not_empty, one_of

JHMDB = Section(
    "JHMDB",
    "JHMDB-21",
    {
        "VIDEO_DIR": Key("data/jhmdb/videos", "Directory of CLASS/VIDEO.mp4 files; see AVA.VIDEO_DIR.", not_empty()),
        "ANNOTATION_DIR": Key(
            "data/jhmdb",
            "Directory of jhmdb21_videos.csv (videos, frame counts, splits) and jhmdb21_boxes.csv.gz (a box a frame, "
            "in pixels).",
            not_empty(),
        ),
        "SPLIT": Key(1, "Which of the three official train/test splits.", one_of(1, 2, 3)),
        "HELD_OUT": Key(
            0.0,
            "Part of the training videos of each class that is held out to choose by, all clips of a source video on one "
            "side. 0: none.",
            from_to_below(0, 1),
        ),
        "TEST_ON": Key(
            "test",
            "What evaluations are on. test: the split's test part; held_out: the training videos that HELD_OUT keeps.",
            one_of("test", "held_out"),
        ),
        "TRAIN_FRAME_STEP": Key(1, "Train on every n-th annotated frame of a video.", at_least(1)),
        "TEST_FRAME_STEP": Key(
            1,
            "Test on every n-th annotated frame of a video. Anything but 1 is not comparable with published frame-mAP.",
            at_least(1),
        ),
        "TEST_PREDICT_BOX_LISTS": Key(
            [],
            "Files in ANNOTATION_DIR of detected people to test the two-stage model on, in PySlowFast's layout with frame "
            "numbers for seconds; `bmvit detect-people` writes them. Empty: there are none.",
            kind=list_of(STR),
        ),
        "DETECTION_SCORE_THRESH": Key(
            0.5,
            "Detected people below this score are not used. Our default: the detector's score does not enter the result, so "
            "every box counts alike.",
            between(0, 1),
        ),
    },
)
