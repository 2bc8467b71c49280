"""Keys of the optimiser and its schedule. Lengths are in epochs, learning rates are final: nothing multiplies them."""

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
            "Learning rate of the backbone that LR_POLICY starts from. Not scaled by batch size or processes. Our "
            "default.",
            at_least(0),
        ),
        "HEAD_LR_MULT": Key(
            8.0, "Learning rate of the heads, as a multiple of the backbone's. Our default.", at_least(0)
        ),
        "OPTIMIZING_METHOD": Key("adamw", "Optimiser. sgd has Nesterov momentum.", one_of("adamw", "sgd")),
        "BETAS": Key([0.9, 0.999], "AdamW's two decay rates.", every(from_to_below(0, 1)), list_of(FLOAT, 2)),
        "MOMENTUM": Key(0.9, "Momentum of sgd.", from_to_below(0, 1)),
        "WEIGHT_DECAY": Key(1e-4, "Weight decay. Our default.", at_least(0)),
        "ZERO_WD_1D_PARAM": Key(True, "No weight decay on norms and biases, as published YAML files set it."),
        "LR_POLICY": Key(
            "cosine",
            "cosine: half a cosine over all epochs, from BASE_LR to COSINE_END_LR; steps_with_relative_lrs: STEPS and "
            "LRS. Warm-up joins either where it then is. Our default.",
            one_of("cosine", "steps_with_relative_lrs"),
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
        "CLIP_GRAD_L2NORM": Key(
            1.0,
            "Largest L2 norm of the whole gradient; a longer one is shortened. 0 or None: off. Our default.",
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
