"""Weights as model hubs have them: a folder with model.safetensors, config.json and, where it is asked for, a card."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.common.config import CfgNode
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from slowfast.engine.record.provenance import state_sha256
from slowfast.inference.build import Loaded
from slowfast.inference.export import facts as told
from slowfast.utils.files import whole_file, write_text
from slowfast.weights.file import weight_path

CARD = "README.md"  # as hubs show it
_NOT_SHOWN = ("clips", "clips_per_second", "repeated_frames")


@dataclass(frozen=True)
class CardText:
    """What only people know of weights, and what a test found.

    text:    Markdown: the data and their licence, the starting weights and theirs, what to use it for
    metrics: of metrics.json, of a test of these very weights; None where there is none
    """

    text: str
    metrics: dict[str, Any] | None = None

    @classmethod
    def read(cls, file: str | Path, metrics: str | Path | None = None) -> "CardText":
        """Raises OSError, and ValueError for a file of metrics that is none."""
        try:
            text = Path(file).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"--card {file} is no text in UTF-8 ({error})") from None
        if metrics is None:
            return cls(text)
        try:
            found = json.loads(Path(metrics).read_text(encoding="utf-8"))
            found["run"]["weights"]["state_sha256"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"--metrics {metrics} is no metrics.json of a test by this project") from None
        return cls(text, found)


def hub_files(out: Path, *, card: bool = False) -> tuple[Path, ...]:
    """The weights, config.json and perhaps the card: in the folder `out`, or the file `out` with the others beside it."""
    weights = out if out.suffix == ".safetensors" else out / "model.safetensors"
    beside = ("config.json", CARD) if card else ("config.json",)
    return weights, *(weights.parent / name for name in beside)


def hub_config(loaded: Loaded) -> dict[str, Any]:
    """config.json: what hubs show of a model, and the configuration that its network is built from."""
    cfg = loaded.cfg
    names = [action.name for action in loaded.classes]
    mean, std = (
        np.round(values.numpy().astype(np.float64), 7).tolist() for values in (loaded.inputs.mean, loaded.inputs.std)
    )
    return {
        "model_type": "bmvit",
        "architectures": [cfg.MODEL.MODEL_NAME],
        "task": loaded.task,
        "num_labels": len(names),
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
        "class_ids": [action.id for action in loaded.classes],
        "num_frames": cfg.DATA.NUM_FRAMES,
        "image_size": cfg.DATA.TEST_CROP_SIZE,
        "image_mean": mean,
        "image_std": std,
        "version": told.__version__,
        "checkpoint": {"file": loaded.weights.name, "sha256": told.sha256_of(weight_path(loaded.weights))},
        "cfg": without_folders(cfg).dump(),
    }


def without_folders(cfg: CfgNode) -> CfgNode:
    """A copy for others: of every absolute path the name is left, so that nothing of the machine is told."""
    copy = cfg.clone()
    copy.defrost()
    for section in (copy, *(value for value in copy.values() if isinstance(value, CfgNode))):
        for key, value in section.items():
            if isinstance(value, str):
                section[key] = _name_only(value)
            elif isinstance(value, list | tuple):
                section[key] = type(value)(_name_only(one) if isinstance(one, str) else one for one in value)
    return copy


def _name_only(value: str) -> str:
    return Path(value).name if Path(value).is_absolute() else value


def write_hub(loaded: Loaded, out: Path, *, half: bool = False, card: CardText | None = None) -> tuple[Path, ...]:
    """Write the folder; the SHA-256 of the weights is in config.json and in the card, and whoever loads them checks it.

    half: numbers as float16, half the size; the network is still computed in float32 where it is loaded

    Raises ValueError for metrics of other weights, and for numbers that float16 does not hold.
    """
    files = hub_files(out, card=card is not None)
    state = {name: tensor.contiguous().cpu() for name, tensor in loaded.model.state_dict().items()}
    if card is not None and card.metrics is not None:
        _refuse_metrics_of_others(card.metrics, state)
    if half:
        state = {name: _halved(name, tensor) for name, tensor in state.items()}
    config = hub_config(loaded)
    metadata = {
        "format": "pt",
        "cfg": config["cfg"],
        "class_names": json.dumps([action.name for action in loaded.classes]),
        "class_ids": json.dumps(config["class_ids"]),
    }
    files[0].parent.mkdir(parents=True, exist_ok=True)
    with whole_file(files[0], failures=(OSError, SafetensorError)) as temporary:
        save_file(state, temporary, metadata=metadata)
        config |= {"torch_dtype": "float16" if half else "float32", "sha256": told.sha256_of(temporary)}
        if card is not None:
            size = Path(temporary).stat().st_size
            write_text(_card(loaded, card, config, size, sum(t.numel() for t in state.values())), files[2])
        write_text(json.dumps(config, indent=2) + "\n", files[1])
    return files


def _halved(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    halved = tensor.half()
    if not torch.isfinite(halved).all():
        raise ValueError(
            f"{name} has numbers up to {float(tensor.abs().max()):.3g}, more than float16 holds; leave --half"
        )
    return halved


def _refuse_metrics_of_others(metrics: dict[str, Any], state: dict[str, Tensor]) -> None:
    said, found = metrics["run"]["weights"]["state_sha256"], state_sha256(state)
    if said != found:
        raise ValueError(
            f"--metrics: they are of other weights ({said[:12]} where --weights has {found[:12]}); test these weights and "
            "give the metrics.json of that test"
        )


def _card(loaded: Loaded, card: CardText, config: dict[str, Any], size: int, numbers: int) -> str:
    """YAML that hubs read, what people wrote, and what is known of the file."""
    kind = "object-detection" if loaded.task == "Localization" else "video-classification"
    lines = [
        *("---", "library_name: bmvit", f"pipeline_tag: {kind}", f"sha256: {config['sha256']}", "---", ""),
        *(card.text.strip(), "", "## The file", ""),
        f"`model.safetensors`, {size / 1e6:.1f} MB, {numbers / 1e6:.2f} M numbers in {config['torch_dtype']}, SHA-256 "
        f"`{config['sha256']}`. It was written from `{loaded.weights.name}` (SHA-256 "
        f"`{config['checkpoint']['sha256']}`) by version {config['version']}. `config.json` holds its classes and the "
        "whole configuration of its training.",
    ]
    if card.metrics is not None:
        run = card.metrics["run"]
        lines += [
            "",
            "## Test",
            "",
            f"On {run['dataset']}, {run['date'][:10]}, before numbers were rounded for this file:",
            "",
        ]
        lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in _told(card.metrics))]
    return "\n".join(lines) + "\n"


def _told(metrics: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and numbers for the table: what is one number or one text, and that of the video-mAP."""
    for name, value in metrics.items():
        if name == "video_mAP" and isinstance(value, dict):
            yield from _told({key: one for key, one in value.items() if key not in metrics})
        elif name not in _NOT_SHOWN and isinstance(value, str | int | float):
            yield name, format(value, ".4f") if isinstance(value, float) else str(value)
