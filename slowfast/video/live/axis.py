"""One rising axis of seconds for a stream whose own clock starts anew with every connection."""

JUMP_SECONDS = 10.0  # by which a sender's clock may run ahead of when its frames arrive before it is a new clock


class LiveAxis:
    """Seconds since the first frame, spaced as the sender says, and by when frames arrive where its clock starts anew."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._arrived = 0.0
        self._shift = 0.0

    def time(
        self, second: float | None, arrived: float, *, frame_seconds: float, anew: bool, recorded: bool = False
    ) -> float:
        """The time of a frame, never before the one of the frame before.

        second:   as the sender counts, None where it does not
        arrived:  seconds of this machine's clock
        anew:     the first frame of a connection
        recorded: it comes as fast as it is read, so that when it arrives tells nothing
        """
        passed = frame_seconds if recorded else arrived - self._arrived
        step = None if self._last is None or anew or second is None else second + self._shift - self._last
        jumped = step is not None and (step < -JUMP_SECONDS or (not recorded and step > passed + JUMP_SECONDS))
        if self._last is None:
            made = 0.0
        elif step is not None and not jumped:
            made = self._last + max(step, 0.0)
        else:
            made = self._last + (max(passed, frame_seconds) if anew or jumped else passed)
        if second is not None and (step is None or jumped):
            self._shift = made - second
        self._last, self._arrived = made, arrived
        return made
