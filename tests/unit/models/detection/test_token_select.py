"""slowfast.models.detection.token_select: every option by hand on tokens whose value tells their place."""

import pytest
import torch

from slowfast.models.detection.token_select import ACTION_TOKENS, BOX_TOKENS, TokenSelect, candidate_centres


def tokens(slices: int) -> torch.Tensor:
    """(1, T, 2, 3, 1): the token of slice t, row y, column x has the value 100 t + 10 y + x."""
    t, y, x = torch.meshgrid(torch.arange(slices), torch.arange(2), torch.arange(3), indexing="ij")
    return (100.0 * t + 10 * y + x)[None, ..., None]


PLACES = [0, 1, 2, 10, 11, 12]
# What each option adds to a place when T is 4 and when T is 5: the slice, or the mean of slices, times 100.
BOX_SLICE = {"central_pair": (150, 200), "central": (200, 200), "temporal_mean": (150, 200)}
ACTION_SLICE = {"temporal_mean": (150, 200), "central": (200, 200)}


@pytest.mark.parametrize("action_tokens", ACTION_TOKENS)
@pytest.mark.parametrize("box_tokens", BOX_TOKENS)
@pytest.mark.parametrize("slices", [4, 5, 1])
def test_each_option_by_hand(box_tokens, action_tokens, slices):
    select = TokenSelect(box_tokens=box_tokens, action_tokens=action_tokens)
    boxes, actions = select(tokens(slices))
    odd = slices % 2
    scale = 0 if slices == 1 else 1
    every = slices if box_tokens == "all" else 1
    if box_tokens == "all":
        expected = [100 * t + place for t in range(slices) for place in PLACES]
    else:
        expected = [scale * BOX_SLICE[box_tokens][odd] + place for place in PLACES]
    assert boxes[0, :, 0].tolist() == expected
    if action_tokens != "same":
        expected = [scale * ACTION_SLICE[action_tokens][odd] + place for place in PLACES] * every
    assert actions[0, :, 0].tolist() == expected
    assert boxes.shape[1] == actions.shape[1] == len(PLACES) * every


def test_the_central_pair_is_not_the_temporal_mean():
    uneven = tokens(4) ** 2
    pair = TokenSelect(box_tokens="central_pair", action_tokens="same")(uneven)[0]
    mean = TokenSelect(box_tokens="temporal_mean", action_tokens="same")(uneven)[0]
    assert pair[0, 0].item() == (100**2 + 200**2) / 2
    assert mean[0, 0].item() == (100**2 + 200**2 + 300**2) / 4


def test_centres_follow_the_raster_order_of_the_tokens():
    centres = candidate_centres((4, 2, 3), 2, torch.device("cpu"))
    one_slice = [[1 / 6, 0.25], [0.5, 0.25], [5 / 6, 0.25], [1 / 6, 0.75], [0.5, 0.75], [5 / 6, 0.75]]
    torch.testing.assert_close(centres, torch.tensor(one_slice * 2))


def test_unknown_options_name_the_known_ones():
    with pytest.raises(
        ValueError, match=r"box tokens 'middle' unknown; choose from .*central_pair.* \(BMVIT.BOX_TOKENS\)"
    ):
        TokenSelect(box_tokens="middle", action_tokens="same")
    with pytest.raises(ValueError, match=r"action tokens 'all' unknown; choose from .*same.* \(BMVIT.ACTION_TOKENS\)"):
        TokenSelect(box_tokens="all", action_tokens="all")
