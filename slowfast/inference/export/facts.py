"""What an exported file says about itself: enough to run it, by `from_onnx` and by anyone without this package.

Each fact is JSON under a name of its own, in the metadata of an ONNX file and in `facts.json` of a torch.export program.
docs/PREDICT.md lists them. `settings` are the configuration keys that prediction reads, and no others.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from fvcore.common.config import CfgNode

from slowfast import __version__
from slowfast.config import get_cfg
from slowfast.datasets.clips.clip_sampling import clip_offsets
from slowfast.datasets.registry import reading_of
from slowfast.inference.build import CLASSIFIES, DETECTS, Loaded
from slowfast.structures.outputs.moment import ActionClass
from slowfast.weights.file import weight_path

FORMAT = "bmvit-export/1"
FRAME_PART = "FrameFeatures"  # the task of a file that sees single frames, one of two (`by_frame.py`)
Facts = dict[str, Any]

# The keys that prediction reads of a detector and of a classifier; a test compares both kinds with their checkpoints.
SETTINGS = (
    *("DATA.NUM_FRAMES", "DATA.SAMPLING_RATE", "DATA.TARGET_FPS", "DATA.TEST_CROP_SIZE", "DATA.TRAIN_CROP_SIZE"),
    *("DATA.RESIZE", "DATA.CACHE_DIR", "DATA.CACHE_SHORT_SIDE", "DATA.MEAN", "DATA.STD", "DATA.REVERSE_INPUT_CHANNEL"),
    *("DATA.TRAIN_JITTER_SCALES", "DATA.IN_VAL_CROP_RATIO", "DATA.ENSEMBLE_METHOD", "DATA.MULTI_LABEL"),
    *("DATA.USE_OFFSET_SAMPLING", "TEST.DATASET", "TEST.ACTOR_THRESHOLD", "TEST.NMS_IOU", "TEST.MAX_PEOPLE"),
    *("TEST.VIEW_SAMPLING", "TEST.NUM_ENSEMBLE_VIEWS", "TEST.NUM_TEMPORAL_CLIPS", "TEST.NUM_SPATIAL_CROPS"),
    *("MODEL.MODEL_NAME", "MODEL.NUM_CLASSES"),
)
# What a file cannot be run without.
NEEDED = ("format", "task", "classes", "input", "sampling", "settings")


def facts_of(loaded: Loaded, *, size: tuple[int, int, int], outputs: tuple[str, ...], opset: int | None) -> Facts:
    """size: (T, H, W) of the input; outputs: their names in order; opset: of ONNX"""
    cfg, inputs = loaded.cfg, loaded.inputs
    return {
        "format": FORMAT,
        "version": __version__,
        "task": loaded.task,
        "model": cfg.MODEL.MODEL_NAME,
        "classes": [{"id": action.id, "name": action.name} for action in loaded.classes],
        "input": {
            "name": "clips",
            "type": "uint8",
            "shape": ["batch", 3, *size],
            "layout": "clips, R G B, frames, rows, columns; pixels as decoded, from 0 to 255",
            "resize": _resize(cfg, loaded.task),
        },
        "normalisation": {
            "where": "inside the network: (pixel / 255 - mean) / std",
            "mean": inputs.mean.tolist(),
            "std": inputs.std.tolist(),
            "bgr": inputs.bgr,
        },
        "outputs": list(outputs),
        "sampling": _sampling(cfg, loaded.task),
        "opset": opset,
        "checkpoint": {"file": loaded.weights.name, "sha256": sha256_of(weight_path(loaded.weights))},
        # Whether frames are shrunk as a cache keeps them is a setting; where a machine keeps its cache is not.
        "settings": {key: _at(cfg, key) for key in SETTINGS} | {"DATA.CACHE_DIR": "kept" if cfg.DATA.CACHE_DIR else ""},
    }


def _resize(cfg: CfgNode, task: str) -> str:
    if task == DETECTS:
        side = cfg.DATA.CACHE_SHORT_SIDE if cfg.DATA.CACHE_DIR else 0
        first = f"the whole frame to a short side of {side} where it is larger, then " if side else "the whole frame "
        return first + "to rows x columns, bilinear with antialiasing"
    return f"crops of the frame scaled to a short side; {cfg.TEST.NUM_SPATIAL_CROPS} of them in a test"


def _sampling(cfg: CfgNode, task: str) -> Facts:
    """frames of a clip; offsets: of each from the key frame, in seconds or in frames of the video."""
    d, reading = cfg.DATA, reading_of(cfg.TEST.DATASET)
    facts: Facts = {"frames": d.NUM_FRAMES, "rate": d.SAMPLING_RATE, "fps": float(d.TARGET_FPS)}
    if task == DETECTS:
        offsets = clip_offsets(d.NUM_FRAMES, d.SAMPLING_RATE)
        unit = "frames of the video" if reading.counts_frames else "seconds"
        values = offsets if reading.counts_frames else offsets / d.TARGET_FPS
        return facts | {"offsets": np.asarray(values).tolist(), "unit": unit}
    return facts | {"kind": reading.sampling, "rule": cfg.TEST.VIEW_SAMPLING}


def _at(cfg: CfgNode, key: str) -> Any:
    for part in key.split("."):
        cfg = cfg[part]
    return list(cfg) if isinstance(cfg, tuple) else cfg


def sha256_of(path: Path) -> str:
    """Of a file, in hexadecimal."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            total.update(part)
    return total.hexdigest()


def written(facts: Facts) -> dict[str, str]:
    """Each fact as JSON."""
    return {name: json.dumps(value) for name, value in facts.items()}


def read(path: Path, texts: dict[str, str], *, frame_part: bool = False) -> Facts:
    """Facts from their JSON. Raises ValueError for a file that another program wrote, or a later version of this one.

    frame_part: it is the file of single frames
    """
    missing = [name for name in NEEDED if name not in texts]
    if missing:
        raise ValueError(
            f"{path} was not written by `bmvit export`: its metadata lack {', '.join(missing)}, so its classes and input "
            "are not known; export the checkpoint with tools/export.py"
        )
    try:
        facts = {name: json.loads(text) for name, text in texts.items()}
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: its metadata are damaged ({error}); export the checkpoint again") from None
    if facts["format"] != FORMAT:
        raise ValueError(
            f"{path} has the format {facts['format']}, and this version reads {FORMAT}; export the checkpoint again"
        )
    if facts["task"] == FRAME_PART and not frame_part:
        raise ValueError(
            f"{path} is the part of an export that sees single frames; give the other file that was written with it"
        )
    if facts["task"] not in (DETECTS, CLASSIFIES) and not frame_part:
        raise ValueError(f"{path} is of the task {facts['task']!r}; there is prediction for {DETECTS} and {CLASSIFIES}")
    return facts


def classes_of(facts: Facts) -> tuple[ActionClass, ...]:
    return tuple(ActionClass(i, int(c["id"]), str(c["name"])) for i, c in enumerate(facts["classes"]))


def config_of(path: Path, facts: Facts) -> CfgNode:
    """The defaults, with the settings of the file. Raises ValueError for settings that this version does not know."""
    tree = get_cfg()
    tree.defrost()
    for key, value in facts["settings"].items():
        if key not in SETTINGS:
            raise ValueError(f"{path}: this version has no setting {key}; export the checkpoint again")
        section, name = key.split(".")
        known = tree[section][name]
        if not _alike(known, value):
            raise ValueError(
                f"{path}: {key} is {value!r} in its metadata, which cannot be; export the checkpoint again"
            )
        tree[section][name] = value
    tree.freeze()
    told = {name: facts["sampling"].get(name) for name in ("unit", "kind")}
    here = _sampling(tree, facts["task"])
    if told != {name: here.get(name) for name in told}:
        raise ValueError(
            f"{path}: its clips are sampled as those of the data set {tree.TEST.DATASET!r}, which this installation does not "
            "know or reads in another way; import the module that registers it first"
        )
    return tree


def _alike(known: Any, value: Any) -> bool:
    """The value can be one of the key: sizes are a number or two, and numbers are whole or not."""
    if isinstance(known, bool) or isinstance(value, bool) or isinstance(known, str) or isinstance(value, str):
        return type(known) is type(value)
    if isinstance(known, int | float) and isinstance(value, int | float):
        return True
    return isinstance(value, int | list) and isinstance(known, int | list | tuple)
