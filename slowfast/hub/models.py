"""The networks of `configs/` by name, for use as a library: `slowfast.create_model("mvitv2_s")`.

Torch is imported when one is made, not when they are listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slowfast.config import load_cfg
from slowfast.config.shipped import shipped_configs
from slowfast.utils.logging import get_logger

if TYPE_CHECKING:
    from torch import nn

# Name -> the file below configs/ that describes it. A name without its data set is that of Kinetics-400 (or AVA).
_FILES = {
    "bmvit_s": "AVA/BMViT_S",
    "bmvit_b": "AVA/BMViT_B",
    "bmvit_mvitv1_b": "AVA/BMViT_MViTv1_B",
    "bmvit_vit_b": "AVA/BMViT_ViT_B",
    "bmvit_s_jhmdb": "JHMDB/BMViT_S",
    "bmvit_lite_jhmdb": "JHMDB/BMViT_lite",
    "bmvit_s_ucf24": "UCF24/BMViT_S",
    "bmvit_lite_ucf24": "UCF24/BMViT_lite",
    "mvitv2_s_roi": "AVA/MVITv2_S_16x4_RoI",
    "mvitv1_b_roi": "AVA/MVIT_B_16x4_RoI",
    "lite_roi_jhmdb": "JHMDB/RoI_lite",
    "mvitv2_s": "Kinetics/MVITv2_S_16x4",
    "mvitv2_b": "Kinetics/MVITv2_B_32x3",
    "mvitv2_l": "Kinetics/MVITv2_L_40x3_test",
    "mvit_s_maskfeat": "Kinetics/MVITv2_S_16x4_MaskFeat_FT",
    "mvitv1_b": "Kinetics/MVIT_B_16x4_CONV",
    "mvitv1_b_32x3": "Kinetics/MVIT_B_32x3_CONV",
    "mvitv1_b_64x3": "Kinetics/MVIT_B_64x3_CONV",
    "mvitv1_b_24": "Kinetics/MVIT_B_24_32x3_CONV",
    "mvitv2_s_ssv2": "SSv2/MVITv2_S_16x4",
    "mvitv2_b_ssv2": "SSv2/MVITv2_B_32x3",
    "mvitv2_l_ssv2": "SSv2/MVITv2_L_40x3",
    "mvitv2_t_in1k": "ImageNet/MVITv2_T",
    "mvitv2_s_in1k": "ImageNet/MVITv2_S",
    "mvitv2_b_in1k": "ImageNet/MVITv2_B",
    "mvitv1_b_in1k": "ImageNet/MVIT_B_16_CONV",
}


@dataclass(frozen=True)
class ModelCard:
    """A network that can be made by name.

    config: its YAML file below configs/
    lines:  what the file says about it: the network, a command that uses it, what to expect
    """

    name: str
    config: str
    lines: tuple[str, ...]

    @property
    def what(self) -> str:
        """One line."""
        return self.lines[0]


def list_models(pattern: str = "*") -> list[str]:
    """The names that `create_model` knows, of those that match a pattern such as "mvitv2_*"."""
    return [name for name in _FILES if fnmatch(name, pattern)]


def model_card(name: str) -> ModelCard:
    """Raises ValueError naming the known networks."""
    path = _path(name)
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return ModelCard(name, f"configs/{_FILES[name]}.yaml", tuple(lines))


def create_model(
    name: str, *, weights: str | Path | None = None, num_classes: int = 0, overrides: dict[str, Any] | None = None
) -> nn.Module:
    """The network called `name`, in training mode; with random weights, or those of a file.

    weights:     a checkpoint of ours or of PySlowFast's; everything must fit, save a classifier of other classes where
                 `num_classes` is given: that one is new
    num_classes: classes that it predicts; 0 for those of its data set
    overrides:   keys of its configuration, {"DATA.TRAIN_CROP_SIZE": 160}; of several sets of weights in a file
                 MODEL.CHECKPOINT_ENTRY chooses, and the log says which was taken

    It is called with normalised RGB clips (B, 3, T, H, W), (pixel / 255 - 0.45) / 0.225 for videos, and returns logits
    (B, classes), or the Predictions of a detector. Raises ValueError for a name that is not known and for weights that
    do not fit.
    """
    from slowfast.models.build import build_model
    from slowfast.weights.load import load_weights

    keys = {"MODEL.NUM_CLASSES": num_classes} if num_classes else {}
    cfg = load_cfg(_path(name), [part for pair in (keys | (overrides or {})).items() for part in pair])
    model = build_model(cfg)
    if weights is not None:
        entry, grid = cfg.MODEL.CHECKPOINT_ENTRY, cfg.MODEL.CHECKPOINT_GRID
        report = load_weights(model, weights, head_reinit=bool(num_classes), prefer=entry, grid=grid)
        if choice := report.choice('overrides={"MODEL.CHECKPOINT_ENTRY": NAME}'):
            get_logger().warning("%s", choice)
    return model


def _path(name: str) -> Path:
    if name not in _FILES:
        raise ValueError(f"there is no network called {name!r}; slowfast.list_models() gives: {', '.join(_FILES)}")
    return shipped_configs() / f"{_FILES[name]}.yaml"
