"""Reading clips around random seconds, against a ceiling: what PyAV alone needs to decode the same frames, in one run.

Also frames of folders against `cv2.imread`, what a short side and a short GOP save (bmvit prepare-data), what is saved where
a file is known to be whole (video/decoding/unseen.py), and torchcodec where it is installed.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from bench.timing import Timing, interleaved

from slowfast.preparation.movies.all_movies import prepare_all
from slowfast.preparation.movies.one_movie import Wanted
from slowfast.utils.files import write_loose
from slowfast.video.pictures.frames import FrameFolders
from slowfast.video.pyav import av
from slowfast.video.reader import read_times
from slowfast.video.stored.known_whole import is_known_whole
from slowfast.video.writing.writer import write_video

FPS, SECONDS, CLIPS = 30, 12, 4
SIZES = {"720p, a key frame every 250": ((720, 1280), 250), "256, a key frame every 12": ((256, 456), 12)}
OFFSETS = (np.arange(16) - 8) * 4 / FPS  # 16 frames, 4 apart: AVA's clip of two seconds


def moving(size: tuple[int, int]) -> Iterator[np.ndarray]:
    """A texture that moves, with a little noise of the camera."""
    height, width = size
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    picture = cv2.resize(small, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(0, 6, (height, width, 3), dtype=np.uint8)
    for number in range(SECONDS * FPS):
        y, x = number % height, 2 * number % width
        yield cv2.add(picture[y : y + height, x : x + width], np.roll(noise, 13 * number, axis=1))


def times() -> list[np.ndarray]:
    """(T,) seconds of each clip."""
    return [second + OFFSETS for second in np.random.default_rng(1).uniform(2, SECONDS - 2, CLIPS)]


def ceiling(path: Path, asked: np.ndarray) -> np.ndarray:
    """The same frames by PyAV alone, of a file at a constant rate that is in order: no check, no rule, no error."""
    wanted = np.round(asked * FPS).astype(int)
    last, pictures = int(wanted.max()), {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        ticks = Fraction(1, FPS) / (stream.time_base or Fraction(1, FPS))
        container.seek(int(wanted.min() * ticks), stream=stream)
        converter = av.video.reformatter.VideoReformatter()
        for frame in container.decode(stream):
            number = round((frame.pts or 0) / ticks)
            if number in wanted:
                pictures[number] = converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
            if number >= last:
                break
    return np.stack([pictures[number] for number in wanted.tolist()])


def write_frames(folder: Path, size: tuple[int, int], count: int = 64) -> None:
    (folder / "v").mkdir()
    for number, picture in zip(range(count), moving(size), strict=False):
        _, content = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        write_loose(content.tobytes(), folder / "v" / f"v_{number + 1:06d}.jpg")


def plain_jpegs(folder: Path, numbers: np.ndarray) -> np.ndarray:
    """As scripts read a clip: cv2.imread for each frame and a stack. Channels stay B, G, R: a view reverses them."""
    pictures: list[Any] = [cv2.imread(str(folder / "v" / f"v_{number:06d}.jpg")) for number in numbers.tolist()]
    return np.stack(pictures)[..., ::-1]


def all_clips(read: Callable[[Path, np.ndarray], object], path: Path) -> None:
    for asked in times():
        read(path, asked)


def ours(path: Path, asked: np.ndarray) -> np.ndarray:
    return read_times(path, asked, center=8, threads=1).frames


def our_jpegs(frames: FrameFolders, numbers: np.ndarray) -> np.ndarray:
    return frames.read_frames("v", numbers, center=0).frames


Reader = Callable[[Path, np.ndarray], np.ndarray]


def torchcodec_reader(kept: bool) -> Reader | None:
    """Reads by the number of a frame, exact; None where torchcodec is not installed. kept: the file stays open."""
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, OSError, RuntimeError) as error:  # it, or FFmpeg's libraries, are not there
        print(f"no rows of torchcodec: {str(error).splitlines()[0]}")
        return None
    opened: dict[Path, Any] = {}

    def read(path: Path, asked: np.ndarray) -> np.ndarray:
        video = opened.get(path) or VideoDecoder(str(path), dimension_order="NHWC", num_ffmpeg_threads=1)
        if kept:
            opened[path] = video
        frames: np.ndarray = video.get_frames_at(np.round(asked * FPS).astype(int).tolist()).data.numpy()
        return frames

    return read


def known_whole(path: Path) -> Path:
    """A copy that prepare-data has looked at."""
    folder = path.parent / "known"
    folder.mkdir(exist_ok=True)
    copy = Path(shutil.copy2(path, folder / path.name))
    prepare_all({copy.stem: copy}, folder, Wanted(mode="index", decode=True))
    assert is_known_whole(copy)
    return copy


def video_cases(name: str, path: Path) -> dict[str, Callable[[], object]]:
    """The readers of one video, which give the same pixels."""
    known = known_whole(path)
    readers: dict[str, tuple[Reader, Path]] = {
        "ceiling": (ceiling, path),
        "ours": (ours, path),
        "ours, known whole": (ours, known),
    }
    for kept in (False, True):
        reader = torchcodec_reader(kept)
        if reader is not None:
            readers["torchcodec, kept open" if kept else "torchcodec"] = (reader, path)
    for asked in times()[:2]:
        expected = ceiling(path, asked)
        for read, file in readers.values():
            assert np.array_equal(expected, read(file, asked))
    return {f"{kind}, {name}": partial(all_clips, read, file) for kind, (read, file) in readers.items()}


def cases(root: Path) -> dict[str, Callable[[], object]]:
    """Each reads CLIPS clips; those of a pair are compared first."""
    made: dict[str, Callable[[], object]] = {}
    for name, (size, gop) in SIZES.items():
        path = root / f"{size[0]}.mp4"
        write_video(moving(size), path, FPS, crf=23, gop=gop)
        made |= video_cases(name, path)
    prepare_all({"short": root / "720.mp4"}, root / "short", Wanted(short_side=256, gop=12))
    made["ours, 720p re-encoded to 256, 12"] = partial(all_clips, ours, root / "short" / "short.mp4")
    for size in ((720, 1280), (256, 456)):
        folder = root / f"jpeg{size[0]}"
        folder.mkdir()
        write_frames(folder, size)
        frames, numbers = FrameFolders(folder, fps=FPS), np.arange(1, 62, 4)
        assert np.array_equal(plain_jpegs(folder, numbers), our_jpegs(frames, numbers))
        made[f"cv2.imread, {size[0]}p JPEG"] = partial(plain_jpegs, folder, numbers)
        made[f"ours, {size[0]}p JPEG"] = partial(our_jpegs, frames, numbers)
    return made


RATIOS = (
    *((f"{kind}, {name}", f"ceiling, {name}") for name in SIZES for kind in ("ours", "ours, known whole")),
    *((f"{kind}, {name}", f"ours, {name}") for name in SIZES for kind in ("torchcodec", "torchcodec, kept open")),
    ("ours, 720p, a key frame every 250", "ours, 720p re-encoded to 256, 12"),
    ("ours, 720p JPEG", "cv2.imread, 720p JPEG"),
    ("ours, 256p JPEG", "cv2.imread, 256p JPEG"),
)


def main(*, repeats: int) -> dict[str, Timing]:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        timings = interleaved(cases(Path(folder)), repeats=repeats, device=torch.device("cpu"))
    clips = {name: 1 if "JPEG" in name else CLIPS for name in timings}
    for name, timing in timings.items():
        print(f"{name:<60}{1000 * timing.cpu_median / clips[name]:>9.1f} cpu ms a clip of 16 frames")
    for ours, other in RATIOS:
        if ours not in timings:
            continue
        ratio = timings[ours].cpu_median / timings[other].cpu_median
        print(f"{ours}: {ratio:.2f}x the time of {other}")
    return timings
