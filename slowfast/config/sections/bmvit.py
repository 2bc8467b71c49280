"""Keys of the BMViT detector: which tokens predict what, and with which heads.

The paper's text was not available to us: every default here is ours, and each key is an ablation of one line.
"""

from slowfast.config.keys import (
    FLOAT,
    INT,
    Key,
    Rule,
    Section,
    all_of,
    at_least,
    distinct,
    every,
    from_to_below,
    list_of,
    one_of,
)

_FRACTIONS = Rule("must be in (0, 1) in every item", lambda sizes: all(0 < size < 1 for size in sizes))

BMVIT = Section(
    "BMVIT",
    "The BMViT detector",
    {
        "BOX_TOKENS": Key(
            "central_pair",
            "Which tokens predict a box and actor / no actor. central_pair: mean of the two time slices around the "
            "key frame (one slice when their number is odd); central: one slice; all: every token; temporal_mean. "
            "Our default: people are annotated on the central frame.",
            one_of("central_pair", "central", "all", "temporal_mean"),
        ),
        "ACTION_TOKENS": Key(
            "temporal_mean",
            "Which tokens predict actions. temporal_mean: mean over time at the place of the box token; same: the box "
            "token; central: the central slices at that place. Our default: actions need time.",
            one_of("temporal_mean", "same", "central"),
        ),
        "HEAD_DEPTH": Key(
            3, "Linear layers of each of the three heads. Our default, after DETR and TubeR.", at_least(1)
        ),
        "HEAD_HIDDEN": Key(0, "Hidden channels of the heads. 0: as many as a token has. Our default.", at_least(0)),
        "ACTOR_LOGITS": Key(
            2,
            "Outputs of the actor head. 2: softmax over actor / no actor; 1: sigmoid. Our default.",
            one_of(1, 2),
        ),
        "BOX_PRIOR": Key(
            True,
            "Each token's box starts at the token's own place: a bias in logit space, before the sigmoid. Our default, "
            "after OWL-ViT.",
        ),
        "BOX_PRIOR_SIZE": Key(
            [],
            "Width and height where boxes start, as fractions of the input. Empty: one cell of the token grid. "
            "Our default. Without BOX_PRIOR it is not used.",
            _FRACTIONS,
            kind=list_of(FLOAT, 0, 2),
        ),
        "HEAD_DROPOUT": Key(
            0.0, "Dropout of the tokens that the three heads read, in training. Our default.", from_to_below(0, 1)
        ),
        "ACTION_SCORES": Key(
            "sigmoid",
            "How the scores of the classes relate. sigmoid: a person may do several things at once (AVA). softmax: exactly "
            "one of the classes, whose probabilities sum to 1; for sets with one label a person (JHMDB, UCF101-24).",
            one_of("sigmoid", "softmax"),
        ),
        "RIVALS": Key(
            0,
            "Kinds of rivals that each candidate counts: other candidates whose boxes overlap its own and that are likelier. "
            "What a kind is, and what it takes off the actor logit, is learned. It stands in for NMS inside the network. "
            "0: none, as in the paper.",
            at_least(0),
        ),
        "AUX_BLOCKS": Key(
            [],
            "Backbone blocks (from 0) after which the heads predict too, each with the full loss in training. Empty: "
            "the last block only. Our default.",
            all_of(every(at_least(0)), distinct()),
            kind=list_of(INT),
        ),
    },
)
