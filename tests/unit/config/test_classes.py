"""slowfast.config.classes: a number of classes that is left out follows the data."""

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.config.classes import USUAL_CLASSES, num_classes, with_num_classes
from slowfast.config.sections.train import DATASET_NAMES
from slowfast.models import build_model


def test_left_out_it_is_the_usual_number_of_the_data_set():
    assert set(USUAL_CLASSES) == set(DATASET_NAMES)
    assert USUAL_CLASSES["folder"] == 2  # to count a network by; a run has as many as there are folders
    cfg = get_cfg()
    assert cfg.MODEL.NUM_CLASSES == 0 and num_classes(cfg) == 80
    cfg.TRAIN.DATASET = "jhmdb"
    assert num_classes(cfg) == 21
    cfg.TRAIN.ENABLE, cfg.TEST.DATASET = False, "ucf24"
    assert num_classes(cfg) == 24
    with torch.device("meta"):
        assert build_model(cfg).heads.action[-1].out_features == 24
    cfg.MODEL.NUM_CLASSES = 3
    assert num_classes(cfg) == 3
    cfg.MODEL.NUM_CLASSES = 0
    cfg.TEST.DATASET = "mine"
    with pytest.raises(ValueError, match=r"MODEL.NUM_CLASSES is left out, and how many classes mine has is not"):
        num_classes(cfg)


def test_what_the_label_map_says_is_written_into_the_config():
    cfg = get_cfg()
    cfg.freeze()
    found = with_num_classes(cfg, 7, "the label map")
    assert (found.MODEL.NUM_CLASSES, cfg.MODEL.NUM_CLASSES, found.is_frozen()) == (7, 0, True)
    assert with_num_classes(found, 7, "the label map") is found
    with pytest.raises(ValueError, match=r"is 7, but the label map has 8 classes; set MODEL.NUM_CLASSES 8, or leave"):
        with_num_classes(found, 8, "the label map")
