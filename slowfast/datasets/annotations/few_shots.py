"""A few videos of each class: how much a detector learns from how little."""

import numpy as np

from slowfast.datasets.annotations.people.key_frames import KeyFrames
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.utils.seed import generator_for

_NAMED = 5  # how many classes an error names


def few_videos(key_frames: KeyFrames, label_map: LabelMap, *, shots: int, seed: int) -> KeyFrames:
    """The key frames of `shots` videos of each class, drawn by (seed, class); more shots of one seed hold the fewer ones.

    A video is of a class when somebody in it does that; where people do several things, the videos drawn for one class
    also show others. Raises ValueError for classes with fewer videos, by name.
    """
    people_of = np.repeat(key_frames.video, np.diff(key_frames.first_person))
    drawn: set[int] = set()
    short = []
    for index, (number, name) in enumerate(zip(label_map.ids, label_map.names, strict=True)):
        videos = np.unique(people_of[key_frames.actions[:, index] > 0])
        if len(videos) < shots:
            short.append(f"{name} ({len(videos)})")
            continue
        order = np.random.default_rng(generator_for(seed, number).initial_seed()).permutation(len(videos))
        drawn |= set(videos[order[:shots]].tolist())
    if short:
        more = f" and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
        raise ValueError(
            f"DATA.SHOTS ({shots}) asks for more training videos than these classes have: {', '.join(short[:_NAMED])}{more}; "
            "lower it, or set it to 0 to train on all"
        )
    return key_frames.subset(np.flatnonzero(np.isin(key_frames.video, sorted(drawn))))
