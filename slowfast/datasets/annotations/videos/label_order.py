"""The same classes in another order: labels are moved by name. And the same videos in two lists: a warning."""

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from slowfast.datasets.split import VideoSplit
from slowfast.structures.annotations.labelled_videos import LabelledVideos

_SHOWN = 5


def reordered(videos: LabelledVideos, names: Sequence[str]) -> LabelledVideos:
    """The same videos with class indices that follow `names`, in which each class of `videos` is once.

    Raises ValueError listing the names that are on one side only.
    """
    names = tuple(names)
    ours, theirs = set(videos.class_names), set(names)
    if ours != theirs or len(names) != len(videos.class_names):
        sides = (("the data", sorted(ours - theirs)), ("the wanted order", sorted(theirs - ours)))
        only = [f"only in {where}: {_some(side)}" for where, side in sides if side]
        raise ValueError(
            f"{len(videos.class_names)} classes of the data and {len(names)} of the wanted order are not the same"
            + "".join(f"; {part}" for part in only)
        )
    index_of = {name: index for index, name in enumerate(names)}
    new_index = np.array([index_of[name] for name in videos.class_names], dtype=np.int64)
    if not videos.multi_label:
        return replace(videos, labels=new_index[videos.labels], class_names=names)
    old_index = np.argsort(new_index)
    frames = videos.frames and replace(videos.frames, table=videos.frames.table[:, old_index])
    return replace(videos, labels=videos.labels[:, old_index], class_names=names, frames=frames)


def follow_order(split: VideoSplit, names: Sequence[str], source: str) -> VideoSplit:
    """The split with the class order of weights that are tested on it, and a note that says so.

    names: classes of the weights in index order, () where they are not known; source: the file, for the note.
    A split whose classes are in that order already, or are other classes, is returned as it is: whether weights of other
    classes may be used is for those to say who load them.
    """
    own = split.videos.class_names
    if own == tuple(names) or sorted(own) != sorted(names):
        return split
    moved = next(name for name, other in zip(own, names, strict=True) if name != other)
    note = (
        f"the {len(own)} classes of the data have another order in {source}; labels follow it by name ({moved!r}: "
        f"{own.index(moved)} here, {list(names).index(moved)} there)"
    )
    return replace(split, videos=reordered(split.videos, names), notes=(*split.notes, note))


def overlap_note(train: LabelledVideos, test: LabelledVideos, *, what: str = "test") -> str:
    """A warning where videos of the training list are in the other one, too, with their number; "" where none is.

    what: "test" or "validation", for the text
    """
    trained = {os.path.normpath(name) for name in train.names}
    both = [name for name in test.names if os.path.normpath(name) in trained]
    if not both:
        return ""
    if len(both) == len(test.names) == len(train.names):
        return (
            f"the training and the {what} list hold the same {len(both)} videos: what is measured is what was trained on "
            "(DATA.PATH_TO_DATA_DIR)"
        )
    return (
        f"{len(both)} of {len(test.names)} {what} videos are in the training list of {len(train.names)}, too: "
        f"{_some(both)} (DATA.PATH_TO_DATA_DIR)"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (f", ... ({len(names)})" if len(names) > _SHOWN else "")
