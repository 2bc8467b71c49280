"""Keys of the two-stage baseline (MODEL.MODEL_NAME TwoStage): RoIAlign on person boxes that are given."""

from slowfast.config.keys import Key, Section, at_least, one_of

DETECTION = Section(
    "DETECTION",
    "The two-stage baseline",
    {
        "BOXES": Key(
            "proposals",
            "Which boxes are tested. proposals: the files of AVA.TEST_PREDICT_BOX_LISTS; groundtruth: the annotated "
            "boxes, an oracle that leaves only the actions to be found (and all that JHMDB has).",
            one_of("proposals", "groundtruth"),
        ),
        "ALIGNED": Key(
            True, "RoIAlign with pixel centres at half integers. False: the older rule. PySlowFast's default."
        ),
        "ROI_XFORM_RESOLUTION": Key(7, "Cells of a region along each side. PySlowFast's default.", at_least(1)),
    },
)
