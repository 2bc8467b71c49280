import pytest

from slowfast.models.backbones.mvit_plan import plan_blocks, round_width

S_STAGES = {1: 2.0, 3: 2.0, 14: 2.0}


def mvitv2_s(**changes: object) -> tuple:
    options = {
        "depth": 16,
        "embed_dim": 96,
        "num_heads": 1,
        "in_size": (8, 56, 56),
        "dim_mul": S_STAGES,
        "head_mul": S_STAGES,
        "q_strides": {block: (1, 2, 2) if block in S_STAGES else (1, 1, 1) for block in range(16)},
        "kv_strides": {},
        "adaptive_kv_stride": (1, 8, 8),
    }
    return plan_blocks(**(options | changes))


def test_mvitv2_s_is_four_stages():
    plan = mvitv2_s()
    stages = [(row.dim_out, row.num_heads, row.kv_stride, row.out_size) for row in plan]
    assert stages == (
        [(96, 1, (1, 8, 8), (8, 56, 56))]
        + [(192, 2, (1, 4, 4), (8, 28, 28))] * 2
        + [(384, 4, (1, 2, 2), (8, 14, 14))] * 11
        + [(768, 8, (1, 1, 1), (8, 7, 7))] * 2
    )
    assert [row.dim_in for row in plan][:4] == [96, 96, 192, 192]
    assert all(row.attention_dim == row.dim_out for row in plan)


def test_mvitv1_widens_one_block_earlier_in_the_mlp():
    plan = mvitv2_s(widen_in_attention=False)
    assert [(row.dim_in, row.attention_dim, row.dim_out) for row in plan[:4]] == [
        (96, 96, 192),
        (192, 192, 192),
        (192, 192, 384),
        (384, 384, 384),
    ]


def test_without_the_last_query_stride_keys_stay_pooled():
    strides = {block: (1, 2, 2) if block in (1, 3) else (1, 1, 1) for block in range(16)}
    plan = mvitv2_s(q_strides=strides, in_size=(8, 64, 64))
    assert [(row.kv_stride, row.out_size) for row in plan[14:]] == [((1, 2, 2), (8, 16, 16))] * 2
    assert plan[15].rel_pos_sizes(temporal=True, spatial=True) == (15, 31, 31)


def test_only_listed_blocks_pool_their_queries():
    plan = mvitv2_s(q_strides=dict.fromkeys(S_STAGES, (1, 2, 2)))
    assert [block for block, row in enumerate(plan) if row.q_kernel is not None] == [1, 3, 14]


def test_a_free_kernel_is_one_wider_than_the_stride_and_absent_where_it_would_do_nothing():
    plan = mvitv2_s(kernel=None)
    assert plan[0].kv_kernel == (1, 9, 9) and plan[1].q_kernel == (1, 3, 3)
    assert plan[0].q_kernel is None and plan[15].kv_kernel is None


def test_rows_of_the_relative_position_tables():
    plan = mvitv2_s()
    assert [plan[block].rel_pos_sizes(temporal=True, spatial=True) for block in (0, 1, 3, 14, 15)] == [
        (15, 111, 111),
        (15, 55, 55),
        (15, 27, 27),
        (15, 27, 27),
        (15, 13, 13),
    ]
    assert plan[0].rel_pos_sizes(temporal=False, spatial=True) == (0, 111, 111)


@pytest.mark.parametrize(
    "width, factor, divisor, expected", [(96, 2.0, 2, 192), (10, 1.0, 4, 12), (9, 1.0, 8, 16), (1, 2.0, 1, 2)]
)
def test_rounding_of_widths(width, factor, divisor, expected):
    assert round_width(width, factor, divisor=divisor) == expected
