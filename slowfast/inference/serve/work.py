"""One video of the page: predicted, and its player, lines and table left in its folder."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from slowfast.inference.choose import Choice
from slowfast.inference.classifier import ActionClassifier
from slowfast.inference.detector import ActionDetector
from slowfast.inference.predict import Options, check_options
from slowfast.inference.serve.jobs import Job, Work
from slowfast.inference.serve.limits import Limits
from slowfast.inference.streams.clip_stream import SkippedMoment
from slowfast.inference.written.drawn_video import plain_copy
from slowfast.inference.written.player import player_html, plays_in_browsers
from slowfast.inference.written.results import ClassificationResult, DetectionResult, Result
from slowfast.structures.outputs.moment import ClipClasses, Moment
from slowfast.utils.files import write_text
from slowfast.video.stream import FileSource

PLAYED = "played.mp4"  # the copy of a video that browsers do not know
PLAYER, LINES, TABLE = "player.html", "result.jsonl", "result.csv"
_PREDICTED = 0.97  # share of a job; the rest is writing
Watch = Callable[[float], None]


def worker(model: ActionDetector | ActionClassifier, options: Options, limits: Limits) -> Work:
    """options: for videos that wish nothing else. Raises ValueError for what cannot be."""
    check_options(model, options)

    def work(job: Job, watch: Watch) -> str:
        assert job.video is not None
        every = options.every if job.wish.every is None else job.wish.every
        wanted = replace(options, every=every, track=isinstance(model, ActionDetector) and job.wish.track)
        result = predict_watched(model, job.video, check_options(model, wanted), limits, watch)
        named = replace(result, source=job.name)
        video = job.video
        if not plays_in_browsers(video):
            video = job.folder / PLAYED
            plain_copy(job.video, video, seconds=result.seconds)
        watch(1.0)
        named.to_jsonl(job.folder / LINES)
        named.to_csv(job.folder / TABLE)
        write_text(player_html(named, "video"), job.folder / PLAYER)
        return _told(result)

    return work


def predict_watched(
    model: ActionDetector | ActionClassifier, video: Path, options: Options, limits: Limits, watch: Watch
) -> Result:
    """watch: told the share that is done. Raises ClipReadError, and ValueError for a video that is too long."""
    length = FileSource(video).length_told()
    if length is not None and length > limits.most_seconds:
        raise ValueError(limits.too_long(length))
    watch(0.0)

    def done(second: float) -> None:
        if second > limits.most_seconds:  # the file told another length, or none
            raise ValueError(limits.too_long())
        watch(_PREDICTED * second / (length or limits.most_seconds))

    if isinstance(model, ActionDetector):
        return _detect(model, video, options, done)
    return _classify(model, video, options, done)


def _detect(model: ActionDetector, video: Path, options: Options, done: Watch) -> DetectionResult:
    assert options.every is not None and options.score is not None
    choice = Choice.of(model.classes, options.classes, options.score)
    clips = model.clips(FileSource(video), every=options.every)
    moments: list[Moment] = []
    skipped: list[SkippedMoment] = []

    def skip(moment: SkippedMoment) -> None:
        done(moment.time)
        skipped.append(moment)

    for moment in model.moments(clips, choice, track=options.track, on_skip=skip):
        done(moment.time)
        moments.append(moment)
    return model.result(clips, moments, choice, skipped, tracked=options.track)


def _classify(model: ActionClassifier, video: Path, options: Options, done: Watch) -> ClassificationResult:
    assert options.score is not None
    asked = {"every": options.every, "top": options.top, "score": options.score, "classes": options.classes}
    clips: list[ClipClasses] = []
    for clip in model.stream(video, **asked):  # type: ignore[arg-type]  # each under its own name
        done(clip.end)
        clips.append(clip)
    classes = Choice.of(model.classes, options.classes, options.score).classes
    return ClassificationResult(str(video), tuple(clips), classes, options.every, clips[-1].end)


def _told(result: Result) -> str:
    if isinstance(result, DetectionResult):
        people = sum(len(moment.people) for moment in result.moments)
        skipped = f"; {len(result.skipped)} key frames could not be read" if result.skipped else ""
        return f"{people} people on {len(result.moments)} key frames of {result.seconds:.1f} s{skipped}"
    return f"{len(result.clips)} stretches of {result.seconds:.1f} s"
