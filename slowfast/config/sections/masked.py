"""Keys of masked pre-training, under PySlowFast's names and with its meaning. What is hidden is said in AUG."""

from slowfast.config.keys import INT, Key, Section, at_least, every, list_of, one_of

MASK = Section(
    "MASK",
    "Masked pre-training (MODEL.MODEL_NAME MaskMViT): MaskFeat, which predicts the HOG of what is hidden of a clip",
    {
        "ENABLE": Key(False, "Must be True for MODEL.MODEL_NAME MaskMViT, and False for every other model."),
        "PRED_HOG": Key(
            False,
            "What is predicted. True: HOG, MaskFeat. False, which is PySlowFast's default: pixels, which is not built here, "
            "so MaskMViT needs True.",
        ),
        "PRETRAIN_DEPTH": Key(
            [15],
            "Blocks whose tokens predict, ascending; later blocks are left out of the network. PySlowFast's default.",
            every(at_least(0)),
            list_of(INT),
        ),
        "HEAD_TYPE": Key(
            "separate",
            "Of what predicts. separate: a norm and a linear layer for each of PRETRAIN_DEPTH. PySlowFast's separate_xformer "
            "is not built here.",
            one_of("separate"),
        ),
    },
)
