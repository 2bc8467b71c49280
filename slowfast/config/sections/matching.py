"""Keys of the bipartite matching (MATCHER) and of the training loss (LOSS).

BMViT matches candidate tokens to people and trains each token on its match. Costs and weights are our defaults, after
DETR and TubeR.
"""

from slowfast.config.keys import Key, Section, at_least, between, from_to_below, one_of

MATCHER = Section(
    "MATCHER",
    "Cost of giving a token to a person",
    {
        "ACTOR": Key(1.0, "Weight of -p(actor). Our default (DETR: 1).", at_least(0)),
        "BOX_L1": Key(5.0, "Weight of the L1 distance of boxes, cxcywh in [0, 1]. Our default (DETR: 5).", at_least(0)),
        "BOX_GIOU": Key(2.0, "Weight of -GIoU. Our default (DETR: 2).", at_least(0)),
        "ACTION": Key(
            0.0,
            "Weight of the action term. 0 leaves actions out of the matching: our default, as TubeR, EVAD and STMixer.",
            at_least(0),
        ),
    },
)

LOSS = Section(
    "LOSS",
    "The training loss: a weighted sum of four terms",
    {
        "CRITERION": Key(
            "",
            "Name in the criterion registry. Empty: the one of the model's task (set: matched people; roi: given boxes; "
            "label: whole clips).",
        ),
        "ACTOR": Key(1.0, "Weight of the actor / no actor term. Our default.", at_least(0)),
        "BOX_L1": Key(5.0, "Weight of the L1 term, a mean over people. Our default (DETR: 5).", at_least(0)),
        "BOX_GIOU": Key(2.0, "Weight of the 1 - GIoU term, a mean over people. Our default (DETR: 2).", at_least(0)),
        "ACTION": Key(
            12.0,
            "Weight of the action term, a mean over people and classes. Our default (TubeR, EVAD: 12).",
            at_least(0),
        ),
        "NO_ACTOR_WEIGHT": Key(
            0.0,
            "Weight of a token without a person in the actor term. 0: automatic, 10 / candidates and at most 1 "
            "(0.04 for 256 candidates). Our default, scaled from DETR's 100 x 0.1.",
            between(0, 1),
        ),
        "ACTOR_TYPE": Key(
            "ce",
            "Actor term. ce: weighted cross entropy; focal: FOCAL_ALPHA and FOCAL_GAMMA. Our default.",
            one_of("ce", "focal"),
        ),
        "ACTION_TYPE": Key(
            "bce",
            "Action term, one yes or no per class. bce: binary cross entropy; focal; asymmetric. Our default.",
            one_of("bce", "focal", "asymmetric"),
        ),
        "ACTION_TOKENS": Key(
            "matched",
            "Tokens in the action term. matched: those given to a person; all: the others too, with no action as "
            "target. Our default.",
            one_of("matched", "all"),
        ),
        "FOCAL_ALPHA": Key(0.25, "Weight of positives in focal terms (RetinaNet: 0.25).", between(0, 1)),
        "FOCAL_GAMMA": Key(2.0, "Exponent of focal terms (RetinaNet: 2).", at_least(0)),
        "ASYMMETRIC_GAMMA_POS": Key(0.0, "Exponent for positives of the asymmetric loss (ASL: 0).", at_least(0)),
        "ASYMMETRIC_GAMMA_NEG": Key(4.0, "Exponent for negatives of the asymmetric loss (ASL: 4).", at_least(0)),
        "ASYMMETRIC_CLIP": Key(
            0.05,
            "Probability below which a negative costs nothing in the asymmetric loss (ASL: 0.05).",
            from_to_below(0, 1),
        ),
    },
)
