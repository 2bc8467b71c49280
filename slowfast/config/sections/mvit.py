"""Keys of the MViT backbone, under PySlowFast's names (MViTv1 and MViTv2 papers).

Where PySlowFast has a default it is ours too, even where no published model uses it: a published YAML file that
leaves a key out must mean here what it means there. configs/ set every key that a model needs. What we have one way of
only (MODE, NORM, POOL_FIRST ...) is not a key; pyslowfast.py holds published files to that way.
"""

from slowfast.config.keys import (
    FLOAT,
    INT,
    Key,
    Rule,
    Section,
    above,
    at_least,
    every,
    from_to_below,
    list_of,
    rows_of,
)


def _blocks_differ(rows: list[list]) -> bool:
    return len({row[0] for row in rows}) == len(rows)


_MULTIPLIERS = rows_of(("block", INT), ("multiplier", FLOAT))
_MULTIPLIER_ROWS = Rule(
    "must have rows [block, multiplier] with block >= 0, multiplier > 0, and no block twice",
    lambda rows: _blocks_differ(rows) and all(block >= 0 and multiplier > 0 for block, multiplier in rows),
)
_STRIDES = rows_of(("block", INT), ("t", INT), ("h", INT), ("w", INT))
_STRIDE_ROWS = Rule(
    "must have rows [block, t, h, w] with block >= 0, strides >= 1, and no block twice",
    lambda rows: _blocks_differ(rows) and all(row[0] >= 0 and min(row[1:]) >= 1 for row in rows),
)

_NETWORK = {
    "EMBED_DIM": Key(96, "Channels of the first block's tokens.", at_least(1)),
    "NUM_HEADS": Key(1, "Attention heads of the first block.", at_least(1)),
    "DEPTH": Key(16, "Transformer blocks.", at_least(1)),
    "MLP_RATIO": Key(4.0, "Hidden channels of a block's MLP, as a multiple of its input channels.", above(0)),
    "QKV_BIAS": Key(True, "Bias in the query, key and value projections."),
    "DROPPATH_RATE": Key(
        0.1,
        "Stochastic depth: chance to skip the last block in training, growing linearly from 0 at the first.",
        from_to_below(0, 1),
    ),
    "DROPOUT_RATE": Key(0.0, "Dropout in the blocks and after the position embedding.", from_to_below(0, 1)),
    "CLS_EMBED_ON": Key(True, "A class token beside the patch tokens. Detectors do not read it."),
    "USE_MEAN_POOLING": Key(False, "The classifier reads the mean of the patch tokens instead of the class token."),
    "HEAD_INIT_SCALE": Key(1.0, "Factor on the initial weights of the classifier.", above(0)),
}

_PATCHES = {
    "PATCH_2D": Key(False, "Patches of one image instead of tubes of a clip; PATCH_* then have 2 numbers."),
    "PATCH_KERNEL": Key([3, 7, 7], "Kernel of the patch embedding (t, h, w).", every(at_least(1)), list_of(INT, 2, 3)),
    "PATCH_STRIDE": Key([2, 4, 4], "Stride of the patch embedding (t, h, w).", every(at_least(1)), list_of(INT, 2, 3)),
    "PATCH_PADDING": Key(
        [2, 4, 4],
        "Zero padding of the patch embedding (t, h, w). PySlowFast's default; all published models set (1, 3, 3).",
        every(at_least(0)),
        list_of(INT, 2, 3),
    ),
}

_STAGES = {
    "DIM_MUL": Key(
        [],
        "Rows [block, multiplier]: where channels grow. With DIM_MUL_IN_ATT the block's attention widens its input, "
        "otherwise the MLP of the block before it does.",
        _MULTIPLIER_ROWS,
        kind=_MULTIPLIERS,
    ),
    "HEAD_MUL": Key([], "Rows [block, multiplier]: where heads grow.", _MULTIPLIER_ROWS, kind=_MULTIPLIERS),
    "DIM_MUL_IN_ATT": Key(False, "Channels grow in the attention (MViTv2) instead of the MLP before (MViTv1)."),
    "POOL_Q_STRIDE": Key(
        [],
        "Rows [block, t, h, w]: stride of query pooling, by which the token grid shrinks. A block without a row has no "
        "query pooling at all; a row of ones still pools, with stride 1.",
        _STRIDE_ROWS,
        kind=_STRIDES,
    ),
    "POOL_KV_STRIDE": Key(
        [],
        "Rows [block, t, h, w]: stride of key and value pooling. Not together with POOL_KV_STRIDE_ADAPTIVE.",
        _STRIDE_ROWS,
        kind=_STRIDES,
        null_means=[],
    ),
    "POOL_KV_STRIDE_ADAPTIVE": Key(
        [],
        "(t, h, w): stride of key and value pooling in block 0; where queries are pooled it is divided by their stride "
        "(never below 1). Empty: POOL_KV_STRIDE counts.",
        every(at_least(1)),
        kind=list_of(INT, 0, 3),
        null_means=[],
    ),
    "POOL_KVQ_KERNEL": Key(
        [],
        "Kernel (t, h, w) of all pooling. Empty or None: stride + 1 where a stride is above 1, else 1.",
        every(at_least(1)),
        kind=list_of(INT, 0, 3),
        null_means=[],
    ),
    "RESIDUAL_POOLING": Key(False, "Add the pooled query to the attention's output (MViTv2)."),
    "SEPARATE_QKV": Key(False, "Three projections instead of one; the same function, other weight names."),
}

_POSITIONS = {
    "USE_ABS_POS": Key(True, "Absolute position embedding, added to the patch tokens."),
    "SEP_POS_EMBED": Key(False, "The absolute embedding is a sum of a spatial and a temporal table."),
    "REL_POS_SPATIAL": Key(False, "Decomposed relative position bias over height and width (MViTv2)."),
    "REL_POS_TEMPORAL": Key(False, "Decomposed relative position bias over time (MViTv2)."),
    "REL_POS_ZERO_INIT": Key(False, "Relative position tables start at zero instead of random."),
    "ZERO_DECAY_POS_CLS": Key(
        True,
        "No weight decay on position tables and the class token. With SOLVER.LAYER_DECAY below 1 relative position "
        "tables decay all the same, as in PySlowFast. All its MViT files set False.",
    ),
}

MVIT = Section("MVIT", "The MViT backbone", {**_NETWORK, **_PATCHES, **_STAGES, **_POSITIONS})
