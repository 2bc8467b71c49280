"""Which frames rest on damaged data: those that were decoded after it, up to a later key frame.

A decoder gives frames in the order they are shown, which is not the order they were decoded in: a frame that is shown
before a damaged one may have been made from it. So a frame is held back until the fate of every packet before its own
is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from slowfast.video.decoding.clock import Clock
from slowfast.video.pyav import av

_MOST_HELD = 32  # frames; no codec reorders more than 16


class Settling:
    """Holds frames back, tells the clock of damage, and gives them with their seconds."""

    def __init__(self, clock: Clock, note: Callable[[av.VideoFrame], float]) -> None:
        """note: gives the second of a frame, and tells the clock."""
        self._clock, self._note = clock, note
        self._sent = 0
        self._open: dict[int, int] = {}  # timestamp -> number of a packet whose frame has not come
        self._broken: list[tuple[int, int | None]] = []  # number and timestamp of packets that are damaged
        self._held: deque[tuple[int, av.VideoFrame]] = deque()
        self._key_second = -np.inf  # of the last key frame that was given

    def send(self, packet: av.Packet) -> None:
        """This packet goes to the decoder now."""
        self._sent += 1
        pts = packet.pts
        if pts is not None and packet.size and not packet.is_discard:
            self._open.pop(pts, None)  # the order is that of the numbers
            self._open[pts] = self._sent

    def broke(self, pts: int | None) -> None:
        """The packet sent last is damaged."""
        self._broken.append((self._sent, pts))

    def drop(self, frame: av.VideoFrame) -> int:
        """A frame has come; the number of its packet. It is not given, and does not count, unless it is held too."""
        shown, waiting = frame.pts, self._open
        number = self._sent if shown is None else waiting.pop(shown, self._sent)
        long_ago = self._sent - _MOST_HELD
        # What is earlier will not come any more; nor what was sent long ago, before the clock was set anew.
        over = [pts for pts, sent in waiting.items() if sent < long_ago or (shown is not None and pts < shown)]
        for pts in over:
            del waiting[pts]
        return number

    def hold(self, frame: av.VideoFrame) -> None:
        number = self.drop(frame)
        if frame.is_corrupt:
            self._broken.append((number, frame.pts))
        self._held.append((number, frame))

    def settled(self, *, ended: bool) -> Iterator[tuple[float, av.VideoFrame]]:
        """(second, frame) of those whose fate is known, all of them where nothing more comes."""
        while self._held:
            number, frame = self._held[0]
            first = next(iter(self._open.values()), number)  # the smallest
            if not ended and len(self._held) <= _MOST_HELD and first < number:
                return
            self._held.popleft()
            if self._broken:
                self._tell(number)
            second = self._note(frame)
            if frame.key_frame:
                self._key_second = max(self._key_second, second)
            yield second, frame
        if ended:
            self._tell(np.inf)

    def _tell(self, number: float) -> None:
        """Tell the clock of the damage in packets up to this number, unless a later key frame was shown since."""
        for sent, pts in [pair for pair in self._broken if pair[0] <= number]:
            self._broken.remove((sent, pts))
            if pts is None or self._clock.second(pts) >= self._key_second:
                self._clock.mark_damage(pts)
