"""The galleries about a classifier: which videos are shown, a frame of each, what it shows and what it is taken for."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from slowfast.evaluation.videos.confusion import NOTHING
from slowfast.evaluation.videos.scores import VideoScores
from slowfast.report.pictures import fitted, img
from slowfast.report.varied import varied
from slowfast.video.source import ClipReadError, VideoSource

SHOWN = 8  # videos of each gallery, at most
BEST = 3  # answers shown of a video
LONG_SIDE, QUALITY = 300, 76  # pixels; of the JPEG


@dataclass(frozen=True)
class Answer:
    """What a run takes a video for. best: (class, score, whether it is true) from the highest score down; none without
    views."""

    run: str
    best: tuple[tuple[str, float, bool], ...]


@dataclass(frozen=True)
class VideoCard:
    """One video. frame: (H, W, 3) uint8 RGB, or None where it could not be read, and `problem` says why."""

    video: str
    truth: tuple[str, ...]
    answers: tuple[Answer, ...]
    frame: np.ndarray | None
    problem: str = ""


def card_of(video: int, runs: Sequence[tuple[str, VideoScores]], pixels: VideoSource) -> VideoCard:
    """runs: (name, scores) of the same videos; video: its index in all of them."""
    first = runs[0][1]
    name, frame, problem = first.names[video], None, ""
    try:
        frame = fitted(_middle_frame(name, pixels), LONG_SIDE)
    except ClipReadError as error:
        problem = str(error)
    truth = tuple(first.class_names[k] for k in np.flatnonzero(_true(first, video)))
    return VideoCard(name, truth, tuple(Answer(run, _best(scores, video)) for run, scores in runs), frame, problem)


def _middle_frame(name: str, pixels: VideoSource) -> np.ndarray:
    middle = len(pixels.length(name)) // 2
    return pixels.read_positions(name, np.array([middle]), short_side=LONG_SIDE)[0]


def _true(scores: VideoScores, video: int) -> np.ndarray:
    """(C,) bool."""
    return scores.labels[video] if scores.multi_label else np.arange(len(scores.class_names)) == scores.labels[video]


def _best(scores: VideoScores, video: int) -> tuple[tuple[str, float, bool], ...]:
    if not scores.views[video]:
        return ()
    row, true = scores.scores[video], _true(scores, video)
    order = np.argsort(-row, kind="stable")[:BEST]
    return tuple((scores.class_names[k], float(row[k]), bool(true[k])) for k in order)


# ------------------------------------------------------------------------------------------------------ which


def right(scores: VideoScores) -> np.ndarray:
    """(V,) bool: the best class is true. A video without views is not right."""
    rows, seen = np.arange(len(scores.names)), scores.predicted != NOTHING
    hit = scores.labels[rows, scores.predicted] if scores.multi_label else scores.labels == scores.predicted
    return hit & seen


def chosen(scores: VideoScores) -> dict[str, list[int]]:
    """{heading: indices of videos} of one run: surest right, surest wrong, least sure.

    Sure: by the best score; least sure: by how little it lies above the second, or with many labels by the best score.
    Of one class, or pair of classes, only one video is shown as long as there are enough of them.
    """
    seen, hit, predicted = scores.predicted != NOTHING, right(scores), scores.predicted
    best = np.where(seen, np.where(np.isnan(scores.scores), -np.inf, scores.scores).max(axis=1), -np.inf)
    surest = np.argsort(-best, kind="stable")

    def pick(order: np.ndarray) -> list[int]:
        return varied(order.tolist(), lambda v: (scores.labels[v].tobytes(), int(predicted[v])), most=SHOWN)

    galleries = {
        "Surest and right": pick(surest[hit[surest]]),
        "Surest and wrong": pick(surest[(seen & ~hit)[surest]]),
    }
    shown = np.isin(np.arange(len(seen)), np.concatenate([[-1], *galleries.values()]))
    margin = best if scores.multi_label or scores.scores.shape[1] < 2 else _margin(scores.scores)
    unsure = np.argsort(np.where(seen, margin, np.inf), kind="stable")
    return galleries | {"Least sure": pick(unsure[(seen & ~shown)[unsure]])}


def _margin(rows: np.ndarray) -> np.ndarray:
    two = np.partition(rows, -2, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def chosen_of_two(runs: Sequence[tuple[str, VideoScores]]) -> dict[str, list[int]]:
    """{heading: indices of videos} on which two runs differ: only one of them is right, and the surest of it first."""
    hits = [right(scores) for _, scores in runs]
    galleries = {}
    for better, (name, scores) in enumerate(runs):
        only = np.flatnonzero(hits[better] & ~hits[1 - better])
        order = only[np.argsort(-scores.scores[only].max(axis=1), kind="stable")] if len(only) else only
        galleries[f"Only {name} is right"] = varied(
            order.tolist(), lambda v: runs[0][1].labels[v].tobytes(), most=SHOWN
        )
    return galleries


# ------------------------------------------------------------------------------------------------------ HTML


def gallery_html(cards: Sequence[VideoCard]) -> str:
    if not cards:
        return "<p>No video to show.</p>"
    return f'<div class="gallery small">{"".join(map(_card_html, cards))}</div>'


def _card_html(card: VideoCard) -> str:
    truth = ", ".join(map(escape, card.truth)) or "no label"
    if card.frame is None:
        picture = f'<p class="note">The video could not be read: {escape(card.problem)}</p>'
    else:
        picture = img(card.frame, quality=QUALITY, alt=f"middle frame of {card.video}", kind="still")
    answers = "".join(_answer_html(answer, named=len(card.answers) > 1) for answer in card.answers)
    return (
        f'<article class="card"><h4>{escape(card.video)}</h4><figure>{picture}'
        f"<figcaption>true: <b>{truth}</b>{answers}</figcaption></figure></article>"
    )


def _answer_html(answer: Answer, *, named: bool) -> str:
    run = f"<div><b>{escape(answer.run)}</b></div>" if named else ""
    if not answer.best:
        return f"{run}<ul><li>no view could be read</li></ul>"
    rows = "".join(
        f'<li class="{"hit" if true else "other"}">{escape(name)} <span>{score:.3f}</span></li>'
        for name, score, true in answer.best
    )
    return f'{run}<ul class="answers">{rows}</ul>'
