"""Where the files of extracted frames are, video by video, and how loader workers are sent that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class FrameFiles:
    """The frames of a video.

    ids:   (N,) int64 ascending
    paths: (N,) UTF-8 bytes in one array (millions of strings fill memory); None where the ids tell the names
    """

    ids: np.ndarray
    paths: np.ndarray | None = None


def joined(videos: dict[str, FrameFiles]) -> dict[str, Any]:
    """Videos with paths in a few arrays, which `split` takes apart: names, (V + 1,) first frames, ids, paths as (N, width)
    uint8.

    The lists of AVA name eight million frames; arrays of numbers are what `utils.shared_arrays` can share.
    """
    counts = [len(files.ids) for files in videos.values()]
    first = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    listed = [files.paths for files in videos.values() if files.paths is not None]
    width = max((paths.itemsize for paths in listed), default=1)
    ids, every = np.empty(first[-1], np.int64), np.empty(first[-1], f"S{width}")
    for start, files, paths in zip(first.tolist(), videos.values(), listed, strict=False):
        ids[start : start + len(paths)] = files.ids
        every[start : start + len(paths)] = paths
    return {"names": tuple(videos), "first": first, "ids": ids, "paths": every.view(np.uint8).reshape(-1, width)}


def split(columns: dict[str, Any]) -> dict[str, FrameFiles]:
    """What `joined` was given; the arrays are parts of those in `columns`."""
    first, ids = columns["first"].tolist(), columns["ids"]
    paths = columns["paths"].view(f"S{columns['paths'].shape[1]}").reshape(-1)
    spans = zip(columns["names"], first, first[1:], strict=False)
    return {name: FrameFiles(ids[start:end], paths[start:end]) for name, start, end in spans}
