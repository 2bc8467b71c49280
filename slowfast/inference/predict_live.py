"""Predict on a live source: lines as they are found, until it ends, breaks for good, or is stopped by Ctrl-C."""

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType

import numpy as np

from slowfast.inference.choose import Choice
from slowfast.inference.classifier import ActionClassifier
from slowfast.inference.detector import ActionDetector
from slowfast.inference.predict import Options, check_options
from slowfast.inference.streams.clip_stream import SkippedMoment
from slowfast.inference.streams.live_clips import LiveClips
from slowfast.inference.tracking.spans import ActionSpans
from slowfast.inference.written import records
from slowfast.inference.written.lines import Lines
from slowfast.video.live.address import live_address
from slowfast.video.live.source import LiveSource

SAY_EVERY_SECONDS = 10.0
_LATENCIES = 1000  # the last ones, of which the middle one is told


@dataclass
class LiveProgress:
    """What is told of a live source: key frames, people, and seconds from a key frame's coming to its result."""

    source: LiveSource
    clips: LiveClips
    told: int = 0
    skipped: int = 0
    people: int = 0
    slowest: float = 0.0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))

    def see(self, latency: float, people: int) -> None:
        self.told, self.people = self.told + 1, self.people + people
        self.latencies.append(latency)
        self.slowest = max(self.slowest, latency)

    def __str__(self) -> str:
        counts, clips = self.source.counts, self.clips
        latency = f"{np.median(self.latencies):.2f} s, at most {self.slowest:.2f} s" if self.latencies else "none yet"
        return (
            f"{clips.seconds_read:.1f} s: {self.told} key frames, {self.people} people; latency from frame to result {latency}; "
            f"key frames skipped: {self.skipped} ({clips.behind} of them to keep up); {counts.received} frames came, "
            f"{counts.dropped} were dropped, {counts.lost} damaged; connected again {counts.reconnected} times"
        )


def find_live(sources: Sequence[str], *, seconds: float | None, say: Callable[[str], None]) -> LiveSource | None:
    """The first live one of some sources, not read yet; None where all name files.

    seconds: end it after so many. Raises ValueError for an address that cannot be, and for `seconds` of files.
    """
    for address in map(live_address, sources):
        if address is not None:
            return LiveSource(address, seconds=seconds, say=say)
    if seconds is not None:
        raise ValueError("--seconds ends a live source, and files are read to their end; leave it out")
    return None


def refuse_live(*, number: int, show: bool, explain: bool = False) -> None:
    """Raises ValueError for what goes with files only. number: of sources; show: a window was asked for"""
    if number > 1:
        raise ValueError("a live source is given alone, as it may have no end; start one command for each")
    if show:
        raise ValueError("--show plays drawn videos, and a live source leaves none; read the lines of its .jsonl")
    if explain:
        raise ValueError("--explain writes a page about a whole video, and a live source leaves none; record it first")


def live_file(source: LiveSource, out: str | Path, now: datetime) -> Path:
    """Where the lines go: the source's name with the time of the start, as a live source cannot be predicted again."""
    stem = f"{source.address.stem}_{now:%Y%m%d-%H%M%S}"
    names = (f"{stem}{ending}.jsonl" for ending in ["", *(f"_{number}" for number in range(2, 1000))])
    return next(path for path in (Path(out, name) for name in names) if not path.exists())


def predict_live(
    model: ActionDetector | ActionClassifier,
    source: LiveSource,
    out: str | Path,
    options: Options,
    *,
    say: Callable[[str], None],
) -> str:
    """Predict until the source ends; returns why it broke, "" where it did not.

    It leaves one file, a `.jsonl` whose lines are written as they are found: neither table, video nor page, which need
    the whole. The first Ctrl-C ends the stream and the file as at the end of a video.
    Raises ClipReadError where the source cannot be read from the start; nothing is left then. ValueError for a classifier.
    """
    if isinstance(model, ActionClassifier):
        raise ValueError(
            "a live source is for a detector, and this model classifies whole stretches of a file: record one and give that"
        )
    options = check_options(model, options)
    assert options.every is not None and options.score is not None
    choice = Choice.of(model.classes, options.classes, options.score)
    clips = model.clips(source, every=options.every)
    assert isinstance(clips, LiveClips)
    progress = LiveProgress(source, clips)
    now = datetime.now(timezone.utc)
    path = live_file(source, out, now)
    path.parent.mkdir(parents=True, exist_ok=True)
    spans, said = ActionSpans(), source.clock()
    with Lines(path) as lines, _stopped_by_ctrl_c(source, say):
        lines.start_with(
            records.header(
                source.name,
                kind="detections",
                every=options.every,
                tracked=options.track,
                classes=choice.classes,
                started=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            )
        )

        def skip(skipped: SkippedMoment) -> None:
            progress.skipped += 1
            lines.write(records.of_skipped(skipped))

        for moment in model.moments(clips, choice, track=options.track, on_skip=skip):
            latency = max(0.0, source.clock() - source.arrived(moment.time))
            progress.see(latency, len(moment.people))
            lines.write(records.of_moment(moment, latency=latency))
            for span in spans.see(moment):
                lines.write(records.of_span(span))
            if source.clock() - said >= SAY_EVERY_SECONDS:
                said = source.clock()
                say(str(progress))
        for span in spans.rest():
            lines.write(records.of_span(span))
        lines.write(records.end(clips.seconds_read, told=progress.told, skipped=progress.skipped, live=source.counts))
    say(f"{source.name}: {progress}")
    say(f"  {path}")
    return source.broke


@contextmanager
def _stopped_by_ctrl_c(source: LiveSource, say: Callable[[str], None]) -> Iterator[None]:
    """The first Ctrl-C ends the source, the second the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        source.stop()
        say("stopping; Ctrl-C again to break off")

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
