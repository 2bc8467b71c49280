"""Predict on videos and leave the files about each: lines as they are found, then table, drawn video and player."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from slowfast.inference.choose import Choice
from slowfast.inference.classifier import ActionClassifier
from slowfast.inference.detector import ActionDetector
from slowfast.inference.explain.collector import Collector
from slowfast.inference.explain.explainer import Explainer
from slowfast.inference.explain.page import write_explanation
from slowfast.inference.streams.clip_stream import SkippedMoment, check_every
from slowfast.inference.streams.sources import Job
from slowfast.inference.written import records
from slowfast.inference.written.drawn_video import plain_copy
from slowfast.inference.written.lines import Lines
from slowfast.inference.written.player import plays_in_browsers
from slowfast.inference.written.results import ClassificationResult, DetectionResult, Result
from slowfast.structures.outputs.moment import ClipClasses, Moment
from slowfast.utils.progress import progress
from slowfast.utils.text import printable
from slowfast.video.source import ClipReadError
from slowfast.video.stream import FileSource
from slowfast.video.writing.timed_writer import copied_sound

DETECT_EVERY, CLASSIFY_EVERY = 1.0, 10.0  # seconds
DETECT_SCORE, CLASSIFY_SCORE = 0.3, 0.0
EXPLAINED = "_explain.html"  # ending of the page that tells why


@dataclass(frozen=True)
class Options:
    """every, score: None for what suits the model; classes: names, None for all; track: number the people of a detector;
    top: classes told of a classified stretch; video: write the drawn one; explain: write why, of a detector"""

    every: float | None = None
    score: float | None = None
    classes: tuple[str, ...] | None = None
    track: bool = False
    top: int = 5
    video: bool = True
    explain: bool = False


@dataclass(frozen=True)
class Outcome:
    """frames, seconds: of the video that were read; took: seconds of prediction; notes: what a user should know"""

    result: Result
    frames: int
    took: float
    notes: tuple[str, ...]

    def __str__(self) -> str:
        seconds, took = self.result.seconds, max(self.took, 1e-9)
        told = (
            f"{len(self.result.moments)} key frames, {sum(len(m.people) for m in self.result.moments)} people"
            if isinstance(self.result, DetectionResult)
            else f"{len(self.result.clips)} clips"
        )
        return (
            f"{told}; {self.frames} frames ({seconds:.1f} s of video) in {took:.1f} s: {self.frames / took:.1f} frames/s, "
            f"{seconds / took:.2f} x real time"
        )


def check_options(model: ActionDetector | ActionClassifier, options: Options) -> Options:
    """The options with what suits the model where they leave it open. Raises ValueError for what cannot be."""
    detects = isinstance(model, ActionDetector)
    if options.track and not detects:
        raise ValueError("--track numbers the people that a detector finds, and this model classifies whole clips")
    if options.explain:
        if not detects:
            raise ValueError("--explain tells which token claimed a person, and this model classifies whole clips")
        Explainer(model.loaded.model)
    every = (DETECT_EVERY if detects else CLASSIFY_EVERY) if options.every is None else options.every
    score = (DETECT_SCORE if detects else CLASSIFY_SCORE) if options.score is None else options.score
    check_every(every)
    Choice.of(model.classes, options.classes, score)
    if options.top < 1:
        raise ValueError(f"--top is the classes told of a clip, at least 1, got {options.top}")
    return replace(options, every=every, score=score)


def predict_all(
    model: ActionDetector | ActionClassifier, jobs: Sequence[Job], options: Options, *, say: Callable[[str], None]
) -> list[str]:
    """Every job; one whose video cannot be read is told and the others go on. Returns why the failed ones failed.

    say: is told of each video, a line of text
    """
    options = check_options(model, options)
    failed = []
    for job in jobs:
        try:
            outcome = predict(model, job, options)
        except ClipReadError as error:
            failed.append(str(error))
            say(f"failed: {error}")
            continue
        say(f"{job.video}: {outcome}")
        for note in outcome.notes:
            say(f"  note: {note}")
        say(f"  {job.file('.html')}")
        if options.explain:
            say(f"  {job.file(EXPLAINED)}")
    return failed


def predict(model: ActionDetector | ActionClassifier, job: Job, options: Options) -> Outcome:
    """One video: `.jsonl` line by line, then `.csv`, the drawn `.mp4`, the `.html` player and the page that explains,
    each whole or absent.

    options: complete, see `check_options`. Raises ClipReadError where the video cannot be read; lines stay.
    """
    _make_folder(job.stem.parent)
    start = time.perf_counter()
    collected: Collector | None = None
    result: Result
    if isinstance(model, ActionDetector):
        result, frames, collected = _detect(model, job, options)
    else:
        result, frames = _classify(model, job, options)
    took = time.perf_counter() - start
    result.to_csv(job.file(".csv"))
    if options.video:
        result.to_video(job.file(".mp4"))
    result.to_html(job.file(".html"), video=_playable(result, job, options))
    if collected is not None and isinstance(result, DetectionResult):
        assert options.score is not None
        write_explanation(result, collected, job.file(EXPLAINED), least=options.score)
    return Outcome(result, frames, took, tuple(_notes(result, job, options)))


def _detect(model: ActionDetector, job: Job, options: Options) -> tuple[DetectionResult, int, Collector | None]:
    """What was found, the frames read, and what explains it where that is asked for."""
    assert options.every is not None and options.score is not None
    source = FileSource(job.video)
    clips = model.clips(source, every=options.every)
    choice = Choice.of(model.classes, options.classes, options.score)
    moments: list[Moment] = []
    skipped: list[SkippedMoment] = []
    length = source.length_told()
    total = None if length is None else max(1, int(length / options.every))
    with (
        Lines(job.file(".jsonl")) as lines,
        Explainer(model.loaded.model) if options.explain else nullcontext() as explainer,
        progress(what=printable(job.video.name), total=total, unit="clip") as bar,
    ):
        lines.start_with(
            records.header(
                job.video.name, kind="detections", every=options.every, tracked=options.track, classes=choice.classes
            )
        )
        told = 0
        collected = None if explainer is None else Collector(explainer, choice)
        on_clip = None if collected is None else collected.see
        for moment in model.moments(clips, choice, track=options.track, on_skip=skipped.append, on_clip=on_clip):
            while told < len(skipped) and skipped[told].time < moment.time:
                lines.write(records.of_skipped(skipped[told]))
                told += 1
            lines.write(records.of_moment(moment))
            moments.append(moment)
            bar.update()
        for late in skipped[told:]:
            lines.write(records.of_skipped(late))
        result = model.result(clips, moments, choice, skipped, tracked=options.track)
        for span in result.actions:
            lines.write(records.of_span(span))
        lines.write(records.end(result.seconds, told=len(moments), skipped=len(skipped)))
    return result, clips.frames_read, collected


def _classify(model: ActionClassifier, job: Job, options: Options) -> tuple[ClassificationResult, int]:
    assert options.every is not None and options.score is not None
    classes = Choice.of(model.classes, options.classes, options.score).classes
    clips: list[ClipClasses] = []
    frames = 0

    def count(stretch: object) -> None:
        nonlocal frames
        frames = getattr(stretch, "stop", frames)

    told = model.stream(
        job.video,
        every=options.every,
        top=options.top,
        score=options.score,
        classes=options.classes,
        on_read=count,
    )
    with Lines(job.file(".jsonl")) as lines:
        lines.start_with(
            records.header(job.video.name, kind="classification", every=options.every, tracked=False, classes=classes)
        )
        for clip in progress(told, what=printable(job.video.name), unit="clip"):
            lines.write(records.of_clip(clip))
            clips.append(clip)
        lines.write(records.end(clips[-1].end, told=len(clips), skipped=0))
    return ClassificationResult(str(job.video), tuple(clips), classes, options.every, clips[-1].end), frames


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out {folder} cannot be made: {error.strerror}; give another folder") from None


def _playable(result: Result, job: Job, options: Options) -> Path | None:
    """What the page plays: the video, or a plain copy where browsers do not know its format."""
    if plays_in_browsers(job.video):
        return job.video
    if not options.video:
        return None
    plain_copy(job.video, job.file("_plain.mp4"), seconds=result.seconds)
    return job.file("_plain.mp4")


def _notes(result: Result, job: Job, options: Options) -> Iterator[str]:
    if isinstance(result, DetectionResult) and result.skipped:
        first = result.skipped[0]
        yield f"key frames skipped: {len(result.skipped)}, the first at second {first.time:g}: {first.reason}"
    if options.video and (reason := copied_sound(job.video)):
        yield f"the drawn video is silent: {reason}"
    if not options.video and not plays_in_browsers(job.video):
        yield "browsers do not play this video, and --no-video leaves no copy that they do: the page asks for a file"
