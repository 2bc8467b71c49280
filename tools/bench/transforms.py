"""The transforms of a training clip whose pixels are cached: what a loader worker spends, and what moved to the device.

"before" changes colours in the worker, frame by frame in uint8, as torchvision does it, and torch copies pixels to planes;
"planes by torch" is without the colours; "now" draws three numbers in their place, and OpenCV makes the planes. The rest of
the clip is the same code in all.
"""

import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from bench.timing import Timing, interleaved
from torchvision.transforms.v2 import functional as F

from slowfast.config import load_cfg
from slowfast.datasets.augment.colours import ClipColours, ColourFactors
from slowfast.datasets.build import build_preset
from slowfast.datasets.clips.collate import collate
from slowfast.datasets.clips.planes import to_planes
from slowfast.datasets.clips.presets import DetectionPreset, Input
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.clip import ClipMeta, ClipSample
from slowfast.utils.files import write_loose

CACHED = {"AVA": (256, 456)}  # height and width of a cached frame; JHMDB's are as they are
OTHERS = (240, 320)
CLIPS = 8
BOXES = np.array([[0.2, 0.2, 0.5, 0.9], [0.5, 0.3, 0.7, 0.8]], dtype=np.float32)


def cached_frames(path: Path, size: tuple[int, int], frames: int) -> np.ndarray:
    """(frames, H, W, 3) uint8, mapped from a file as the cache maps them: a texture that moves."""
    height, width = size
    small = np.random.default_rng(0).integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    picture = np.kron(small, np.ones((32, 32, 1), dtype=np.uint8))
    content = io.BytesIO()
    np.save(content, np.stack([picture[n : n + height, 2 * n : 2 * n + width] for n in range(frames)]))
    write_loose(content.getvalue(), path)
    mapped: np.ndarray = np.load(path, mmap_mode="r")
    return mapped


def coloured_by_the_worker(clip: torch.Tensor, factors: ColourFactors) -> torch.Tensor:
    """(3, T, H, W) uint8 -> the same, one frame after the other: rounded three times, contrast about each frame's mean."""
    frames = F.adjust_brightness(clip.transpose(0, 1), factors.brightness)
    frames = F.adjust_contrast(frames, factors.contrast)
    return F.adjust_saturation(frames, factors.saturation).transpose(0, 1).contiguous()


def make(preset: DetectionPreset, frames: np.ndarray, seed: int) -> Input:
    """A clip as the data set makes it, its pixels read from the cache."""
    indices = np.arange(len(frames)) // 2 * 2 % len(frames)
    actions = np.eye(2, dtype=np.float32)
    return preset(np.asarray(frames[indices]), BOXES, actions, torch.Generator().manual_seed(seed))


def collated(made: Sequence[Input]) -> object:
    metas = [ClipMeta("v", k, m.region) for k, m in enumerate(made)]
    samples = [
        ClipSample(m.clip, m.boxes, m.actions, meta, m.flipped, m.colours) for m, meta in zip(made, metas, strict=True)
    ]
    return collate(samples, blank_size=(1, 1, 1), num_classes=2)


def planes_by_torch(frames: np.ndarray) -> torch.Tensor:
    """As `to_planes`."""
    return torch.from_numpy(frames).permute(3, 0, 1, 2).contiguous()


def now(preset: DetectionPreset, frames: np.ndarray) -> None:
    collated([make(preset, frames, seed) for seed in range(CLIPS)])


def planes(preset: DetectionPreset, frames: np.ndarray) -> None:
    with patch("slowfast.datasets.clips.presets.to_planes", planes_by_torch):
        now(preset, frames)


def before(preset: DetectionPreset, frames: np.ndarray) -> None:
    with patch("slowfast.datasets.clips.presets.to_planes", planes_by_torch):
        made = [make(preset, frames, seed) for seed in range(CLIPS)]
    collated([replace(m, clip=coloured_by_the_worker(m.clip, m.colours), colours=None) for m in made if m.colours])


def without(preset: DetectionPreset, frames: np.ndarray) -> None:
    """What is left where colours stay as they are: the floor of "now"."""
    assert preset.augmentation is not None
    plain = DetectionPreset(
        size=preset.size, keep_aspect=preset.keep_aspect, augmentation=replace(preset.augmentation, colour=0.0)
    )
    now(plain, frames)


def on_the_device(clips: torch.Tensor, change: ClipColours) -> None:
    change(clips)


def check(preset: DetectionPreset, frames: np.ndarray) -> str:
    """Planes are the same bit for bit. Colours, on a clip that stands still, where each frame's mean is the clip's, differ
    by the rounding alone."""
    assert torch.equal(to_planes(np.asarray(frames)), planes_by_torch(np.array(frames)))
    still = np.repeat(frames[:1], 4, axis=0)
    worst = 0.0
    for seed in range(CLIPS):
        made = make(preset, still, seed)
        assert made.colours is not None
        old = coloured_by_the_worker(made.clip, made.colours).float()
        change = ClipColours.of([made.colours], [(made.clip.shape[-2], made.clip.shape[-1])])
        assert change is not None
        worst = max(worst, (change(made.clip[None].float())[0] - old).abs().max().item())
    if worst > 5:
        raise AssertionError(f"the two ways differ by {worst:.2f} of 255")
    return (
        f"checked: {CLIPS} still clips differ by at most {worst:.2f} of 255 levels, which is the rounding between steps"
    )


def main(configs: Sequence[str], overrides: Sequence[str], *, repeats: int) -> dict[str, dict[str, Timing]]:
    torch.set_num_threads(1)
    found = {}
    for path in configs:
        cfg = load_cfg(path, overrides)
        if not cfg.DATA.COLOR_JITTER:
            raise ValueError(f"{path} changes no colours: DATA.COLOR_JITTER is 0")
        size = CACHED.get(Path(path).parent.name, OTHERS)
        preset = build_preset(cfg, "train", LabelMap((1, 2), ("a", "b")))
        with tempfile.TemporaryDirectory() as folder:
            frames = cached_frames(Path(folder) / "v.npy", size, cfg.DATA.NUM_FRAMES)
            print(f"{Path(path).name}: {cfg.DATA.NUM_FRAMES} cached frames of {size[0]} x {size[1]}")
            print(check(preset, frames))
            found[path] = _timed(preset, frames, repeats)
    return found


def _timed(preset: DetectionPreset, frames: np.ndarray, repeats: int) -> dict[str, Timing]:
    made = make(preset, frames, 0)
    assert made.colours is not None
    change = ClipColours.of([made.colours] * CLIPS, [(made.clip.shape[-2], made.clip.shape[-1])] * CLIPS)
    assert change is not None
    batch = made.clip.float().expand(CLIPS, *made.clip.shape).contiguous()
    cases: dict[str, Callable[[], object]] = {
        "worker, before": partial(before, preset, frames),
        "worker, planes by torch": partial(planes, preset, frames),
        "worker, now": partial(now, preset, frames),
        "worker, no colours": partial(without, preset, frames),
        "colours on this CPU as device": partial(on_the_device, batch, change),
    }
    timings = interleaved(cases, repeats=repeats, device=torch.device("cpu"))
    old = timings["worker, before"].cpu_median
    for name, timing in timings.items():
        print(f"{name:<30}{1000 * timing.cpu_median / CLIPS:>8.2f} cpu ms a clip{old / timing.cpu_median:>8.2f}x")
    return timings
