"""Why a detector told what it told of a key frame: the token behind each person, and what that token looked at."""

from dataclasses import dataclass

import numpy as np

from slowfast.structures.outputs.moment import Box, Person


@dataclass(frozen=True, eq=False)
class PersonExplanation:
    """One person of a key frame; (t, h, w) is the grid of tokens that the last stage of the backbone is given.

    person:           as told; all of its chosen actions, the unlikely ones too
    cell:             (row, column) of its token on the (H', W') grid of the network's output
    cell_box:         xyxy of that cell in [0, 1] of the original frame
    box_attention:    (t, h, w) float32, sums to 1: how much the token of box and actor takes from each place
    action_attention: the same for the tokens of the actions
    """

    person: Person
    cell: tuple[int, int]
    cell_box: Box
    box_attention: np.ndarray
    action_attention: np.ndarray


@dataclass(frozen=True, eq=False)
class Explanation:
    """A key frame.

    time:      seconds since the start of the video
    pictures:  (t, h, w, 3) uint8 RGB as the network was shown them: a frame of each time slice of the attention
    key_slice: the slice that holds the key frame, whose picture is the key frame itself
    region:    xyxy in [0, 1] of the original frame that the pictures show
    people:    likeliest first
    blocks:    numbers of the blocks of the last stage, over which attention is rolled out
    """

    time: float
    pictures: np.ndarray
    key_slice: int
    region: Box
    people: tuple[PersonExplanation, ...]
    blocks: tuple[int, ...]
