"""Keys of the optimiser and its schedule, under PySlowFast's names and with its meaning. Lengths are in epochs.

Learning rates are final, except that BASE_LR_SCALE_NUM_SHARDS multiplies them by NUM_SHARDS.
"""

from slowfast.config.keys import (
    FLOAT,
    Key,
    Section,
    above_to,
    at_least,
    every,
    from_to_below,
    list_of,
    one_of,
)

SOLVER = Section(
    "SOLVER",
    "Optimiser and schedule",
    {
        "BASE_LR": Key(
            2.5e-5,
            "Learning rate of the backbone that LR_POLICY starts from. Not scaled by batch size or processes, but by "
            "NUM_SHARDS with BASE_LR_SCALE_NUM_SHARDS. Our default.",
            at_least(0),
        ),
        "BASE_LR_SCALE_NUM_SHARDS": Key(
            False, "Multiply BASE_LR, WARMUP_START_LR and COSINE_END_LR by NUM_SHARDS, each once."
        ),
        "HEAD_LR_MULT": Key(
            1.0,
            "Learning rate of everything but the backbone, as a multiple of the backbone's. PySlowFast has no such key; "
            "BMViT's files set 8.",
            at_least(0),
        ),
        "OPTIMIZING_METHOD": Key("adamw", "The optimiser. Our default.", one_of("adamw", "sgd")),
        "BETAS": Key([0.9, 0.999], "AdamW's two decay rates.", every(from_to_below(0, 1)), list_of(FLOAT, 2)),
        "MOMENTUM": Key(0.9, "Momentum of sgd.", from_to_below(0, 1)),
        "NESTEROV": Key(True, "Nesterov momentum for sgd; nothing where MOMENTUM is 0."),
        "DAMPENING": Key(0.0, "Dampening of sgd's momentum. Not together with NESTEROV.", at_least(0)),
        "WEIGHT_DECAY": Key(1e-4, "Weight decay. Our default.", at_least(0)),
        "ZERO_WD_1D_PARAM": Key(True, "No weight decay on norms and biases, as published YAML files set it."),
        "LR_POLICY": Key(
            "cosine",
            "cosine: half a cosine from BASE_LR to COSINE_END_LR; steps_with_relative_lrs: STEPS and LRS. Warm-up joins "
            "either where it then is. Our default.",
            one_of("cosine", "steps_with_relative_lrs"),
        ),
        "COSINE_AFTER_WARMUP": Key(
            False,
            "True: the cosine starts where the warm-up ends, which reaches BASE_LR itself. False: it spans all epochs, "
            "and the warm-up joins it below BASE_LR.",
        ),
        "COSINE_END_LR": Key(0.0, "Learning rate of the backbone at the end of the cosine.", at_least(0)),
        "STEPS": Key(
            [],
            "Epochs where the learning rate changes, from 0 on and ascending; read by steps_with_relative_lrs.",
            every(at_least(0)),
            list_of(FLOAT),
        ),
        "LRS": Key(
            [],
            "Learning rate from each of STEPS on, as a multiple of BASE_LR.",
            every(at_least(0)),
            list_of(FLOAT),
        ),
        "MAX_EPOCH": Key(12, "Epochs of training. Our default.", at_least(1)),
        "WARMUP_EPOCHS": Key(
            2.0,
            "Epochs (fractions allowed) in which the learning rate grows linearly from WARMUP_START_LR. Our default.",
            at_least(0),
        ),
        "WARMUP_START_LR": Key(0.0, "Learning rate of the backbone at the first step of warm-up.", at_least(0)),
        "CLIP_GRAD_VAL": Key(
            0.0,
            "Largest magnitude of any number of the gradient; larger ones are cut. 0 or None: off. Where it is set, "
            "CLIP_GRAD_L2NORM is not read.",
            at_least(0),
            null_means=0.0,
        ),
        "CLIP_GRAD_L2NORM": Key(
            0.0,
            "Largest L2 norm of the whole gradient; a longer one is shortened. 0 or None: off.",
            at_least(0),
            null_means=0.0,
        ),
        "LAYER_DECAY": Key(
            1.0,
            "Each earlier block learns at this multiple of the next one's rate. 1: all alike. Our default.",
            above_to(0, 1),
        ),
        "EMA_DECAY": Key(
            0.0,
            "Decay per step of the running average of weights that is evaluated. 0: off. Our default.",
            from_to_below(0, 1),
        ),
    },
)
