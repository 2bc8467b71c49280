"""A whole detector on a stream, frame by frame: how many key frames a second, in PyTorch and in ONNX Runtime.

Whole is from the file on: decoding, resizing, the network, and people with their boxes and actions. A clip goes in alone,
as it does where the source is live.
"""

import importlib.util
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from bench.detector import Setup
from bench.prediction import Stopwatch, WatchedDetector, write_texture
from bench.runtimes import checkpoint_of
from bench.timing import Timing, interleaved, print_timings

from slowfast.inference.build import Loaded, load_model
from slowfast.inference.detector import ActionDetector
from slowfast.inference.export.build import in_float32, load_onnx
from slowfast.inference.export.write import write_export
from slowfast.inference.streams.frame_reuse import reuses_frames
from slowfast.structures.outputs.moment import Moment
from slowfast.utils.processes.memory import keep_freed_memory
from slowfast.video.stream import FileSource

EAGER, ONNX = "eager", "onnx"
GOAL = 15.0  # key frames a second
_AGREEMENT = 1e-4  # of boxes and probabilities


def main(setup: Setup, *, weights: Path | None, video: Path | None, seconds: float, every: float, repeats: int) -> None:
    """Print the numbers of frames seen once against those of whole clips, then speeds of both, and shares of the first."""
    keep_freed_memory()  # as tools/predict.py does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if video is None:
            video = folder / "texture.mp4"
            write_texture(video, seconds)
        loaded = in_float32(load_model(weights or checkpoint_of(setup, folder), device="cpu"))
        if not reuses_frames(loaded.model):
            network = loaded.cfg.MODEL.BACKBONE
            raise SystemExit(f"benchmark.py realtime is for backbones that see single frames, not for {network}")
        models = {EAGER: loaded} | _exported(loaded, folder)
        _measure(models, video, every, repeats)


def _exported(loaded: Loaded, folder: Path) -> dict[str, Loaded]:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"onnx: left out, {missing[0]} is not installed (the extra `export`)")
        return {}
    file = folder / "detector.onnx"
    write_export(loaded, "onnx", file, by_frame=True)
    return {ONNX: load_onnx(file, threads=torch.get_num_threads())}


def _measure(models: dict[str, Loaded], video: Path, every: float, repeats: int) -> None:
    cases: dict[str, Callable[[], object]] = {}
    found, once = {}, {}
    for name, loaded in models.items():
        whole, once[name] = ActionDetector(loaded, batch=1), ActionDetector(loaded, batch=1)
        whole._reuse = None
        for way, detector in (("whole clips", whole), ("frames once", once[name])):
            cases[f"{name}, {way}"] = partial(_moments, detector, video, every)
            found[f"{name}, {way}"] = _moments(detector, video, every)
    key_frames = len(found[f"{EAGER}, whole clips"])
    clips = once[EAGER].clips(FileSource(video), every=every)
    assert sum(1 for _ in clips) == key_frames
    reuse = once[EAGER]._reuse
    assert reuse is not None
    print(f"{video.name}: {clips.frames_read} frames, {clips.seconds_read:g} s; {key_frames} key frames, one every {every:.4g} s; "
          f"{reuse.computed} of the {reuse.asked} frames that clips show go through the image network")  # fmt: skip
    for name in models:
        _check(f"{name}, frames once", found, f"{name}, whole clips")
    if ONNX in models:
        _check(f"{ONNX}, frames once", found, f"{EAGER}, whole clips")
    timings = interleaved(cases, repeats=repeats, device=torch.device("cpu"))
    print_timings(timings, baseline=f"{EAGER}, whole clips", clips=key_frames)
    for name, timing in timings.items():
        _print_speed(name, timing, key_frames, clips.frames_read)
    for name, loaded in models.items():
        _print_shares(name, loaded, video, every)


def _moments(detector: ActionDetector, video: Path, every: float) -> list[Moment]:
    return list(detector.stream(FileSource(video, threads=torch.get_num_threads()), every=every))


def _numbers(moments: list[Moment]) -> np.ndarray:
    """(people, 5 + classes): box, score, actions by id."""
    people = [one for moment in moments for one in moment.people]
    return np.array([[*p.box, p.score, *(a.score for a in sorted(p.actions, key=lambda a: a.id))] for p in people])


def _check(name: str, found: dict[str, list[Moment]], against: str) -> None:
    """People whose score is at the threshold may be found by one and not by the other: of these the count is told."""
    both = zip(found[name], found[against], strict=True)
    pairs = [pair for pair in both if len(pair[0].people) == len(pair[1].people)]
    ours, theirs = (_numbers([pair[side] for pair in pairs]) for side in (0, 1))
    worst = float(np.abs(ours - theirs).max()) if len(ours) else 0.0
    others = len(found[name]) - len(pairs)
    print(f"checked: {name} against {against}: {worst:.1e} at most, {len(ours)} people"
          + (f"; on {others} key frames another number of people" if others else ""))  # fmt: skip
    if not worst < _AGREEMENT:
        raise RuntimeError(f"{name} differs by more than {_AGREEMENT}; speeds of different numbers mean nothing")


def _print_speed(name: str, timing: Timing, key_frames: int, frames: int) -> None:
    wall, cpu = timing.median, timing.cpu_median
    print(f"{name}: {key_frames / wall:.1f} key frames/s, {frames / wall:.0f} frames/s of video by the clock; "
          f"{1e3 * cpu / key_frames:.1f} ms of CPU time a key frame, {key_frames / cpu:.1f} a CPU second; goal {GOAL:g}")  # fmt: skip


def _print_shares(name: str, loaded: Loaded, video: Path, every: float) -> None:
    watched = WatchedDetector(loaded, batch=1)
    reuse = watched._reuse
    assert reuse is not None
    reuse._features_of = watched._inside("image network", reuse._features_of)
    watched.watch_network()
    watch = WatchedDetector.watch = Stopwatch()
    moments = list(watched.stream(FileSource(video), every=every))
    total = sum(watch.seconds.values())
    parts = sorted(watch.seconds.items(), key=lambda item: -item[1])
    print(f"{name}, frames once, {1e3 * total / len(moments):.1f} ms a key frame: "
          + ", ".join(f"{part} {1e3 * seconds / len(moments):.1f}" for part, seconds in parts))  # fmt: skip
