"""When the frames of a file are shown, and which of them rest on damaged data, as they come out of the decoder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from slowfast.video.decoding.notes import note
from slowfast.video.pyav import av

# A timestamp that is earlier than the one before by more than this is a clock that was set anew (recordings joined to
# one transport stream); by less, it is a frame out of order.
_RESTART_SECONDS, _RESTART_FRAMES = 0.5, 16


@dataclass
class Clock:
    """Seconds and damage of the frames decoded so far.

    zero:          second of the file's own clock at which a player starts
    frame_seconds: nominal duration of a frame
    remember:      keep all times; otherwise the last one only
    joined:        a clock that starts again goes on where the last frame ended
    """

    path: str
    zero: float
    time_base: Fraction
    frame_seconds: float
    remember: bool = True
    joined: bool = True
    disordered: bool = False  # timestamps were missing, or ran backwards
    times: list[float] = field(default_factory=list)
    damaged: list[list[float]] = field(default_factory=list)
    last_shown: tuple[int, Fraction] | None = None  # duration of the last frame, and its unit in seconds
    _damage_second: float = -np.inf  # of the last packet that could not be decoded
    _offset: float = 0.0  # of a clock that started again
    _jumped: bool = False
    _before: float | None = None  # second of the frame before the last one
    _unit: Fraction | None = None  # of durations; making one for each frame takes as long as all else here

    def __post_init__(self) -> None:
        self._up, self._down = self.time_base.numerator, self.time_base.denominator

    def copy(self) -> Clock:
        return replace(self, times=list(self.times), damaged=[list(pair) for pair in self.damaged])

    def second(self, pts: int) -> float:
        # Whole numbers divide to the nearest float, as a Fraction does, in a tenth of its time.
        return pts * self._up / self._down - self.zero + self._offset

    def jump(self) -> None:
        """The next frame is somewhere else in the file: that it is earlier says nothing."""
        self._jumped = True

    def mark_damage(self, pts: int | None) -> None:
        """Whatever follows the last frame shown is in doubt, until a key frame that is later than the broken packet."""
        if pts is not None:
            self._damage_second = max(self._damage_second, self.second(pts))
        if not self.damaged or np.isfinite(self.damaged[-1][1]):
            self.damaged.append([self.times[-1] if self.times else -np.inf, np.inf])

    def note(self, frame: av.VideoFrame) -> float:
        """The second the frame is shown at, which is remembered."""
        previous = self.times[-1] if self.times and not self._jumped else None
        self._jumped = False
        second = self._shown_at(frame.pts, previous)
        self._before = previous
        if frame.is_corrupt:
            self._damage_second = max(self._damage_second, second)
            self.mark_damage(None)
        elif frame.key_frame and self.damaged and second > self._damage_second:
            self.damaged[-1][1] = min(self.damaged[-1][1], second)
        if not self.remember:
            self.times.clear()
        self.times.append(second)
        duration = frame.duration
        if duration:
            self._unit = self._unit or frame.time_base or self.time_base
            self.last_shown = duration, self._unit
        return second

    def _shown_at(self, pts: int | None, previous: float | None) -> float:
        if pts is None:
            self.disordered = True
            return 0.0 if previous is None else previous + self.frame_seconds
        second = self.second(pts)
        if previous is None or second > previous:
            return second
        back = max(_RESTART_SECONDS, _RESTART_FRAMES * self.frame_seconds)
        # Where it goes on from the frame before the last one, that last one's timestamp was wrong.
        goes_on = self._before is not None and self._before < second < self._before + back
        if self.joined and second < previous - back and not goes_on:
            following = previous + self.frame_seconds
            self._offset += following - second
            text = f"its timestamps start again at second {following:.3f}; seconds are counted on from there"
            note("restart", self.path, text)
            return following
        self.disordered = True
        return second
