"""DetectionEvaluator: collects the detections of a run, on any number of ranks, and scores them once at the end."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from slowfast.evaluation.frames.conventions import FRAMES, FrameConvention, conventional_frame_map
from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.evaluation.frames.key_frame_index import KeyFrameIndex
from slowfast.evaluation.frames.result import DetectionResult, FrameMap, without_annotations
from slowfast.structures.annotations.box_table import BoxTable, exact_times, plain_time
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.clip import ClipMeta
from slowfast.structures.outputs.predictions import Detections

PERSON = LabelMap((1,), ("person",))
SHOWN_KEY_FRAMES = 5


class DetectionEvaluator:
    """Frame-mAP over key frames, and beside it the AP of finding people whatever they do.

    groundtruth:     annotations; they list the key frames. Where no row has a box there is no mAP, and detections are kept
    label_map:       classes that are evaluated
    model_label_map: what the C columns of `Detections.scores` mean
    exclusions:      key frames (video, timestamp) that are not scored
    protocol, key_frames, included: see `frame_map`
    convention:      for sets annotated frame by frame: which frames count and how AP is integrated, in place of
                     `protocol` and `key_frames`; None for AVA's rules

    The result depends on what was processed, not on the order, nor on which rank processed it.
    """

    def __init__(
        self,
        *,
        groundtruth: BoxTable,
        label_map: LabelMap,
        model_label_map: LabelMap,
        exclusions: Iterable[tuple[str, float]] = (),
        included: Iterable[tuple[str, float]] = (),
        protocol: str = "official",
        key_frames: str = "all_included",
        convention: FrameConvention | None = None,
    ) -> None:
        unknown = [i for i in label_map.ids if i not in model_label_map.ids]
        if unknown:
            raise ValueError(
                f"class ids {unknown} are evaluated, but the model does not score them; "
                f"it scores {list(model_label_map.ids)}"
            )
        self.groundtruth = groundtruth
        self.label_map = label_map
        self.model_label_map = model_label_map
        if convention is not None:
            key_frames = FRAMES[convention.frames]
        self._exclusions, self._included, self._scored = list(exclusions), list(included), key_frames
        self._protocol, self._convention = protocol, convention
        self.reset()

    def reset(self) -> None:
        """Forget everything processed."""
        self._key_frames: list[tuple[str, float]] = []
        self._pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []

    def process(self, detections: Detections, metas: Sequence[ClipMeta]) -> None:
        """Keep the detections of a batch; metas[i] says which key frame clip i shows."""
        num_classes = self.model_label_map.num_classes
        if detections.scores.shape[1:] != (num_classes,):
            raise ValueError(
                f"detections have scores of shape {tuple(detections.scores.shape)}, expected (D, {num_classes}): "
                "one column per class of the model's label map"
            )
        clip = detections.clip_index.numpy()
        if len(clip) and not 0 <= clip.min() <= clip.max() < len(metas):
            raise ValueError(f"detections name clips {clip.min()}..{clip.max()}, but the batch has {len(metas)} clips")
        boxes, actor, scores = (
            tensor.detach().float().numpy().copy() for tensor in (detections.boxes, detections.actor, detections.scores)
        )
        self._pieces.append((clip + len(self._key_frames), boxes, actor, scores))
        self._key_frames.extend((meta.video, plain_time(meta.timestamp)) for meta in metas)

    def _state(self) -> dict[str, Any]:
        """What this rank has to say: numpy arrays and lists only."""
        num_classes = self.model_label_map.num_classes
        empty = (np.zeros(0, np.int64), *(np.zeros(shape, np.float32) for shape in ((0, 4), (0,), (0, num_classes))))
        frame, boxes, actor, scores = (np.concatenate(column) for column in zip(empty, *self._pieces, strict=True))
        return {"key_frames": self._key_frames, "frame": frame, "boxes": boxes, "actor": actor, "scores": scores}

    def evaluate(self, gather: Callable[[Any], list[Any]] | None = None) -> DetectionResult:
        """Score what all ranks processed.

        gather: takes this rank's picklable object and returns the list of all ranks' objects, on every rank; None on a
                single process.
        Raises ValueError when no key frame was processed, or one was processed twice.
        """
        states = [self._state()] if gather is None else gather(self._state())
        key_frames = [key for state in states for key in state["key_frames"]]
        if not key_frames:
            raise ValueError("no key frame was processed: there is nothing to evaluate")
        self._refuse_repeats(key_frames)
        found = _People(states, key_frames)
        rows = found.rows(found.scores, self.model_label_map.ids)
        people = found.rows(found.actor[:, None], PERSON.ids)
        if not np.isfinite(self.groundtruth.boxes).any():
            return DetectionResult(self._count(rows, len(key_frames)), rows, people)
        result = self.score(rows)
        people_found = self._frame_map(person_groundtruth(self.groundtruth), people, PERSON, protocol="uncapped")
        counters = {**result.counters, "key_frames_unscored": self._count_unscored(key_frames)}
        return DetectionResult(replace(result, counters=counters, person_ap=people_found.mAP), rows, people)

    def _count(self, rows: BoxTable, key_frames: int) -> FrameMap:
        """What there is to say where nobody is annotated."""
        index = self.label_map.to_index(rows.label)
        counts = np.bincount(index[index >= 0], minlength=self.label_map.num_classes)
        return without_annotations(self.label_map, detections=counts, key_frames=key_frames, protocol=self._protocol)

    def score(self, rows: BoxTable) -> FrameMap:
        """Frame-mAP of detections by the rules of this data set."""
        if self._convention is not None:
            return conventional_frame_map(self.groundtruth, rows, self.label_map, self._convention)
        return self._frame_map(self.groundtruth, rows, self.label_map, protocol=self._protocol)

    def _frame_map(self, truth: BoxTable, rows: BoxTable, label_map: LabelMap, *, protocol: str) -> FrameMap:
        return frame_map(
            truth,
            rows,
            label_map,
            protocol=protocol,
            key_frames=self._scored,
            exclusions=self._exclusions,
            included=self._included,
        )

    def _refuse_repeats(self, key_frames: list[tuple[str, float]]) -> None:
        if len(set(key_frames)) == len(key_frames):
            return
        repeated = sorted(key for key, count in Counter(key_frames).items() if count > 1)
        shown = ", ".join(f"{video!r} at {timestamp}" for video, timestamp in repeated[:SHOWN_KEY_FRAMES])
        raise ValueError(
            f"{len(repeated)} key frames were scored more than once, among them {shown}; a sampler for evaluation "
            "must not pad or repeat, and reset() must be called between evaluations"
        )

    def _count_unscored(self, key_frames: list[tuple[str, float]]) -> int:
        """Key frames to be scored that nobody processed."""
        table = self.groundtruth
        if self._scored == "gt_only":
            table = table.rows(np.isfinite(table.boxes).all(axis=1))
        done = {*key_frames, *self._exclusions}
        return len(KeyFrameIndex(table, extra=self._included, excluded=done))


class _People:
    """All people found, in an order that depends on their values only."""

    def __init__(self, states: list[dict[str, Any]], key_frames: list[tuple[str, float]]) -> None:
        starts = np.cumsum([0, *(len(state["key_frames"]) for state in states[:-1])])
        frame = np.concatenate([state["frame"] + start for state, start in zip(states, starts, strict=True)])
        boxes, actor, scores = (np.concatenate([s[name] for s in states]) for name in ("boxes", "actor", "scores"))
        self.videos = tuple(sorted({video for video, _ in key_frames}))
        number = {name: i for i, name in enumerate(self.videos)}
        video = np.array([number[name] for name, _ in key_frames], dtype=np.int32)[frame]
        timestamp = exact_times(np.array([time for _, time in key_frames]))[frame]
        order = np.lexsort((-actor, timestamp, video))
        # Boxes and scores decide among people of one key frame whose actor scores are equal: most often nobody.
        place = np.cumsum(_starts(video[order], timestamp[order], actor[order]))
        tied = np.flatnonzero(np.bincount(place)[place] > 1)
        rows = order[tied]
        order[tied] = rows[np.lexsort((*scores[rows].T[::-1], *boxes[rows].T[::-1], place[tied]))]
        self.video, self.timestamp, self.boxes = video[order], timestamp[order], boxes[order]
        self.actor, self.scores = actor[order], scores[order]

    def rows(self, scores: np.ndarray, ids: tuple[int, ...]) -> BoxTable:
        """A row per person and column of scores (D, C); `ids` are the C class ids."""
        count = len(ids)
        return BoxTable(
            self.videos,
            np.repeat(self.video, count),
            np.repeat(self.timestamp, count),
            np.repeat(self.boxes, count, axis=0),
            np.tile(np.array(ids, dtype=np.int32), len(self.video)),
            np.ascontiguousarray(scores).reshape(-1),
        )


def _starts(*columns: np.ndarray) -> np.ndarray:
    """(n,) bool: does a row differ from the row before in any of the columns (n,)? True in the first row."""
    starts = np.ones(len(columns[0]), dtype=bool)
    starts[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return starts


def person_groundtruth(table: BoxTable) -> BoxTable:
    """Ground truth for finding people: each distinct box of a key frame once, with the id of PERSON.

    Rows without a box stay, since they list key frames. Two people with the very same box count as one.
    """
    has_box = np.isfinite(table.boxes).all(axis=1)
    people = table.rows(has_box)
    order = np.lexsort((*people.boxes.T[::-1], people.timestamp, people.video))
    people = people.rows(order)
    people, empty = people.rows(_starts(people.video, people.timestamp, *people.boxes.T)), table.rows(~has_box)
    return BoxTable(
        table.videos,
        np.concatenate([people.video, empty.video]),
        np.concatenate([people.timestamp, empty.timestamp]),
        np.concatenate([people.boxes, empty.boxes]),
        np.concatenate([np.full(len(people), PERSON.ids[0], dtype=np.int32), empty.label]),
    )
