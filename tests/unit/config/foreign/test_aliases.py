"""slowfast.config.foreign.aliases: old and foreign names of keys are read, and become the present ones."""

import pytest

from slowfast.config import load_cfg
from slowfast.config.foreign.aliases import ALIASES
from slowfast.config.load import SCHEMA, load_cfg_with_sources


def cfg_of(tmp_path, text: str, *overrides: str):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    return load_cfg(path, list(overrides))


def test_no_alias_is_a_key_and_each_means_one():
    assert not set(ALIASES) & set(SCHEMA) and {alias.key for alias in ALIASES.values()} <= set(SCHEMA)


def test_old_names_become_the_present_ones(tmp_path):
    cfg = cfg_of(tmp_path, "AVA:\n  FPS: 12\nMATCHER:\n  L1: 3\n  GIOU: 4\nTRAIN:\n  MIXED_PRECISION: True\n")
    assert cfg.DATA.TARGET_FPS == 12.0 and (cfg.MATCHER.BOX_L1, cfg.MATCHER.BOX_GIOU) == (3.0, 4.0)
    assert cfg.MODEL.PRECISION == "bf16" and "FPS" not in cfg.AVA and "MIXED_PRECISION" not in cfg.TRAIN
    assert cfg_of(tmp_path, "", "TRAIN.MIXED_PRECISION", "False").MODEL.PRECISION == "float32"


def test_the_later_of_two_names_counts_and_its_source_is_told(tmp_path):
    assert cfg_of(tmp_path, "AVA:\n  FPS: 12\n", "DATA.TARGET_FPS", "15").DATA.TARGET_FPS == 15.0
    assert cfg_of(tmp_path, "MODEL:\n  PRECISION: fp16\n", "TRAIN.MIXED_PRECISION", "True").MODEL.PRECISION == "bf16"
    (tmp_path / "a.yaml").write_text("AVA:\n  FPS: 12\n")
    _, report = load_cfg_with_sources(tmp_path / "a.yaml")
    assert report.sources["DATA.TARGET_FPS"] == f"AVA.FPS, {tmp_path / 'a.yaml'}:2"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("AVA.FPS", "0", "DATA.TARGET_FPS (0.0) must be above 0 (AVA.FPS, command line)"),
        ("TRAIN.MIXED_PRECISION", "maybe", "MODEL.PRECISION ('maybe') must be auto or float32 or bf16 or fp16"),
        ("DETECTION.ENABLE", "maybe", "DETECTION.ENABLE must be True or False, not 'maybe' (command line)"),
    ],
)
def test_a_value_that_is_not_allowed_names_both(tmp_path, key, value, message):
    with pytest.raises(ValueError) as error:
        cfg_of(tmp_path, "", key, value)
    assert message in str(error.value)


def test_pyslowfasts_switch_makes_its_mvit_the_two_stage_model(tmp_path):
    text = "MODEL:\n  MODEL_NAME: MViT\nDETECTION:\n  ENABLE: True\n"
    assert cfg_of(tmp_path, text).MODEL.MODEL_NAME == "TwoStage"
    assert cfg_of(tmp_path, text, "DETECTION.ENABLE", "False").MODEL.MODEL_NAME == "MViT"
    assert cfg_of(tmp_path, text, "MODEL.MODEL_NAME", "Mine").MODEL.MODEL_NAME == "Mine"  # it knows what it is given
    assert cfg_of(tmp_path, "DETECTION:\n  ENABLE: False\n").MODEL.MODEL_NAME == "BMViT"
    for model, enabled, message in (
        ("BMViT", "True", "gives boxes to MODEL.MODEL_NAME MViT; BMViT finds its own (command line)"),
        ("TwoStage", "False", "contradicts MODEL.MODEL_NAME TwoStage; leave it out (command line)"),
    ):
        with pytest.raises(ValueError) as error:
            cfg_of(tmp_path, "", "MODEL.MODEL_NAME", model, "DETECTION.ENABLE", enabled)
        assert message in str(error.value)
