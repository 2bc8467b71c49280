"""Features of frames on disk: what a frozen image network makes of them, made once for each view of a video."""

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.utils.files import open_whole

_OPEN_ENTRIES = 256  # memory maps a process keeps open
_FORMAT = 1  # count up when the files change


@dataclass(frozen=True)
class VideoFeatures:
    """Features of some frames of one view of a video.

    numbers:  (m,) int64 ascending frame numbers, also beyond the video, where a clip repeats its first or last frame
    row:      (m,) int64, the row of `features` that each of them shows
    features: (n, F, h, w) float16
    region:   of the frame that the view shows, as in ClipMeta
    first, last: the numbers between which the video has frames, as far as was asked
    """

    numbers: np.ndarray
    row: np.ndarray
    features: np.ndarray
    region: tuple[float, float, float, float]
    first: int
    last: int

    def of(self, numbers: np.ndarray) -> tuple[np.ndarray, int]:
        """(T,) frame numbers -> (T, F, h, w) float16, and how many of them are beyond the video. KeyError where one is
        not there.
        """
        place = np.searchsorted(self.numbers, numbers)
        if (place >= len(self.numbers)).any() or (self.numbers[place] != numbers).any():
            raise KeyError(f"frames {sorted(set(map(int, numbers)) - set(map(int, self.numbers)))}")
        return np.asarray(self.features[self.row[place]]), int(((numbers < self.first) | (numbers > self.last)).sum())


class FeatureStore:
    """Entries below `folder`, one for each view of a video.

    identity: what the features depend on, beside the video file, the frames and the number of the view: the image network's
              weights, the size, the augmentation. Another one never finds the entries of this one.
    """

    def __init__(self, folder: str | Path, identity: Mapping[str, object]) -> None:
        self.folder, self.identity = Path(folder), {"format": _FORMAT, **identity}
        self._open: OrderedDict[str, VideoFeatures] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_open": OrderedDict()}  # a pickled memory map would carry the features

    def _name(self, video: str, view: int) -> str:
        text = json.dumps([self.identity, video, view], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def load(self, video: str, view: int) -> VideoFeatures | None:
        """The entry; None where there is none, or it is not what was written."""
        name = self._name(video, view)
        entry = self._open.get(name)
        if entry is None:
            entry = self._read(name)
            if entry is None:
                return None
            self._open[name] = entry
            while len(self._open) > _OPEN_ENTRIES:
                self._open.popitem(last=False)
        self._open.move_to_end(name)
        return entry

    def _read(self, name: str) -> VideoFeatures | None:
        try:
            meta = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
            features = np.load(self.folder / f"{name}.npy", mmap_mode="r")
            if features.dtype != np.float16 or list(features.shape) != meta["shape"]:
                return None
            numbers, row = (np.asarray(meta[key], dtype=np.int64) for key in ("numbers", "row"))
            if numbers.ndim != 1 or numbers.shape != row.shape or (np.diff(numbers) <= 0).any():
                return None
            if ((row < 0) | (row >= len(features))).any():
                return None
            left, top, right, bottom = map(float, meta["region"])
            region = (left, top, right, bottom)
            return VideoFeatures(numbers, row, features, region, int(meta["first"]), int(meta["last"]))
        except Exception:  # whatever a damaged file makes json and numpy throw: the caller makes it anew and counts it
            return None

    def write(self, video: str, view: int, entry: VideoFeatures) -> None:
        """Both files; the .json appears last and makes the entry valid. Raises OSError that names DATA.FEATURE_CACHE."""
        name = self._name(video, view)
        meta = {
            "video": video,
            "view": view,
            "identity": self.identity,
            "numbers": entry.numbers.tolist(),
            "row": entry.row.tolist(),
            "shape": list(entry.features.shape),
            "region": list(entry.region),
            "first": entry.first,
            "last": entry.last,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (
                open_whole(self.folder / f"{name}.json") as described,
                open_whole(self.folder / f"{name}.npy", "wb") as sink,
            ):
                np.save(sink, entry.features)
                described.write(json.dumps(meta))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            message = f"{reason} while writing the features of {video} to {self.folder} (DATA.FEATURE_CACHE)"
            raise OSError(error.errno, message) from error
        self._open.pop(name, None)
