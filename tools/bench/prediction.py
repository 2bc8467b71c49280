"""Prediction on a file against decoding and the forward pass alone, in one process and one run; and what clips share.

`predict` here is what `tools/predict.py --no-video` does with one video: it reads, finds, and leaves lines, table and
page. Its parts are told in CPU time, each without those inside it.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench.timing import Timing, interleaved, print_timings
from PIL import Image

from slowfast.config import load_cfg
from slowfast.inference.choose import Choice
from slowfast.inference.detector import ActionDetector
from slowfast.inference.predict import Options, check_options, predict
from slowfast.inference.streams.clip_stream import ClipStream, SkippedMoment, StreamedClip
from slowfast.inference.streams.sources import Job
from slowfast.models.build import build_model
from slowfast.structures.outputs.moment import Moment
from slowfast.utils.files import open_whole, write_text
from slowfast.utils.processes.memory import keep_freed_memory
from slowfast.video.stream import FileSource, Source, TimedFrame
from slowfast.video.writing.writer import write_video

FPS, SIZE, GOP = 30, (360, 640), 250  # of the video that is made
GOAL = 1.10


def write_texture(path: Path, seconds: float) -> None:
    """A video of a moving texture."""
    height, width = SIZE
    texture = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(texture).resize((2 * width, 2 * height), Image.Resampling.BICUBIC))
    places = ((t % height, (2 * t) % width) for t in range(round(seconds * FPS)))
    write_video((picture[y : y + height, x : x + width] for y, x in places), path, FPS, crf=23, gop=GOP)


class Stopwatch:
    """CPU seconds of named parts of a run; the time of a part that is inside another counts for the inner one alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = time.process_time()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        """What passed since the last change belongs to the part that is innermost now."""
        now = time.process_time()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now

    def iterate(self, name: str, items: Iterator[Any]) -> Iterator[Any]:
        """The items, with the time that each takes to come as a part."""
        while True:
            with self.part(name):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


@dataclass
class WatchedSource:
    """A file whose decoding and conversion are parts of `watch`."""

    source: FileSource
    watch: Stopwatch

    name = property(lambda self: self.source.name)
    frame_seconds = property(lambda self: self.source.frame_seconds)
    last_duration = property(lambda self: self.source.last_duration)
    damaged = property(lambda self: self.source.damaged)

    def frames(self) -> Iterator[TimedFrame]:
        for frame in self.watch.iterate("decode", self.source.frames()):
            yield TimedFrame(frame.time, partial(self._picture, frame), frame.pixel_aspect)

    def _picture(self, frame: TimedFrame) -> np.ndarray:
        with self.watch.part("convert and resize"):
            return frame.picture()


class WatchedDetector(ActionDetector):
    """A detector whose work is parts of `watch`."""

    watch = Stopwatch()

    def clips(self, source: str | Path | Source, *, every: float = 1.0) -> ClipStream:
        """Of a source that is watched."""
        assert isinstance(source, FileSource)
        source.threads = torch.get_num_threads()
        watched = super().clips(WatchedSource(source, self.watch), every=every)
        watched._prepare = self._inside("convert and resize", watched._prepare)
        return watched

    def moments(
        self, clips: Iterable[StreamedClip | SkippedMoment], choice: Choice, **options: Any
    ) -> Iterator[Moment]:
        """As they come; around all parts but the output."""
        return self.watch.iterate("choose frames", super().moments(clips, choice, **options))

    def watch_network(self) -> None:
        """From now on. The batch that goes into it and what is made of its output are another part."""
        self._moments_of = self._inside("batch and post-processing", self._moments_of)  # type: ignore[method-assign]
        self.loaded.model.forward = self._inside("forward", self.loaded.model.forward)
        if self._reuse is not None:  # it computes frames and clips apart, without that call
            self._reuse = self._inside("forward", self._reuse)  # type: ignore[assignment]

    def _inside(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with self.watch.part(name):
                return function(*arguments, **options)

        return call


def make_detector(kind: type[ActionDetector], cfg_path: str, changes: list[str], weights: Path | None, folder: Path,
                  device: str, batch: int) -> ActionDetector:  # fmt: skip
    """With the weights of a file, or random ones: the time does not depend on them, but for how many people are found."""
    cfg = load_cfg(cfg_path, changes)
    labels = None
    if weights is None:
        weights, labels = folder / "random.pyth", folder / "classes.txt"
        torch.manual_seed(0)
        with open_whole(weights, "wb") as file:
            torch.save(build_model(cfg).state_dict(), file)
        write_text("".join(f"class {i}\n" for i in range(1, cfg.MODEL.NUM_CLASSES + 1)), labels)
    return kind.from_checkpoint(weights, cfg=cfg, labels=labels, device=device, batch=batch)


def main(
    cfg_path: str, changes: list[str], *, weights: Path | None, video: Path | None, seconds: float, every: float,
    batch: int, repeats: int, device: torch.device,
) -> None:  # fmt: skip
    """Print prediction against its parts alone, shares, speed, and what clips share."""
    keep_freed_memory()  # as tools/predict.py does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if video is None:
            video = folder / "texture.mp4"
            write_texture(video, seconds)
        arguments = (cfg_path, changes, weights, folder, str(device), batch)
        detector = make_detector(ActionDetector, *arguments)
        options = check_options(detector, Options(every=every, video=False))
        job = Job(video, folder / "out" / "result")
        read, shapes = _read(detector, video, every)
        timings = interleaved(
            {
                "decode alone": partial(_decode, video),
                "forward alone": partial(_forward, detector, shapes, batch),
                "stream": partial(_stream, detector, video, every, options.score or 0.0),
                "predict": partial(predict, detector, job, options),
            },
            repeats=repeats,
            device=device,
        )
        print(f"{video.name}: {read.frames_read} frames, {read.seconds_read:g} s; {len(shapes)} clips of "
              f"{tuple(shapes[0])}, a key frame every {every:g} s")  # fmt: skip
        _print_overhead(timings, read, clips=len(shapes))
        watched = make_detector(WatchedDetector, *arguments)
        assert isinstance(watched, WatchedDetector)
        watched.watch_network()
        _print_shares(watched, job, options)
        _print_reuse(detector, video, every, device, repeats)


def _read(detector: ActionDetector, video: Path, every: float) -> tuple[ClipStream, list[torch.Size]]:
    clips = detector.clips(FileSource(video), every=every)
    return clips, [clip.clip.shape for clip in clips if isinstance(clip, StreamedClip)]


def _decode(video: Path) -> int:
    return sum(1 for _ in FileSource(video, threads=torch.get_num_threads()).frames())


@torch.no_grad()
def _forward(detector: ActionDetector, shapes: list[torch.Size], batch: int) -> None:
    """The network on as many clips, in batches of the same size."""
    inputs = detector.loaded.inputs
    for start in range(0, len(shapes), batch):
        clips = torch.zeros(len(shapes[start : start + batch]), *shapes[0], device=inputs.device)
        with inputs.precision.autocast(inputs.device):
            detector.loaded.model(clips)


def _stream(detector: ActionDetector, video: Path, every: float, score: float) -> int:
    source = FileSource(video, threads=torch.get_num_threads())
    return sum(len(moment.people) for moment in detector.stream(source, every=every, score=score))


def _print_overhead(timings: dict[str, Timing], read: ClipStream, *, clips: int) -> None:
    print_timings(timings, baseline="predict", clips=clips)
    alone = timings["decode alone"], timings["forward alone"]
    for name in ("stream", "predict"):
        wall = timings[name].median / sum(part.median for part in alone)
        cpu = timings[name].cpu_median / sum(part.cpu_median for part in alone)
        goal = f"; goal {GOAL:.2f}" if name == "predict" else ""
        print(f"{name} over decode + forward alone: {cpu:.3f} in CPU time, {wall:.3f} in wall time{goal}")
    took = timings["predict"].median
    print(f"speed of predict: {read.frames_read / took:.1f} frames/s, {read.seconds_read / took:.2f} x real time")


def _print_shares(detector: WatchedDetector, job: Job, options: Options) -> None:
    predict(detector, job, options)  # warms up
    watch = detector.watch = Stopwatch()
    with watch.part("output"):
        predict(detector, job, options)
    total = sum(watch.seconds.values())
    shares = sorted(watch.seconds.items(), key=lambda item: -item[1])
    alone = watch.seconds["decode"] + watch.seconds["forward"]
    print(
        f"predict over the decode + forward that are in it: {total / alone:.3f}, which neighbours on the machine slow alike"
    )
    print("shares of predict in CPU time: " + ", ".join(f"{name} {seconds / total:.1%}" for name, seconds in shares))


def _print_reuse(detector: ActionDetector, video: Path, every: float, device: torch.device, repeats: int) -> None:
    """What of a clip an earlier one has left: frames, features of frames, or tokens of the patch embedding."""
    known: set[int] = set()
    alive, fresh, asked = [], 0, 0  # alive: so that no id comes twice
    for clip in detector.clips(FileSource(video), every=every):
        shown = clip.shown if isinstance(clip, StreamedClip) else ()
        alive.append(shown)
        asked += len(shown)
        fresh += len({id(frame) for frame in shown} - known)
        known |= {id(frame) for frame in shown}
    print(f"frames: {fresh} of the {asked} that clips show are converted and resized, {fresh / asked:.0%}")
    if detector._reuse is not None:
        _print_frame_features(detector, video, every, device, repeats)
    elif hasattr(getattr(detector.loaded.model, "backbone", None), "patch_embed"):
        _print_patch_embedding(detector, alive[len(alive) // 2][:1], device, repeats, len(alive[0]))


def _print_frame_features(
    detector: ActionDetector, video: Path, every: float, device: torch.device, repeats: int
) -> None:
    reuse = detector._reuse
    assert reuse is not None
    clips = [clip for clip in detector.clips(FileSource(video), every=every) if isinstance(clip, StreamedClip)]
    kept = {id(frame): frame for clip in clips for frame in clip.shown}

    def one_by_one(forget: bool) -> None:
        for frame in kept.values():
            frame.features = None
        for clip in clips:
            reuse([clip])
            for frame in clip.shown if forget else ():
                frame.features = None

    timings = interleaved(
        {"whole clips": partial(one_by_one, True), "new frames only": partial(one_by_one, False)},
        repeats=repeats,
        device=device,
    )
    share = timings["new frames only"].cpu_median / timings["whole clips"].cpu_median
    print(f"a new key frame costs {share:.1%} of a whole clip in CPU time; goal 25 %")


def _print_patch_embedding(
    detector: ActionDetector, shown: Any, device: torch.device, repeats: int, num_frames: int
) -> None:
    """Why nothing more is kept: the blocks after the patch embedding see the whole clip."""
    model = detector.loaded.model
    (frame,) = shown
    clips = torch.randn(1, 3, num_frames, *frame.pixels.shape[-2:], device=device)
    patch_embed = model.get_submodule("backbone.patch_embed")

    @torch.no_grad()
    def call(module: torch.nn.Module) -> None:
        module(clips)

    timings = interleaved(
        {"clip": partial(call, model), "patch embedding": partial(call, patch_embed)}, repeats=repeats, device=device
    )
    share = timings["patch embedding"].cpu_median / timings["clip"].cpu_median
    print(f"patch embedding: {share:.1%} of the forward pass in CPU time; all after it attends over the whole clip, so a new "
          f"key frame would cost at least {1 - share:.1%} of a whole clip")  # fmt: skip
