"""From a file of weights to a model with its configuration and classes, ready to predict."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.config import load_cfg
from slowfast.config.extensions import import_extensions
from slowfast.datasets.annotations.videos.class_names import numbers_as_names, read_class_names
from slowfast.datasets.build import build_test_preset
from slowfast.datasets.clips.clip_sampling import clip_offsets
from slowfast.datasets.clips.presets import DetectionPreset
from slowfast.datasets.clips.video_sampling import ClipSampling
from slowfast.datasets.registry import reading_of
from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.precision import choose_precision
from slowfast.inference.streams.clip_stream import Prepare
from slowfast.layers import kernels
from slowfast.models.build import build_model, task_of_model
from slowfast.structures.annotations.label_map import read_label_map
from slowfast.structures.outputs.moment import ActionClass
from slowfast.tasks.task import normalisation_of
from slowfast.utils.files import write_text
from slowfast.utils.logging import get_logger
from slowfast.video.decoding.open_video import shrink
from slowfast.weights.file import WeightFile, read_weight_file, reading_once
from slowfast.weights.load import load_weights

_SHOWN_CLASSES = 4
DETECTS, CLASSIFIES = "Localization", "Classification"


@dataclass(frozen=True)
class Loaded:
    """A model and what it is to be asked with.

    weights: the file; task: name of the task that the model is made for
    """

    weights: Path
    cfg: CfgNode
    task: str
    model: nn.Module
    inputs: Inputs
    classes: tuple[ActionClass, ...]

    def __repr__(self) -> str:
        """One line: file, network, classes, clip, device."""
        names, data = [one.name for one in self.classes], self.cfg.DATA
        shown = ", ".join(names[:_SHOWN_CLASSES]) + (", ..." if len(names) > _SHOWN_CLASSES else "")
        size = data.TEST_CROP_SIZE if isinstance(data.TEST_CROP_SIZE, int) else "x".join(map(str, data.TEST_CROP_SIZE))
        clip = f"{data.NUM_FRAMES} frames of {size}"
        return f"{self.weights}: {self.cfg.MODEL.MODEL_NAME}, {len(names)} classes ({shown}), {clip}, on {self.inputs.device}"


def load_model(
    weights: str | Path,
    *,
    cfg: CfgNode | str | Path | None = None,
    labels: str | Path | None = None,
    device: str | torch.device = "auto",
) -> Loaded:
    """Build the network of a checkpoint and load it.

    cfg:    a config, or the file of one; None for the one that the checkpoint holds. A given one also tells which of
            several sets of weights is meant (MODEL.CHECKPOINT_ENTRY) and the grid of absolute positions
            (MODEL.CHECKPOINT_GRID); else averaged weights are taken where the file has them, and the log says so
    labels: file of class names (`.pbtxt`, JSON or text); None for the names in the checkpoint
    device: "auto" for a GPU where there is one, "cpu", "cuda", "cuda:1"

    Raises FileNotFoundError, or ValueError that says what the file lacks and which option gives it.
    """
    with reading_once():
        return _load_model(Path(weights), cfg, labels, device)


def _load_model(
    path: Path, cfg: CfgNode | str | Path | None, labels: str | Path | None, device: str | torch.device
) -> Loaded:
    file = read_weight_file(path)
    tree = _config_of(path, file, cfg)
    # In the checkpoint's own configuration these keys are about the file that its run began from.
    about = {} if cfg is None else {"prefer": tree.MODEL.CHECKPOINT_ENTRY, "grid": tree.MODEL.CHECKPOINT_GRID}
    import_extensions(tree)
    task = task_of_model(tree)
    if task not in (DETECTS, CLASSIFIES):
        why = (
            "it tells what people in given boxes do, and finds nobody itself: train BMViT (MODEL.MODEL_NAME BMViT)"
            if task == "TwoStage"
            else f"there is prediction for {DETECTS} and {CLASSIFIES}"
        )
        raise ValueError(
            f"{path} is a model of the task {task} (MODEL.MODEL_NAME {tree.MODEL.MODEL_NAME}), which cannot predict from "
            f"a video alone; {why}"
        )
    classes = _classes_of(path, file, labels, first_id=1 if task == DETECTS else 0)
    where = find_device(device)
    tree = _with_classes(tree, path, len(classes))
    kernels.use(tree.MODEL.KERNELS, tree.MODEL.DEPTHWISE)
    model = build_model(tree)
    if choice := load_weights(model, path, **about).choice("MODEL.CHECKPOINT_ENTRY of a given config (--cfg)"):
        get_logger().warning("%s", choice)
    return Loaded(path, tree, task, model.to(where).eval(), _inputs(tree, task, where), classes)


def find_device(device: str | torch.device) -> torch.device:
    """Raises ValueError for one that this machine does not have."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ValueError(f"--device {device} is none; give auto, cpu, cuda or cuda:N") from None
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"--device {device}: this machine has {torch.cuda.device_count()} GPUs that torch can use")
    return found


def _config_of(path: Path, file: WeightFile, given: CfgNode | str | Path | None) -> CfgNode:
    if isinstance(given, CfgNode):
        return given
    if given is not None:
        return load_cfg(given)
    if not file.config:
        raise ValueError(
            f"{path} does not hold the configuration of its run, so its network is not known; name the file with --cfg (cfg= in Python)"
        )
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "config.yaml")
        write_text(file.config, copy)
        try:
            tree = load_cfg(copy)
        except ValueError as error:
            text = str(error).replace(str(copy), "its config")
            raise ValueError(
                f"{path}: the configuration that it holds cannot be used, give another by --cfg: {text}"
            ) from None
    if tree.MODEL.IMPORTS:
        raise ValueError(
            f"{path}: its configuration imports {', '.join(tree.MODEL.IMPORTS)} (MODEL.IMPORTS), and a file of weights does "
            "not get to run code; name the configuration yourself with --cfg"
        )
    return tree


def _classes_of(path: Path, file: WeightFile, labels: str | Path | None, *, first_id: int) -> tuple[ActionClass, ...]:
    if labels is None:
        names, ids = file.class_names, file.class_ids
        if not names:
            raise ValueError(f"{path} does not name its classes; give a file of them with --labels (labels=)")
    elif Path(labels).suffix == ".pbtxt":
        label_map = read_label_map(labels)
        names, ids = label_map.names, label_map.ids
    else:
        names, ids = _names_in(labels), ()
    if len(ids) != len(names):
        ids = tuple(range(first_id, first_id + len(names)))
    known = file.class_names
    if labels is not None and known and known != numbers_as_names(len(known)) and known != names:
        raise ValueError(
            f"--labels {labels} has other classes than {path} says it was trained on ({', '.join(known[:5])}, ...); "
            "leave --labels out"
        )
    return tuple(ActionClass(i, number, name) for i, (number, name) in enumerate(zip(ids, names, strict=True)))


def _names_in(labels: str | Path) -> tuple[str, ...]:
    """Errors name the option of this command in place of the key that a configuration has."""
    try:
        return tuple(read_class_names(labels))
    except (OSError, ValueError) as error:
        raise type(error)(str(error).replace("DATA.LABEL_FILE", "--labels")) from None


def _with_classes(cfg: CfgNode, path: Path, count: int) -> CfgNode:
    if cfg.MODEL.NUM_CLASSES not in (0, count):
        raise ValueError(
            f"{path}: there are names of {count} classes, and MODEL.NUM_CLASSES is {cfg.MODEL.NUM_CLASSES}; give the names "
            "with --labels, or the configuration of this file with --cfg"
        )
    tree = cfg.clone()
    tree.defrost()
    tree.MODEL.NUM_CLASSES = count
    tree.freeze()
    return tree


def _inputs(cfg: CfgNode, task: str, device: torch.device) -> Inputs:
    mean, std, bgr = tuple(cfg.DATA.MEAN), tuple(cfg.DATA.STD), False
    if task == CLASSIFIES:  # detectors are given R, G, B always, as in their test
        mean, std, bgr = normalisation_of(cfg, bgr=reading_of(cfg.TEST.DATASET).bgr)
    precision = choose_precision(cfg.MODEL.PRECISION, device)
    return Inputs(device, mean=mean, std=std, bgr=bgr, precision=precision)


# ----------------------------------------------------------------------------------------------------- what is shown


def clip_offset_seconds(cfg: CfgNode, frame_seconds: float) -> np.ndarray:
    """(T,) seconds of a detector's clip from its key frame, as in its test. frame_seconds: of the video."""
    fps = 1 / frame_seconds if reading_of(cfg.TEST.DATASET).counts_frames else cfg.DATA.TARGET_FPS
    return clip_offsets(cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE) / fps


def build_prepare(cfg: CfgNode) -> Prepare:
    """A detector's frames as its test shows them: shrunk where DATA.CACHE_DIR keeps them so, then resized."""
    preset: DetectionPreset = build_test_preset(cfg)
    short_side = (cfg.DATA.CACHE_SHORT_SIDE or None) if cfg.DATA.CACHE_DIR else None

    def prepare(picture: np.ndarray, pixel_aspect: float) -> tuple[torch.Tensor, tuple[float, float, float, float]]:
        small = picture if short_side is None else shrink(picture, short_side)
        return preset.show(small[None], pixel_aspect=pixel_aspect)

    return prepare


def build_video_sampling(cfg: CfgNode) -> ClipSampling:
    """How a classifier's clips are taken from a video file, as in its test. Raises ValueError for one of images."""
    kind = reading_of(cfg.TEST.DATASET).sampling
    if kind == "image":
        raise ValueError(
            f"this model classifies single images (TEST.DATASET {cfg.TEST.DATASET}), and prediction reads videos"
        )
    return ClipSampling(
        num_frames=cfg.DATA.NUM_FRAMES,
        sampling_rate=cfg.DATA.SAMPLING_RATE,
        target_fps=cfg.DATA.TARGET_FPS,
        kind=kind,
        rule=cfg.TEST.VIEW_SAMPLING,
        use_offset=cfg.DATA.USE_OFFSET_SAMPLING,
    )
