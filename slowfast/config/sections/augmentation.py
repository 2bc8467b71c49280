"""Keys of what training does to the clips of a classifier, under PySlowFast's names and with its meaning."""

from slowfast.config.keys import INT, Key, Section, at_least, between, every, from_to_below, list_of, one_of

AUG = Section(
    "AUG",
    "Augmentation of a classifier's training clips, beside the crop and the flip of DATA",
    {
        "ENABLE": Key(False, "RandAugment and random erasing, or the jitter of colours, as the keys below say."),
        "NUM_SAMPLE": Key(
            1,
            "Augmented clips of each video in a step, from one decoding (repeated augmentation, arXiv 1901.09335). A step "
            "has TRAIN.BATCH_SIZE videos and NUM_SAMPLE times as many clips; it changes neither the number of steps nor "
            "the learning rate.",
            at_least(1),
        ),
        "SAMPLE_ONCE": Key(
            True,
            "True: the clips of a video show the same frames, each augmented in its own way, as in PySlowFast. False: "
            "each has frames of its own. mmaction2's sample_once.",
        ),
        "AA_TYPE": Key(
            "rand-m9-mstd0.5-inc1",
            "RandAugment, as rand-m7-n4-mstd0.5-inc1: magnitude 7 of 10, 4 operations, its standard deviation 0.5, the "
            "increasing set. Empty: none, and COLOR_JITTER instead. PySlowFast's default.",
        ),
        "COLOR_JITTER": Key(
            0.4,
            "Strength of random brightness, contrast and saturation, read where AA_TYPE is empty. 0 or None: off. "
            "PySlowFast's default.",
            between(0, 1),
            null_means=0.0,
        ),
        "INTERPOLATION": Key(
            "bicubic", "Of RandAugment's geometric operations. PySlowFast's default.", one_of("bicubic", "bilinear")
        ),
        "RE_PROB": Key(0.25, "Probability of random erasing. PySlowFast's default.", between(0, 1)),
        "RE_MODE": Key("pixel", "What erased pixels become: noise, another number for each.", one_of("pixel")),
        "RE_COUNT": Key(
            1,
            "Rectangles of a clip that is erased. In PySlowFast it also leaves the first of so many parts of the frames "
            "clean, which is not done here.",
            at_least(1),
        ),
        "MASK_RATIO": Key(
            0.0,
            "How much of a clip is hidden, with MASK.ENABLE. Published MaskFeat files set 0.4.",
            from_to_below(0, 1),
        ),
        "MASK_WINDOW_SIZE": Key(
            [8, 7, 7],
            "Cells (t, h, w) of a mask, of which whole ones are hidden: t is NUM_FRAMES over the patches' stride, and h and w "
            "divide the tokens of a frame. PySlowFast's default. Not read for images (MVIT.PATCH_2D), where a cell is a patch.",
            every(at_least(1)),
            list_of(INT, 3),
        ),
        "MASK_TUBE": Key(
            False, "Blocks that are hidden all the time, instead of blocks that last a random time (cubes)."
        ),
        "MASK_FRAMES": Key(False, "Whole times instead of blocks. Not together with MASK_TUBE."),
    },
)

MIXUP = Section(
    "MIXUP",
    "Mixing pairs of a classifier's training clips, and their labels",
    {
        "ENABLE": Key(False, "Mix clips by mixup or cutmix, and smooth labels."),
        "ALPHA": Key(0.8, "Parameter of mixup's Beta distribution. 0: no mixup. PySlowFast's default.", at_least(0)),
        "CUTMIX_ALPHA": Key(1.0, "The same for cutmix. 0: no cutmix. PySlowFast's default.", at_least(0)),
        "PROB": Key(
            1.0, "Probability that a step is mixed. 0: labels are smoothed, and nothing is mixed.", between(0, 1)
        ),
        "SWITCH_PROB": Key(
            0.5, "Probability that a mixed step is cut, where there are both. PySlowFast's default.", between(0, 1)
        ),
        "LABEL_SMOOTH_VALUE": Key(
            0.1, "How much of a label is spread over all classes. PySlowFast's default.", from_to_below(0, 1)
        ),
    },
)
