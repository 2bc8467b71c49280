"""What every source of pixels shares: the protocol, what it returns, its one error, and the rule from time to frame."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

# Half a frame absorbs rounded times; in a video of 1 fps half a frame would be another picture.
MAX_TOLERANCE_SECONDS = 0.05
ROUNDING_SECONDS = 1e-6  # containers round their start time to microseconds
# A first picture that comes late is shown from the start: encoders that reorder frames delay it, cameras start with sound.
MAX_LATE_SECONDS = 0.5
END_SECONDS = 1e-3  # before the end counts as the end: moments are told to the thousandth of a second


@dataclass(frozen=True)
class ClipPixels:
    """frames: (T, H, W, 3) uint8 RGB, upright.

    clamped:      how many of the T lie beyond the video and repeat its first or last frame
    pixel_aspect: width of a pixel by its height as a player shows it, 1 for square ones. Frames are never stretched by it
    """

    frames: np.ndarray
    clamped: int
    pixel_aspect: float = 1.0


class ClipReadError(Exception):
    """A clip cannot be read.

    file: the video or frame folder; at: second in the video, or frame number, of the key frame (None: the file as a
    whole); unit: "s" or "frame", what `at` counts.
    """

    def __init__(self, file: str, at: float | None, reason: str, unit: str = "s") -> None:
        super().__init__(file, at, reason, unit)  # all of it in args: the error travels between processes
        self.file, self.at, self.reason, self.unit = file, at, reason, unit

    def __str__(self) -> str:
        if self.at is None:
            where = ""
        elif self.unit == "frame":
            where = f" at frame {int(self.at)}"
        else:
            where = f" at {self.at:.3f} s"
        return f"cannot read {self.file}{where}: {self.reason}"


class PixelSource(Protocol):
    """Pixels of named videos. `center` is the position of the key frame in `times` or `numbers`.

    Context frames beyond the video repeat its first or last frame and are counted; the key frame never does: it is a
    ClipReadError where the video does not show it.
    """

    def read(self, video: str, times: np.ndarray, *, center: int) -> ClipPixels:
        """times: (T,) seconds since the start of the video, in any order, repeats allowed."""

    def read_frames(self, video: str, numbers: np.ndarray, *, center: int) -> ClipPixels:
        """numbers: (T,) frame numbers in order of presentation; a video file counts its frames from 1."""


@dataclass(frozen=True)
class VideoLength:
    """When the frames of a whole video are shown, without a pixel of them.

    times: (N,) float64 ascending, seconds since the first frame; an image is one frame
    fps:   frames per second of the video as a whole
    tick:  seconds of the unit that the file counts its timestamps in; moments are rounded down to it where frames are
           chosen, as the timestamps are
    """

    times: np.ndarray
    fps: float
    tick: float = ROUNDING_SECONDS

    def __len__(self) -> int:
        """N."""
        return len(self.times)


def check_positions(positions: np.ndarray, count: int, video: str) -> None:
    """Raises IndexError for positions that a video of `count` frames does not have, or that do not ascend."""
    inside = len(positions) and positions.min() >= 0 and positions.max() < count
    if not inside or (np.diff(positions) <= 0).any():
        raise IndexError(f"{video} has positions 0 to {count - 1}; asked for {positions.tolist()}, which must ascend")


class VideoSource(Protocol):
    """Pixels of whole videos, for those who choose frames once they know how many there are."""

    def length(self, video: str) -> VideoLength:
        """Raises ClipReadError where there is no such video or nothing of it can be read."""

    def read_positions(self, video: str, positions: np.ndarray, *, short_side: int | None = None) -> np.ndarray:
        """(K, H, W, 3) uint8 RGB: the frames at `positions`, (K,) ascending and distinct, counted from 0.

        short_side: frames whose short side is longer are shrunk to it by area while they are read
        Pixels are taken for square, as PySlowFast takes them, whatever the file says of their aspect.
        Raises ClipReadError, and IndexError as `check_positions`.
        """


def tolerance_of(frame_seconds: float) -> float:
    """Seconds by which a frame may start after the moment it is asked for."""
    return min(frame_seconds / 2, MAX_TOLERANCE_SECONDS) + ROUNDING_SECONDS


def is_nearer(following: ArrayLike, shown: ArrayLike, asked: ArrayLike, tolerance: float) -> np.ndarray:
    """Whether the frame that starts at `following`, not the one on screen since `shown`, is meant by `asked` (seconds)."""
    wait = np.subtract(following, asked)
    nearer: np.ndarray = (wait <= tolerance) & (wait <= np.subtract(asked, shown) + ROUNDING_SECONDS)
    return nearer


@dataclass(frozen=True)
class Timeline:
    """When each frame of a video is shown.

    file:          for errors
    times:         (N,) float64 ascending, seconds since the start of the video
    frame_seconds: nominal duration of a frame
    end:           second at which the last frame stops being shown
    damaged:       (a, b) pairs: after the frame shown at a and before the one at b the data could not be decoded
    trouble:       what an error says of these
    """

    file: str
    times: np.ndarray
    frame_seconds: float
    end: float
    damaged: tuple[tuple[float, float], ...] = ()
    trouble: str = "the data is damaged"

    @property
    def tolerance(self) -> float:
        """Seconds by which a frame may start after the moment it is asked for."""
        return tolerance_of(self.frame_seconds)

    def at_times(self, times: np.ndarray, *, center: int) -> tuple[np.ndarray, int]:
        """(T,) seconds -> ((T,) indices of the frames shown then, how many were clamped).

        The frame shown at t is the last that starts by then, or the one after it where that is nearer and starts within
        half a frame (at most 50 ms): times and timestamps are both rounded somewhere. At a constant rate this is
        rounding to the nearest frame, and a frame's own time always gives that frame.
        The last frame is shown until its end, the first from 0 on where it is at most MAX_LATE_SECONDS late.
        Raises ClipReadError when the key frame lies beyond the video, or when any time falls in damaged data.
        """
        times = np.asarray(times, dtype=np.float64)
        tolerance = self.tolerance
        bounded = np.concatenate([[-np.inf], self.times, [np.inf]])
        indices = np.searchsorted(self.times, times + ROUNDING_SECONDS, side="right") - 1
        indices = indices + is_nearer(bounded[indices + 2], bounded[indices + 1], times, tolerance)

        shown = times + tolerance
        self._refuse_damage(shown, self.times[np.maximum(indices, 0)], float(times[center]))
        before, after = indices < 0, times + END_SECONDS >= self.end
        if after[center]:
            raise ClipReadError(self.file, float(times[center]), f"the last frame is shown until second {self.end:.3f}")
        shown_from_0 = self.times[0] <= MAX_LATE_SECONDS + ROUNDING_SECONDS and times[center] >= -ROUNDING_SECONDS
        if self.times[0] - shown[center] > self.frame_seconds and not shown_from_0:
            raise ClipReadError(
                self.file, float(times[center]), f"the first frame is shown at second {self.times[0]:.3f}"
            )
        return np.maximum(indices, 0), int((before | after).sum())

    def at_numbers(self, numbers: np.ndarray, *, center: int) -> tuple[np.ndarray, int]:
        """(T,) frame numbers from 1 -> ((T,) indices, how many were clamped); raises as `at_times`."""
        numbers = np.asarray(numbers, dtype=np.int64)
        indices = np.clip(numbers - 1, 0, len(self.times) - 1)
        key = int(numbers[center])
        if self.damaged and (self.times[indices].max() > self.damaged[0][0] or numbers.max() > len(self.times)):
            since = max(self.damaged[0][0], 0.0)
            reason = f"the data is damaged after second {since:.3f}, so frame numbers from there on cannot be trusted"
            raise ClipReadError(self.file, key, reason, "frame")
        if key < 1:
            raise ClipReadError(self.file, key, "frame numbers count from 1", "frame")
        if key > len(self.times):
            raise ClipReadError(self.file, key, f"the video decodes to frames 1 to {len(self.times)} only", "frame")
        return indices, int((numbers - 1 != indices).sum())

    def _refuse_damage(self, shown: np.ndarray, chosen: np.ndarray, center_time: float) -> None:
        for low, high in self.damaged:
            lost = (shown >= low + self.frame_seconds) & (shown < high)
            if (lost | ((chosen > low) & (chosen < high))).any():
                until = "the end" if np.isinf(high) else f"second {high:.3f}"
                reason = f"{self.trouble} between second {max(low, 0.0):.3f} and {until}, and the clip reaches into it"
                raise ClipReadError(self.file, center_time, reason)
