"""Clips around the key frames of a live source: those that would come too late are left out, and said."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from slowfast.inference.streams.clip_stream import ClipStream, Prepare, SkippedMoment, StreamedClip
from slowfast.video.live.source import LiveSource
from slowfast.video.source import Timeline

SLACK_SECONDS = 0.5  # frames come in bursts; nobody falls behind by that
_SPARE_SECONDS = 1.0


class LiveClips(ClipStream):
    """As ClipStream, of a LiveSource.

    A key frame is skipped where the stream has gone on by more than `every` (and SLACK_SECONDS) since its clip was
    complete: the network is slower than the stream, and a later key frame is worth more. `behind` counts these. One whose
    clip reaches into a hole of the stream is skipped too. A source that is recorded waits, and nothing falls behind.
    """

    def __init__(
        self,
        source: LiveSource,
        *,
        every: float,
        offsets: Callable[[float], np.ndarray],
        center: int,
        prepare: Prepare,
    ) -> None:
        self.live, self.behind = source, 0
        super().__init__(source, every=every, offsets=self._sized(offsets), center=center, prepare=prepare)

    def _sized(self, offsets: Callable[[float], np.ndarray]) -> Callable[[float], np.ndarray]:
        """The offsets; the source then keeps what a clip shows, and what comes before the next."""

        def of(frame_seconds: float) -> np.ndarray:
            made = offsets(frame_seconds)
            self.live.keep = float(np.ptp(made)) + max(self.every, SLACK_SECONDS) + _SPARE_SECONDS
            return made

        return of

    def _timeline(self, end: float) -> Timeline:
        return replace(super()._timeline(end), trouble="frames are missing")

    def _make(self, offsets: np.ndarray, end: float) -> StreamedClip | SkippedMoment:
        ahead = self.live.newest - (self._key_time + float(offsets.max()))
        if np.isfinite(end) or self.live.recorded or ahead <= max(self.every, SLACK_SECONDS):
            return super()._make(offsets, end)
        time = self._key_time
        self._next += 1
        self.behind += 1
        self._forget()
        return SkippedMoment(time, f"to keep up: the stream was {ahead:.1f} s further when its turn came")
