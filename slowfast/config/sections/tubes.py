"""Keys of scoring UCF101-24 and JHMDB-21: the convention of frame-mAP, and how tubes are made for video-mAP."""

from slowfast.config.keys import Key, Section, above, at_least, between, one_of

TUBES = Section(
    "TUBES",
    "Frame-mAP and video-mAP of ucf24 and jhmdb (docs/EVALUATION.md)",
    {
        "FRAMES": Key(
            "every",
            "Frames that are tested. every: all of each test video; a detection where nobody is annotated is wrong "
            "(ACT). annotated: those with an annotated person, which gives higher numbers on ucf24 and no video-mAP. "
            "jhmdb is annotated in every frame.",
            one_of("every", "annotated"),
        ),
        "AP": Key(
            "voc_all_point",
            "From precision and recall to AP: voc_all_point, voc_11_point, or trapezoid (ACT). The end of a test "
            "prints all three.",
            one_of("voc_all_point", "voc_11_point", "trapezoid"),
        ),
        "MATCHING": Key(
            "remaining",
            "Which annotated box a detection may find. remaining: the nearest that is not found yet (ACT); best: the "
            "nearest or none (VOC).",
            one_of("remaining", "best"),
        ),
        "LINKING": Key(
            "online",
            "How boxes become tubes. online: frame by frame (after ACT); viterbi: the best path through all frames.",
            one_of("online", "viterbi"),
        ),
        "LINK_IOU": Key(0.2, "Least IoU of a tube's boxes on successive frames, online. ACT's.", between(0, 1)),
        "OVERLAP_WEIGHT": Key(1.0, "Weight of the IoU against the scores, viterbi. Our default.", at_least(0)),
        "MAX_GAP": Key(4, "Most frames in a row without a box inside a tube; they are filled. ACT's.", at_least(0)),
        "NMS_IOU": Key(0.3, "IoU above which the weaker of two boxes of a class is not linked. ACT's.", between(0, 1)),
        "TOP_K": Key(10, "Most boxes of a class and frame that are linked. ACT's.", at_least(1)),
        "MIN_BOX_SCORE": Key(0.01, "Detections that score less are not linked. Our default.", between(0, 1)),
        "MIN_SCORE": Key(0.01, "Tubes that score less are dropped. ACT's.", between(0, 1)),
        "MIN_LENGTH": Key(15, "Tubes of fewer frames are dropped. ACT's.", at_least(1)),
        "TUBE_NMS_IOU": Key(
            0.3, "Spatio-temporal IoU above which the weaker of two tubes of a class is dropped. ACT's.", between(0, 1)
        ),
        "TRIM": Key(False, "Cut tubes to the time in which their action goes on. For untrimmed videos (ucf24)."),
        "TRIM_SMOOTHNESS": Key(
            3.0,
            "Cost of each change between on and off when trimming; higher gives fewer, longer parts. Our default.",
            above(0),
        ),
    },
)
