"""Keys of the two-stage baseline (MODEL.MODEL_NAME TwoStage): RoIAlign on person boxes that are given."""

from slowfast.config.keys import Key, Section, at_least, one_of

DETECTION = Section(
    "DETECTION",
    "The two-stage baseline",
    {
        "BOXES": Key(
            "proposals",
            "Which boxes are tested. proposals: the files of TEST_PREDICT_BOX_LISTS in AVA or JHMDB; groundtruth: "
            "the annotated boxes, an oracle that leaves only the actions to be found.",
            one_of("proposals", "groundtruth"),
        ),
        "ACTION_SCORES": Key(
            "sigmoid",
            "How the scores of the classes relate, as BMVIT.ACTION_SCORES says. sigmoid: a person may do several things at "
            "once (AVA); softmax: exactly one of the classes.",
            one_of("sigmoid", "softmax"),
        ),
        "ALIGNED": Key(
            True, "RoIAlign with pixel centres at half integers. False: the older rule. PySlowFast's default."
        ),
        "ROI_XFORM_RESOLUTION": Key(7, "Cells of a region along each side. PySlowFast's default.", at_least(1)),
    },
)
