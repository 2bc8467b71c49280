"""slowfast.tasks.task.normalisation_of: the order of colours that a classifier is shown, and which mean belongs to which."""

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.engine.device.inputs import Inputs
from slowfast.structures.clip import ClipBatch, ViewMeta
from slowfast.structures.targets import Labels
from slowfast.tasks.task import normalisation_of

MEAN, STD = [0.1, 0.2, 0.3], [0.5, 0.25, 0.125]
RGB = torch.tensor([51, 102, 204], dtype=torch.uint8)  # 0.2, 0.4 and 0.8


@pytest.mark.parametrize("bgr", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_it_is_pyslowfasts(bgr, reverse):
    """There a file's channels are normalised by their place, and the order is exchanged last of all (datasets/utils.py)."""
    cfg = get_cfg()
    cfg.DATA.MEAN, cfg.DATA.STD, cfg.DATA.REVERSE_INPUT_CHANNEL = MEAN, STD, reverse
    as_read = RGB.flip(0) if bgr else RGB
    expected = (as_read / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    expected = expected.flip(0) if reverse else expected
    mean, std, swapped = normalisation_of(cfg, bgr=bgr)
    batch = ClipBatch(RGB.view(1, 3, 1, 1, 1), Labels(torch.zeros(1, dtype=torch.int64)), (ViewMeta("v", 0),))
    shown = Inputs(torch.device("cpu"), mean=mean, std=std, bgr=swapped).prepare(batch).clips.flatten()
    torch.testing.assert_close(shown, expected)
