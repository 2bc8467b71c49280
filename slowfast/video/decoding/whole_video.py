"""A whole video file: when its frames are shown, and the frames at some positions.

Both come from the timestamps of the coded packets, which are read without decoding. They are trusted where every packet
has a timestamp of its own and is one frame; otherwise the video is decoded once for its length, and from the beginning
for its frames. Frames are matched by timestamp, so a seek that lands elsewhere is noticed and not believed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from slowfast.video.decoding.frame_index import frame_index
from slowfast.video.decoding.open_video import OpenVideo, UnreadableError, named_errors
from slowfast.video.source import ClipReadError, VideoLength, check_positions
from slowfast.video.stored.known_whole import is_known_whole

# Codecs whose packets are one shown frame each. VP8, for one, has packets that are never shown.
_ONE_FRAME_A_PACKET = {"h264", "hevc", "vp9", "libvpx-vp9", "av1", "libdav1d", "mpeg4", "mpeg1video", "mpeg2video"}
_ONE_FRAME_A_PACKET |= {"mjpeg", "ffv1", "rawvideo"}
_MAYBE_NO_FRAME = 20  # bytes: MPEG-4 packets below may stand for "nothing new", and then there is no frame
_WORTH_A_SEEK = 16  # frames that are decoded sooner than a seek pays
_RATE_AGREES = 0.02  # how far the file's nominal rate may be from its mean rate


@dataclass(frozen=True)
class Packets:
    """pts: (N,) int64 timestamps in order of presentation; keys: those of key frames."""

    pts: np.ndarray
    keys: np.ndarray


class WholeVideo:
    """threads: decoding threads, 0 for as many as there are cores."""

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        self.path, self.threads = Path(path), threads

    @property
    def length(self) -> VideoLength:
        """Raises ClipReadError: not a readable video, or one that breaks off where its header promises more."""
        return self._index[0]

    def read(self, positions: np.ndarray, *, short_side: int | None = None) -> np.ndarray:
        """(K, H, W, 3) uint8 RGB: the frames at `positions`, (K,) ascending and distinct from 0.

        Only these are converted and kept. short_side: see VideoSource.
        Raises ClipReadError, also where one of them rests on damaged data; IndexError for a position that is not there.
        """
        length, packets = self._index
        positions = np.asarray(positions, dtype=np.int64)
        check_positions(positions, len(length), str(self.path))
        with named_errors(self.path, None):
            if packets is None:
                return self._read_all_of(positions, short_side)
            pictures: dict[int, np.ndarray] = {}
            asked = packets.pts[positions]
            with OpenVideo(self.path, threads=self.threads) as video:
                if is_known_whole(self.path):
                    video.leave_out_unseen(stamps=asked.tolist())
                for key, group in _groups(packets, positions):
                    if key == packets.pts[0] or video.seek_to(key):
                        pictures |= self._decode(video, group, short_side)
            missing = np.array([pts for pts in asked.tolist() if pts not in pictures])
            if len(missing):  # a seek did not lead there
                with OpenVideo(self.path, threads=self.threads) as video:
                    pictures |= self._decode(video, missing, short_side)
            for position, pts in zip(positions.tolist(), asked.tolist(), strict=True):
                if pts not in pictures:
                    raise self._lost(position, "it has a timestamp, but the data could not be decoded to a frame")
            return np.stack([pictures[pts] for pts in asked.tolist()])

    @cached_property
    def _index(self) -> tuple[VideoLength, Packets | None]:
        with named_errors(self.path, None), OpenVideo(self.path, threads=self.threads) as video:
            nominal, tick = 1 / video.frame_seconds, video.tick
            packets = trusted_packets(video)
        if packets is not None:
            return _length_of((packets.pts - packets.pts[0]) * tick, nominal, tick), packets
        with named_errors(self.path, None):
            timeline = frame_index(self.path, threads=self.threads).timeline
        return _length_of(timeline.times - timeline.times[0], nominal, tick), None

    def _decode(self, video: OpenVideo, asked: np.ndarray, short_side: int | None) -> dict[int, np.ndarray]:
        """Decode from here until all of `asked`, ascending timestamps, were there; what was found of them."""
        found: dict[int, np.ndarray] = {}
        wanted, last = set(asked.tolist()), int(asked[-1])
        for _, frame in video.frames(from_key_frame=True):
            if frame.pts is None:
                continue
            if frame.pts in wanted:
                if video.in_doubt:
                    raise self._lost(int(np.searchsorted(self._pts, frame.pts)), "the data is damaged there")
                found[frame.pts] = video.rgb(frame, short_side=short_side)
            if frame.pts >= last:
                break
        return found

    @property
    def _pts(self) -> np.ndarray:
        packets = self._index[1]
        assert packets is not None
        return packets.pts

    def _read_all_of(self, positions: np.ndarray, short_side: int | None) -> np.ndarray:
        """By counting decoded frames."""
        index = frame_index(self.path, threads=self.threads)
        for position in positions[index.doubtful[positions]].tolist():
            raise self._lost(position, "the data is damaged there")
        pictures, _ = index.pictures(self.path, positions.tolist(), threads=self.threads, short_side=short_side)
        return np.stack([pictures[position] for position in positions.tolist()])

    def _lost(self, position: int, reason: str) -> ClipReadError:
        second = float(self.length.times[position])
        return ClipReadError(str(self.path), second, f"frame {position} of {len(self.length)} is needed, and {reason}")


def trusted_packets(video: OpenVideo) -> Packets | None:
    """None where the timestamps of the packets do not tell the frames. Raises UnreadableError where there is no packet."""
    packets, decoded = [], []
    for packet in video.packets():
        if not packet.is_discard:
            packets.append((packet.pts, packet.is_keyframe, packet.size))
        if packet.dts is not None:
            decoded.append(packet.dts)
    if not packets:
        raise UnreadableError("it holds no pictures")
    if any(later < earlier for earlier, later in pairwise(decoded)):
        return None  # recordings that were joined, clocks and all
    stamps = [pts for pts, _, _ in packets if pts is not None]
    small = video.codec == "mpeg4" and min(size for _, _, size in packets) < _MAYBE_NO_FRAME
    if video.codec not in _ONE_FRAME_A_PACKET or small or len(set(stamps)) < len(packets):
        return None
    pts = np.sort(np.array(stamps, dtype=np.int64))
    # Frames before the first key frame, in the file or on screen, are not decodable.
    if not packets[0][1] or stamps[0] != pts[0]:
        return None
    return Packets(pts, np.sort(np.array([stamp for stamp, is_key, _ in packets if is_key], dtype=np.int64)))


def _length_of(times: np.ndarray, nominal: float, tick: float) -> VideoLength:
    """The rate is the file's own where the frames agree with it, and otherwise their mean rate."""
    mean = (len(times) - 1) / times[-1] if len(times) > 1 and times[-1] > 0 else nominal
    fps = nominal if abs(nominal - mean) <= _RATE_AGREES * nominal else mean
    return VideoLength(times, fps, tick)


def _groups(packets: Packets, positions: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(timestamp of the key frame to start from, timestamps to read from there on), forward in time."""
    key_positions = np.searchsorted(packets.pts, packets.keys)
    before = key_positions[np.searchsorted(key_positions, positions, side="right") - 1]
    start = 0
    for i in range(1, len(positions) + 1):
        if i == len(positions) or before[i] > positions[i - 1] + _WORTH_A_SEEK:
            yield int(packets.pts[before[start]]), packets.pts[positions[start:i]]
            start = i
