"""SplitFacts: what a split holds, in numbers that can be plotted."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from slowfast.datasets.annotations.people.key_frames import KeyFrames
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.annotations.labelled_videos import LabelledVideos


@dataclass(frozen=True)
class SplitFacts:
    """One split.

    classes:      {name: how many people, or videos, have it}, in index order; a name that two classes have tells the id too
    sides:        (P,) square root of each person's box area, as a fraction of the frame's; empty for labelled videos
    crowd:        (K,) people on each key frame; empty for labelled videos
    """

    name: str
    videos: int
    samples: int
    classes: dict[str, int]
    sides: np.ndarray = field(default_factory=lambda: np.zeros(0))
    crowd: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def unit(self) -> str:
        """What a sample is."""
        return "key frames" if len(self.crowd) else "videos"

    def report(self) -> dict:
        """Ready for JSON; distributions as their quartiles."""
        facts: dict = {"videos": self.videos, self.unit.replace(" ", "_"): self.samples, "classes": self.classes}
        if len(self.crowd):
            facts["people"] = len(self.sides)
            facts["people_per_key_frame"] = _quartiles(self.crowd)
            facts["box_side"] = _quartiles(self.sides)
        return facts

    def __str__(self) -> str:
        people = f", {len(self.sides)} people" if len(self.crowd) else ""
        samples = f"{self.samples} key frames of {self.videos} videos" if len(self.crowd) else f"{self.videos} videos"
        return f"{self.name}: {samples}{people}, {sum(1 for n in self.classes.values() if n)} of {len(self.classes)} classes"


def _quartiles(values: np.ndarray) -> list[float]:
    """Minimum, quartiles and maximum."""
    if not len(values):
        return []
    return [round(float(value), 4) for value in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])]


def facts_of_key_frames(name: str, key_frames: KeyFrames, label_map: LabelMap) -> SplitFacts:
    boxes = key_frames.boxes.astype(np.float64)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    counts = key_frames.actions.sum(axis=0, dtype=np.int64).tolist()
    times = Counter(label_map.names)
    named = zip(label_map.ids, label_map.names, strict=True)
    names = [name if times[name] == 1 else f"{name} (id {class_id})" for class_id, name in named]
    return SplitFacts(
        name,
        len(key_frames.used_videos),
        len(key_frames),
        dict(zip(names, counts, strict=True)),
        np.sqrt(area),
        np.diff(key_frames.first_person),
    )


def facts_of_videos(name: str, videos: LabelledVideos) -> SplitFacts:
    classes = len(videos.class_names)
    counts = videos.labels.sum(axis=0) if videos.multi_label else np.bincount(videos.labels, minlength=classes)
    return SplitFacts(
        name, len(videos.names), len(videos.names), dict(zip(videos.class_names, counts.tolist(), strict=True))
    )
