import torch
from torch.fx.experimental.proxy_tensor import make_fx

from slowfast.layers.kernels.attention import key_code
from slowfast.layers.rel_pos import axis_biases, distance_index, resize_table

CPU = torch.device("cpu")


def test_distances_by_hand():
    assert distance_index(3, 3, CPU).tolist() == [[2, 1, 0], [3, 2, 1], [4, 3, 2]]
    assert distance_index(4, 2, CPU).tolist() == [[2, 0], [3, 1], [4, 2], [5, 3]]  # keys are 2 apart
    assert distance_index(2, 4, CPU).tolist() == [[3, 2, 1, 0], [5, 4, 3, 2]]  # queries are 2 apart


def pyslowfast_distances(q_size, k_size):
    """PySlowFast's formula, as it is written there: float32 throughout."""
    q_ratio, k_ratio = max(k_size / q_size, 1.0), max(q_size / k_size, 1.0)
    distances = torch.arange(q_size)[:, None] * q_ratio - torch.arange(k_size)[None, :] * k_ratio
    distances += (k_size - 1) * k_ratio
    return distances.long()


def test_distances_are_those_of_pyslowfast_to_the_last_rounding():
    for q_size in range(1, 81):
        for k_size in range(1, 81):
            assert torch.equal(distance_index(q_size, k_size, CPU), pyslowfast_distances(q_size, k_size))


def test_no_rounding_of_a_distance_is_left_to_a_compiler():
    """Joined into one operation, a float32 product and the difference behind it would round once instead of twice."""
    graph = make_fx(lambda: distance_index(39, 20, CPU))().graph
    products = [node for node in graph.nodes if node.target is torch.ops.aten.mul.Tensor]
    assert [node.meta["val"].dtype for node in products] == [torch.float64] * 2

    exact = torch.arange(39).double()[:, None] - torch.arange(20).double() * torch.tensor(1.95).double()  # not rounded
    joined = (exact.float() + 19 * 1.95).long()
    assert not torch.equal(joined, distance_index(39, 20, CPU))


def test_key_code_by_hand():
    code = key_code((1, 2, 2), (True, True, True), True, 1, CPU, torch.float32)
    assert code.tolist() == [
        [0, 0, 0, 0, 0, 0],  # the class token has no position
        [1, 1, 0, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 0, 1, 1, 0, 0],
        [1, 0, 1, 0, 1, 0],
    ]
    assert key_code((3, 1, 2), (False, False, True), False, 0, CPU, torch.float32).tolist() == [[1, 0], [0, 1]] * 3


def test_table_is_resized_between_its_ends():
    table = torch.tensor([[0.0], [2.0], [4.0]])
    assert resize_table(table, 3) is table
    assert resize_table(table, 6).flatten().tolist() == [0.0, 0.5, 1.5, 2.5, 3.5, 4.0]


def test_axis_bias_by_loop():
    torch.manual_seed(0)
    q_grid, k_grid = (2, 4, 3), (2, 2, 3)
    q = torch.randn(2, 2, 24, 5)
    tables = (torch.randn(3, 5), torch.randn(7, 5), None)
    along_t, along_h = axis_biases(q, tables, q_grid, k_grid, factor=2.0)
    assert along_t.shape == (2, 2, 24, 2) and along_h.shape == (2, 2, 24, 2)
    for t, h, w in ((0, 0, 0), (1, 3, 2), (0, 2, 1)):
        query = q[1, 0, (t * 4 + h) * 3 + w]
        for key in range(2):
            row = tables[0][t - key + 1]
            torch.testing.assert_close(along_t[1, 0, (t * 4 + h) * 3 + w, key], 2 * query @ row)
            row = tables[1][h - 2 * key + 2]
            torch.testing.assert_close(along_h[1, 0, (t * 4 + h) * 3 + w, key], 2 * query @ row)
