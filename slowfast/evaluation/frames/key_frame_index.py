"""KeyFrameIndex: numbers the key frames that are scored, and finds the number of any (video, timestamp). Numpy only."""

from collections.abc import Iterable

import numpy as np

from slowfast.structures.annotations.box_table import BoxTable, codes_of_pairs, key_frame_codes, plain_time, split_codes

UNLISTED = -1
EXCLUDED = -2

# A direct table answers in a few nanoseconds a row; it is used where it needs at most this many slots per key frame.
SLOTS_PER_KEY_FRAME = 64
MIN_SLOTS = 1 << 20


class KeyFrameIndex:
    """Key frames 0..F-1 of the videos in `groundtruth`.

    groundtruth: its rows list the key frames (rows with NO_LABEL too)
    extra:       further key frames (video, timestamp) to score, with nobody annotated
    excluded:    key frames (video, timestamp) that are not scored, whoever lists them
    """

    def __init__(
        self,
        groundtruth: BoxTable,
        *,
        extra: Iterable[tuple[str, float]] = (),
        excluded: Iterable[tuple[str, float]] = (),
    ) -> None:
        self._number = {name: number for number, name in enumerate(dict.fromkeys(groundtruth.videos))}
        table_video = self.video_numbers(groundtruth.videos)
        listed = key_frame_codes(table_video[groundtruth.video], groundtruth.timestamp)
        listed = np.unique(np.concatenate([listed, self._keys_of(extra)]))
        removed = np.unique(self._keys_of(excluded))
        self.scored_keys = np.setdiff1d(listed, removed, assume_unique=True)
        self.num_excluded = len(listed) - len(self.scored_keys)
        self._all_keys = np.concatenate([self.scored_keys, removed])
        codes = np.arange(len(self._all_keys), dtype=np.int32)
        codes[len(self.scored_keys) :] = EXCLUDED
        order = np.argsort(self._all_keys)
        self._all_keys, self._codes = self._all_keys[order], codes[order]
        self._build_direct_table()

    def __len__(self) -> int:
        return len(self.scored_keys)

    @property
    def names(self) -> tuple[str, ...]:
        """Video names; the video number in a scored key indexes them."""
        return tuple(self._number)

    def name_of(self, frame: int) -> tuple[str, float]:
        """(video name, timestamp) of key frame number `frame`."""
        video, timestamp = split_codes(self.scored_keys[frame])
        return self.names[video], plain_time(timestamp.item())

    def _keys_of(self, key_frames: Iterable[tuple[str, float]]) -> np.ndarray:
        return codes_of_pairs([(self._number.setdefault(video, len(self._number)), time) for video, time in key_frames])

    def video_numbers(self, videos: tuple[str, ...]) -> np.ndarray:
        """The index's number of each video, -1 for a video it does not know; index it with BoxTable.video."""
        return np.array([self._number.get(name, -1) for name in videos], dtype=np.int32)

    def _build_direct_table(self) -> None:
        """Per video a run of slots, one per timestamp between its first and its last.

        Index -1 is "none" everywhere: a last video with an empty run, and a last slot that says UNLISTED.
        """
        self._slots = None
        if len(self._all_keys) == 0:
            return
        video, timestamp = split_codes(self._all_keys)
        if timestamp.dtype.kind == "f":  # fractions of a second have no slots
            return
        present, first_row = np.unique(video, return_index=True)
        last_row = np.append(first_row[1:], len(video)) - 1
        first, span, offset = (np.zeros(len(self._number) + 1, dtype=np.int64) for _ in range(3))
        first[present] = timestamp[first_row]
        span[present] = timestamp[last_row] - timestamp[first_row] + 1
        if span.sum() > max(MIN_SLOTS, SLOTS_PER_KEY_FRAME * len(self._all_keys)):
            return
        offset[1:] = np.cumsum(span)[:-1]
        self._slots = np.full(span.sum() + 1, UNLISTED, dtype=np.int32)
        self._slots[offset[video] + timestamp - first[video]] = self._codes
        self._first = first.astype(np.int32).view(np.uint32)
        self._span, self._offset = span.astype(np.uint32), offset.astype(np.int32)

    def find(self, video_number: np.ndarray, timestamp: np.ndarray) -> np.ndarray:
        """(n,) numbers from `video_numbers` and (n,) timestamps -> (n,) int32: 0..F-1, UNLISTED or EXCLUDED."""
        if self._slots is None or timestamp.dtype.kind == "f":
            return self._search(video_number, timestamp)
        # Unsigned subtraction wraps, so that one comparison tests both ends of the span.
        position = timestamp.astype(np.uint32) - self._first.take(video_number, mode="wrap")
        inside = position < self._span.take(video_number, mode="wrap")
        slot = np.where(inside, self._offset.take(video_number, mode="wrap") + position.view(np.int32), -1)
        return self._slots.take(slot, mode="wrap")

    def _search(self, video_number: np.ndarray, timestamp: np.ndarray) -> np.ndarray:
        if len(self._all_keys) == 0:
            return np.full(len(video_number), UNLISTED, dtype=np.int32)
        keys = key_frame_codes(video_number, timestamp)
        place = np.minimum(np.searchsorted(self._all_keys, keys), len(self._all_keys) - 1)
        return np.where(self._all_keys[place] == keys, self._codes[place], UNLISTED).astype(np.int32)
