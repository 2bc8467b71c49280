"""Loading the training clips of a classifier: ours, decoding alone, and the usual route, in one process and one run.

The usual route is what PySlowFast and its like do: decode every frame of the video, apply RandAugment to each frame of
each clip as a Pillow image, and do the rest on float tensors of the whole clip. It is given our draws, so both routes do
the same work, and its clips are compared with ours before anything is timed.
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from bench.timing import Timing, interleaved
from fvcore.common.config import CfgNode
from PIL import Image, ImageEnhance, ImageOps

from slowfast.config import load_cfg
from slowfast.datasets.augment.classification_preset import LabelPreset
from slowfast.datasets.augment.draws import GeneratorDraws
from slowfast.datasets.augment.erasing import draw_rectangle
from slowfast.datasets.augment.resized_crop import random_resized_box
from slowfast.datasets.build import build_clip_sampling, build_label_preset
from slowfast.datasets.clips.labelled_clips import LabelledClips
from slowfast.datasets.split import VideoSplit
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.utils.seed import generator_for
from slowfast.video.reader import VideoFiles, read_all
from slowfast.video.writing.writer import write_video

SECONDS, FPS, SIZE = 10, 30, (256, 340)  # a video of Kinetics after the usual preparation
GOP = 250  # x264's default, as in Kinetics: the worst case for seeking
STEPS = (0.1, 0.25, 0.5, 1.0)


def write_videos(folder: Path, count: int) -> None:
    """Videos of moving textures, as long and large as those of Kinetics."""
    height, width = SIZE
    for number in range(count):
        texture = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        picture = np.asarray(Image.fromarray(texture).resize((2 * width, 2 * height), Image.Resampling.BICUBIC))
        places = [(t % height, (2 * t + 7 * number) % width) for t in range(SECONDS * FPS)]
        frames = (picture[y : y + height, x : x + width] for y, x in places)
        write_video(frames, folder / f"{number}.mp4", FPS, crf=23, gop=GOP)


@dataclass(frozen=True)
class Loading:
    """What is timed: the clips of a recipe, from videos of a folder."""

    cfg: CfgNode
    folder: Path

    def split(self) -> VideoSplit:
        names = tuple(sorted(path.name for path in self.folder.iterdir()))
        videos = LabelledVideos(names, np.zeros(len(names), dtype=np.int64), ("a", "b"))
        return VideoSplit(videos, VideoFiles(self.folder, threads=1))

    def clips(self) -> LabelledClips:
        split, a = self.split(), self.cfg.AUG
        return LabelledClips(
            split.videos,
            split.pixels,
            sampling=build_clip_sampling(self.cfg, split),
            preset=build_label_preset(self.cfg, split),
            repeats=a.NUM_SAMPLE,
            sample_once=a.SAMPLE_ONCE,
        )


def usual_route(clips: LabelledClips, path: Path, index: int, cfg: CfgNode) -> list[torch.Tensor]:
    """The clips of a video, each (3, T, size, size) float normalised, not mirrored and not erased before the end."""
    frames, _ = read_all(path, threads=1)
    length = clips.pixels.length(path.name)
    positions, _ = clips.sampling.train(length, _time_draws(clips, index))
    made = []
    for repeat in range(clips.repeats):
        generator = generator_for(clips.seed, 0, index, repeat)
        pictures = _augmented(frames[positions], clips.preset, generator)
        made.append(_as_floats(pictures, clips.preset, generator, cfg))
    return made


def _time_draws(clips: LabelledClips, index: int) -> GeneratorDraws:
    draws = GeneratorDraws(generator_for(clips.seed, 0, index, 0, 1))
    draws.uniform(0, 1)  # the jitter of the rate, which comes first
    return draws


def _augmented(frames: np.ndarray, preset: LabelPreset, generator: torch.Generator) -> np.ndarray:
    """RandAugment frame by frame."""
    pictures = [Image.fromarray(frame) for frame in frames]
    if preset.rand_augment is not None:
        for name, argument in preset.rand_augment.draw(generator):
            pictures = [with_pillow(picture, name.removesuffix("Increasing"), argument) for picture in pictures]
    return np.stack([np.asarray(picture) for picture in pictures])


def with_pillow(picture: Image.Image, name: str, argument: float | None) -> Image.Image:
    """One operation on one frame, as libraries of augmentation call Pillow."""
    enhancers = {
        "Color": ImageEnhance.Color,
        "Contrast": ImageEnhance.Contrast,
        "Brightness": ImageEnhance.Brightness,
        "Sharpness": ImageEnhance.Sharpness,
    }
    plain: dict[str, Callable[[Image.Image], Image.Image]] = {
        "AutoContrast": ImageOps.autocontrast,
        "Equalize": ImageOps.equalize,
        "Invert": ImageOps.invert,
    }
    if name in plain:
        return plain[name](picture)
    assert argument is not None
    if name in enhancers:
        return enhancers[name](picture).enhance(argument)
    if name == "Posterize":
        return ImageOps.posterize(picture, int(argument)) if argument else picture.point(lambda _: 0)
    if name == "Solarize":
        return ImageOps.solarize(picture, int(argument))
    if name == "SolarizeAdd":
        return picture.point([min(255, i + int(argument)) if i < 128 else i for i in range(256)] * 3)
    width, height = picture.size
    moves = {
        "ShearX": (1, argument, 0, 0, 1, 0),
        "ShearY": (1, 0, 0, argument, 1, 0),
        "TranslateXRel": (1, 0, argument * width, 0, 1, 0),
        "TranslateYRel": (1, 0, 0, 0, 1, argument * height),
    }
    if name == "Rotate":
        return picture.rotate(argument, resample=Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))
    return picture.transform(
        picture.size, Image.Transform.AFFINE, moves[name], Image.Resampling.BICUBIC, fillcolor=(128, 128, 128)
    )


def _as_floats(frames: np.ndarray, preset: LabelPreset, generator: torch.Generator, cfg: CfgNode) -> torch.Tensor:
    """Normalise the whole clip, then crop, resize, mirror and erase it."""
    aug = preset.augmentation
    assert aug is not None
    clip = torch.from_numpy(frames).float().div(255)
    clip = (clip - torch.tensor(cfg.DATA.MEAN)) / torch.tensor(cfg.DATA.STD)
    clip = clip.permute(0, 3, 1, 2)
    box = random_resized_box(*clip.shape[2:], area=aug.area, aspect=aug.aspect, generator=generator)
    part = clip[:, :, box.top : box.top + box.height, box.left : box.left + box.width]
    clip = F.interpolate(part, size=(preset.size, preset.size), mode="bilinear", align_corners=False)
    if torch.rand((), generator=generator).item() < 0.5 and aug.flip:
        clip = clip.flip(-1)
    rectangle = draw_rectangle(preset.size, preset.size, aug.erase_probability, generator)
    if rectangle is not None:
        y0, y1, x0, x1 = rectangle
        clip[..., y0:y1, x0:x1] = torch.randn(clip[..., y0:y1, x0:x1].shape)
    return clip.transpose(0, 1).contiguous()


def check(loading: Loading) -> str:
    """Both routes give the same clips, up to the rounding of pixels, where nothing is erased."""
    clips, folder = loading.clips(), loading.folder
    mean, std = (torch.tensor(value).view(3, 1, 1, 1) for value in (loading.cfg.DATA.MEAN, loading.cfg.DATA.STD))
    worst, compared = 0.0, 0
    for index, name in enumerate(clips.videos.names):
        usual = usual_route(clips, folder / name, index, loading.cfg)
        for ours, theirs in zip(clips[index, 0].inputs, usual, strict=True):  # type: ignore[union-attr]  # all are read
            if ours.rectangles.any():
                continue
            clip = ours.clip.flip(-1) if ours.flipped else ours.clip
            levels = (theirs * std + mean) * 255
            worst, compared = max(worst, (clip - levels).abs().mean().item()), compared + 1
    if not compared or worst > 1.0:
        raise AssertionError(f"the clips of the two routes differ by {worst:.2f} of 255 on average")
    return f"checked: {compared} clips of both routes differ by at most {worst:.2f} of 255 on average"


def cases(loading: Loading) -> dict[str, Callable[[], object]]:
    clips, folder = loading.clips(), loading.folder
    names, sampling = clips.videos.names, clips.sampling

    def positions(index: int) -> np.ndarray:
        return sampling.train(clips.pixels.length(names[index]), _time_draws(clips, index))[0]

    def ours() -> None:
        for index in range(len(names)):
            clips[index, 0]

    def usual() -> None:
        for index, name in enumerate(names):
            usual_route(clips, folder / name, index, loading.cfg)

    def decoded() -> None:
        for index, name in enumerate(names):
            clips.pixels.read_positions(name, np.unique(positions(index)), short_side=clips.preset.short_side)

    def all_decoded() -> None:
        for name in names:
            read_all(folder / name, threads=1)

    return {"usual route": usual, "ours": ours, "our decoding alone": decoded, "decoding all frames": all_decoded}


def main(
    config: str, overrides: Sequence[str], *, videos: int, repeats: int, folder: Path | None = None
) -> dict[str, Timing]:
    """folder: of real videos; else some are made."""
    cfg = load_cfg(config, overrides)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            write_videos(Path(made), videos)
        loading = Loading(cfg, folder or Path(made))
        print(check(loading))
        timings = interleaved(cases(loading), repeats=repeats, device=torch.device("cpu"))
        count = len(loading.split().videos.names)
    print_rates(timings, clips=count * cfg.AUG.NUM_SAMPLE, cfg=cfg)
    return timings


def print_rates(timings: dict[str, Timing], *, clips: int, cfg: CfgNode) -> None:
    """Clips a second of one process, where ours goes, and how many workers a step of a GPU needs."""
    usual, ours, decoding = (timings[name] for name in ("usual route", "ours", "our decoding alone"))
    for name, timing in timings.items():
        ratio = usual.cpu_median / timing.cpu_median
        print(
            f"{name:<22}{clips / timing.median:>8.2f} clips/s{timing.cpu_median / clips:>9.4f} cpu s a clip{ratio:>7.2f}x"
        )
    share = decoding.cpu_median / ours.cpu_median
    print(f"ours: {share:.0%} decoding, {1 - share:.0%} RandAugment, crop and resize")
    batch = cfg.TRAIN.BATCH_SIZE * cfg.AUG.NUM_SAMPLE
    needed = ", ".join(f"{math.ceil(batch * ours.cpu_median / clips / step)} for {step:g} s" for step in STEPS)
    print(f"workers, each with a core of its own, for a step of {batch} clips: {needed}")
